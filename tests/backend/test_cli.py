"""The commands, as processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
from pathlib import Path

import pytest

from tests.backend.running import run_cli, serving

pytestmark = pytest.mark.process


def token(url: str, *arguments: str) -> str:
    made = run_cli("token", "create", "--database-url", url, *arguments)
    assert made.returncode == 0, made.stderr
    return made.stdout


def test_a_token_is_printed_alone_and_opens_its_environment(sqlite_url: str) -> None:
    printed = token(sqlite_url, "--environment", "prod", "--name", "airflow")
    assert printed.endswith("\n")
    assert len(printed.split()) == 1
    assert printed.startswith("aporia_")
    with serving(sqlite_url) as server:
        reply = server.ask("GET", "/v1beta/environments", printed.strip())
    assert [found["name"] for found in reply.json()["environments"]] == ["prod"]


def test_tokens_are_listed_and_revoked_while_the_server_runs(sqlite_url: str) -> None:
    first = token(sqlite_url, "--environment", "prod", "--name", "one").strip()
    token(sqlite_url, "--environment", "dev", "--name", "two")
    options = ("--database-url", sqlite_url)
    listed = run_cli("token", "list", *options).stdout
    assert [line.split("\t")[:2] for line in listed.splitlines()] == [["prod", "one"], ["dev", "two"]]
    assert first not in listed
    assert run_cli("token", "list", "--environment", "dev", *options).stdout.startswith("dev\ttwo\t")
    with serving(sqlite_url) as server:
        assert server.ask("GET", "/v1beta/environments", first).status_code == 200
        revoked = run_cli("token", "revoke", "--environment", "prod", "--name", "one", *options)
        assert (revoked.returncode, revoked.stdout) == (0, "")
        assert server.ask("GET", "/v1beta/environments", first).status_code == 401
    again = run_cli("token", "revoke", "--environment", "prod", "--name", "one", *options)
    assert again.returncode == 2
    assert again.stderr == "aporia-provider: Environment prod has no token named one\n"


def test_a_name_is_given_once(sqlite_url: str) -> None:
    token(sqlite_url, "--environment", "prod", "--name", "one")
    again = run_cli("token", "create", "--environment", "prod", "--name", "one", "--database-url", sqlite_url)
    assert (again.returncode, again.stdout) == (2, "")
    assert "has a token named one" in again.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_server_ends_cleanly_when_told_to(sqlite_url: str, number: signal.Signals) -> None:
    with serving(sqlite_url) as server:
        server.process.send_signal(number)
        assert server.process.wait(60) == 0
    assert "Traceback" not in server.log


def test_a_server_without_tokens_says_how_to_make_one(sqlite_url: str) -> None:
    with serving(sqlite_url) as server:
        pass
    assert "aporia-provider token create" in server.log
    token(sqlite_url, "--environment", "prod", "--name", "one")
    with serving(sqlite_url) as server:
        pass
    assert "token create" not in server.log


def test_a_token_file_is_accepted_beside_the_database(sqlite_url: str, tmp_path: Path) -> None:
    secret = "a-token-of-one's-own"
    file = tmp_path / "tokens"
    file.write_text(f"# who calls\n\nprod {secret}  # airflow\n")
    file.chmod(0o600)
    made = token(sqlite_url, "--environment", "dev", "--name", "one").strip()
    with serving(sqlite_url, "--token-file", str(file)) as server:
        names = [
            server.ask("GET", "/v1beta/environments", known).json()["environments"][0]["name"]
            for known in (secret, made)
        ]
    assert names == ["prod", "dev"]
    assert secret not in server.log


@pytest.mark.parametrize(
    ("mode", "content", "reason"),
    [
        (0o640, "prod a-long-enough-token", "others can read it"),
        (0o600, "prod short\nprod\n", "line 2 is not"),
        (0o600, None, "No such file"),
    ],
)
def test_a_token_file_that_is_not_safe_or_not_right_is_refused(
    sqlite_url: str, tmp_path: Path, mode: int, content: str | None, reason: str
) -> None:
    file = tmp_path / "tokens"
    if content is not None:
        file.write_text(content)
        file.chmod(mode)
    refused = run_cli("serve", "--port", "0", "--database-url", sqlite_url, "--token-file", str(file))
    assert refused.returncode == 2
    assert reason in refused.stderr.splitlines()[-1]
    assert "short" not in refused.stderr


def test_a_port_in_use_is_one_line(sqlite_url: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refused = run_cli("serve", "--port", port, "--database-url", sqlite_url)
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-1] == (
        f"aporia-provider: Cannot listen on 127.0.0.1:{port}: Address already in use"
    )


def test_an_unreachable_database_is_one_line_without_its_password() -> None:
    for command in (("migrate",), ("token", "list"), ("serve", "--port", "0")):
        failed = run_cli(*command, "--database-url", "postgresql://u:planted@127.0.0.1:1/d")
        assert failed.returncode == 2
        (line,) = failed.stderr.splitlines()
        assert line.startswith("aporia-provider: The database postgresql+psycopg://u:***@127.0.0.1:1/d")
        assert "planted" not in line


def test_postgresql_is_migrated_on_demand(postgres_database_url: str) -> None:
    options = ("--database-url", postgres_database_url)
    early = run_cli("token", "list", *options)
    assert early.returncode == 2
    assert "aporia-provider migrate" in early.stderr
    assert run_cli("migrate", *options).returncode == 0
    assert run_cli("token", "list", *options).returncode == 0


def test_without_a_url_the_database_lies_in_the_home_of_airflow(tmp_path: Path) -> None:
    home = {**os.environ, "AIRFLOW_HOME": str(tmp_path)}
    assert (
        run_cli("token", "create", "--environment", "e", "--name", "n", env=home, script=True).returncode == 0
    )
    connection = sqlite3.connect(tmp_path / "aporia.db")
    assert connection.execute("SELECT environment, name FROM aporia_token").fetchall() == [("e", "n")]
    connection.close()


def test_the_policy_of_a_table_is_json() -> None:
    printed = run_cli("iam-policy", "s3://lake/churn")
    policy = json.loads(printed.stdout)
    assert printed.stdout.startswith('{\n  "')
    assert "arn:aws:s3:::lake" in printed.stdout
    assert policy["Statement"]
    refused = run_cli("iam-policy", "not a uri")
    assert refused.returncode == 2
    assert refused.stderr.startswith("aporia-provider: ")


@pytest.mark.parametrize("port", ["99999", "-1", "http"])
def test_a_port_that_is_none_is_refused(port: str, sqlite_url: str) -> None:
    done = run_cli("serve", f"--port={port}", "--database-url", sqlite_url)
    assert done.returncode == 2
    assert f"{port!r} is not a port" in done.stderr
