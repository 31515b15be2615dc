"""Attacks on a running server that take no token, and requests that take too much."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aporia_provider.backend.server.request_bodies import BodyLimit
from aporia_provider.errors import AporiaError
from tests.backend.killable import poll
from tests.backend.running import Served, serving, token_for
from tests.backend.stored import store_days
from tests.backend.test_server import VERSION
from tests.processes import starts_process
from tests.sizes import sized

pytestmark = pytest.mark.very_slow

FILES = 256
MB = 1024 * 1024
JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text('"\\[{,:}]aé', max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text('"\\:,', max_size=3), inner, max_size=4)
    ),
)


def _few_files() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))


@pytest.fixture(scope="module")
def small_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('limits')}/aporia.db"


@pytest.fixture(scope="module")
@starts_process()
def small(small_url: str) -> Iterator[Served]:
    """A server that may open few files."""
    with serving(small_url, script=True, preexec_fn=_few_files) as served:
        yield served


@pytest.fixture(scope="module")
def token(small: Served, small_url: str) -> str:
    made = token_for(small_url, "limits")
    small.ask("POST", "/v1beta/models", made, json={"id": "m", "name": "M"})
    small.ask("POST", "/v1beta/models/m/versions", made, json=VERSION)
    return made


def connect(server: Served) -> socket.socket:
    address = urlsplit(server.url)
    assert address.hostname
    assert address.port
    made = socket.create_connection((address.hostname, address.port), timeout=120)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
    return made


def memory(server: Served) -> int:
    """Bytes of memory that the server's process has at present."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def peers(server: Served) -> set[Any]:
    """The addresses that the server has connections to."""
    found = psutil.Process(server.process.pid).net_connections("tcp")
    return {tuple(connection.raddr) for connection in found}


def arenas(server: Served) -> int:
    """How many arenas glibc has made for threads: each is 64 MB of addresses, of which a part is used."""
    size, found, before = 64 * MB, 0, (-1, "")
    for line in Path(f"/proc/{server.process.pid}/maps").read_text().splitlines():
        addresses, access, *_ = line.split()
        start, end = (int(address, 16) for address in addresses.split("-"))
        if access == "---p" and end % size == 0 and before == (end - size, f"rw-p {start}"):
            found += 1
        before = (start, f"{access} {end}")
    return found


def is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return bool(connection.recv(1))
    except BlockingIOError:
        return True
    except OSError:
        return False


def test_header_lines_without_end_are_refused(small: Served) -> None:
    before, sent, lines = memory(small), 0, b"a: b\r\n" * 20_000
    with connect(small) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\n")
        try:
            while sent < 40 * MB:
                connection.sendall(lines)
                sent += len(lines)
        except OSError:
            pass
    assert sent < 10 * MB
    assert memory(small) - before < 30 * MB
    assert small.ask("GET", "/health").status_code == 200


def test_idle_connections_keep_nobody_out(small: Served) -> None:
    with ExitStack() as opened:
        idle = [opened.enter_context(connect(small)) for _ in range(300)]
        for connection in idle[::2]:
            try:
                connection.sendall(b"GET /health HTTP/1.1\r\nHost: ")
            except OSError:
                assert not is_open(connection)
        for _ in range(5):
            assert small.ask("GET", "/health").status_code == 200
        assert sum(map(is_open, idle)) <= FILES - 100


def test_clients_that_send_or_receive_slowly_are_cut_off(small: Served) -> None:
    begun = {
        "nothing": b"",
        "a part of the headers": b"GET /health HTTP/1.1\r\nHost: x\r\n",
        "a part of the body": b"POST /v1beta/models HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{",
    }
    with ExitStack() as opened:
        greedy = opened.enter_context(connect(small))
        # More than the buffers of both ends hold; nobody reads it.
        greedy.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 80)
        connections = {name: opened.enter_context(connect(small)) for name in begun}
        for name, connection in connections.items():
            connection.sendall(begun[name])
        for connection in connections.values():
            # The answer to the body is 401; then, as for the others, the connection is closed.
            while connection.recv(1000):
                pass
        peer = greedy.getsockname()
        poll(lambda: peer not in peers(small))
    assert small.ask("GET", "/health").status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("models", b'{"id": "x", "name": "' + b"a" * 50 * MB + b'"}', 413),
        ("models", b'{"id": "x", "name": "' + b"a" * 256 + b'"}', 422),
        ("models", b'{"id": "x", "name": "n", "description": "' + b"a" * 10_001 + b'"}', 422),
        ("models", b'{"id": "x", "name": "n", "owner": "' + b"a" * 256 + b'"}', 422),
        ("models/m/versions/v1/training_sample", b'{"features": [' + b"[]," * 2_000_000 + b"[]]}", 413),
        ("models/m/versions/v1/training_sample", b'{"features": [' + b"{}," * 2_000_000 + b"{}]}", 413),
        ("models/m/versions/v1/model_artifact", b'{"a": ' + b"[" * 30_000_000, 400),
        ("models/m/versions/v1/index_to_word_mapping", b'{"a": "' + b'\\"' * 10_000_000, 400),
        ("metrics/query", b'{"model_id": "m", "metrics": [' + b" " * 3 * MB + b"]}", 413),
        ("monitors", b'{"name": "n", "configuration": {"a": [' + b"1," * 200_000 + b"1]}}", 413),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bodies_are_refused_before_they_are_unfolded(
    small: Served, token: str, path: str, body: bytes, status: int
) -> None:
    before = memory(small)
    reply = small.ask("POST", f"/v1beta/{path}", token, content=body)
    assert reply.status_code == status, reply.text[:300]
    assert memory(small) - before < 2.5 * len(body) + 20 * MB


def test_threads_share_the_memory_that_is_free(small: Served, token: str) -> None:
    begin = threading.Barrier(12)

    def ask() -> None:
        begin.wait(120)
        for _ in range(5):
            small.ask("GET", "/v1beta/models/m/versions", token)

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert arenas(small) <= 2


def test_a_client_that_leaves_within_its_body_is_logged_in_one_line(small: Served, token: str) -> None:
    before = len(small.lines)
    with connect(small) as connection:
        begun = f"POST /v1beta/models/left/tags HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        connection.sendall(f"{begun}Content-Length: 99\r\n\r\n{{".encode())
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1000):
            pass
    poll(lambda: any("models/left" in line for line in small.lines[before:]))
    assert small.ask("GET", "/health").status_code == 200
    (line,) = (line for line in small.lines[before:] if "/health" not in line)
    assert "POST '/v1beta/models/left/tags' 400" in line


def test_a_body_in_broken_chunks_is_refused_once(small: Served) -> None:
    before = len(small.lines)
    with connect(small) as connection:
        connection.sendall(b"POST /v1beta/models HTTP/1.1\r\nHost: x\r\n")
        connection.sendall(b"Transfer-Encoding: chunked\r\n\r\nzz\r\n")
        received = b""
        while part := connection.recv(1000):
            received += part
    assert received.startswith(b"HTTP/1.1 400 ")
    assert received.count(b"HTTP/1.1") == 1
    assert small.ask("GET", "/health").status_code == 200
    poll(lambda: any("/health" in line for line in small.lines[before:]))
    assert [line for line in small.lines[before:] if "Traceback" in line or " ERROR " in line] == []


def test_a_body_in_many_small_chunks_is_refused(small: Served, token: str) -> None:
    begun = f"POST /v1beta/monitors HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
    before = _used(small.process.pid)
    with connect(small) as connection:
        connection.sendall(f"{begun}Transfer-Encoding: chunked\r\n\r\n".encode())
        with suppress(OSError):
            connection.sendall(b"1\r\n \r\n" * 500_000)
        with suppress(ConnectionResetError):
            assert connection.recv(12) == b"HTTP/1.1 400"
    assert small.ask("GET", "/health").status_code == 200
    assert _used(small.process.pid) - before < 3


def test_names_of_fields_are_limited(small: Served, token: str) -> None:
    fields = {"features": {"f" * 256: "numeric"}, "predictions": {"p": "boolean"}}
    body = {"name": "v2", "model_type": "binary", "version_schema": fields}
    reply = small.ask("POST", "/v1beta/models/m/versions", token, json=body)
    assert reply.status_code == 422
    assert "longer than 255 characters" in reply.json()["error"]["problems"][0]


@pytest.mark.slow
@settings(max_examples=sized(15, 60))
@given(JSON, st.booleans())
def test_values_are_counted_without_reading_them(value: Any, is_ascii: bool) -> None:
    text = json.dumps([value], ensure_ascii=is_ascii)
    count = _signs(value) + 1
    BodyLimit(0, count).check_content(text.encode())
    with pytest.raises(AporiaError, match="keys and values"):
        BodyLimit(0, count - 1).check_content(text.encode())


def _signs(value: Any) -> int:
    """Objects and arrays, colons and commas."""
    if isinstance(value, dict):
        return 1 + len(value) + max(0, len(value) - 1) + sum(map(_signs, value.values()))
    if isinstance(value, list):
        return 1 + max(0, len(value) - 1) + sum(map(_signs, value))
    return 0


FIELDS = ["a", "b", "c", "d", "e"]


@pytest.fixture(scope="module")
def many_days(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('days')}/aporia.db"
    store_days(url, "limits", FIELDS, 90)
    return url


def five_hundred() -> dict[str, Any]:
    """As many questions as a query may have, all by day against all days before."""
    baseline = {"dataset_type": "serving", "time_period": "9999d"}
    datasets = {"data": {"dataset_type": "serving"}, "baseline": baseline}
    metrics = [
        {"id": str(n), "metric": "drift_score", "parameters": {"column": FIELDS[n % 5]}, "datasets": datasets}
        for n in range(500)
    ]
    return {"model_id": "m", "metrics": metrics, "aggregation_period": "daily"}


@pytest.mark.process
def test_a_query_ends_at_its_deadline(many_days: str) -> None:
    with serving(many_days, "--request-seconds", "1") as server:
        reply = server.ask(
            "POST", "/v1beta/metrics/query", token_for(many_days, "limits"), json=five_hundred()
        )
        assert reply.status_code == 422
        assert "not complete after 1 seconds" in reply.json()["error"]["message"]
        assert "shorter time range" in reply.json()["error"]["message"]


@pytest.mark.process
def test_sigterm_ends_queries(many_days: str) -> None:
    with serving(many_days, "--request-seconds", "600", script=True) as server:
        token = token_for(many_days, "limits")
        replies: list[Any] = []

        def ask() -> None:
            try:
                replies.append(server.ask("POST", "/v1beta/metrics/query", token, json=five_hundred()))
            except OSError as error:
                replies.append(error)

        asking = [threading.Thread(target=ask) for _ in range(4)]
        for thread in asking:
            thread.start()
        _wait_until_busy(server.process.pid)
        before = _ended() + _used(server.process.pid)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 0
        # Of the processor's time, which depends little on what else the machine does. A query takes fifty
        # seconds of it.
        assert _ended() - before < 4
        for thread in asking:
            thread.join()
        assert len(replies) == 4


def _wait_until_busy(pid: int) -> None:
    """Until a process has used a second of processor time from now on."""
    end = _used(pid) + 1
    while _used(pid) < end:
        time.sleep(0.02)


def _used(pid: int) -> float:
    """Seconds of processor time that a running process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _ended() -> float:
    """Seconds of processor time that the processes have used that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
