"""Tokens of the server: how long they are accepted, what they permit, and what is said of their use."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from aporia_provider.backend.server.auth.failed_attempts import (
    MAX_FAILURES,
    MOST_WAITING,
    AuthenticationThrottle,
)
from aporia_provider.backend.server.auth.tokens import create_token, list_tokens
from aporia_provider.backend.store.database import Database, migrate
from aporia_provider.backend.store.tables import TokenRow
from aporia_provider.errors import TransientError, ValidationError
from tests.backend.killable import poll
from tests.backend.running import Served, run_cli, serving, token_for
from tests.processes import starts_process

SECRET, OTHER = "a-token-of-one's-own", "another-token-of-mine"


@pytest.fixture
def database(ready_url: str) -> Iterator[Database]:
    with Database(ready_url) as opened:
        yield opened


@pytest.fixture
@starts_process()
def server(ready_url: str) -> Iterator[Served]:
    with serving(ready_url) as running:
        yield running


def status(server: Served, token: str) -> int:
    return server.ask("GET", "/v1/environment", token).status_code


def change(database: Database, **values: object) -> None:
    with database.write_transaction() as session:
        session.execute(update(TokenRow).values(**values))


def test_a_token_expires(database: Database, server: Served) -> None:
    before = datetime.now(UTC)
    token = create_token(database, "prod", "ci", expires_in=timedelta(hours=12))
    (listed,) = list_tokens(database)
    assert listed["expires_at"] is not None
    assert timedelta(hours=12) <= listed["expires_at"] - before < timedelta(hours=13)
    assert status(server, token) == 200
    change(database, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    reply = server.ask("GET", "/v1/environment", token)
    assert reply.status_code == 401
    assert "has expired" in reply.json()["error"]["message"]


@pytest.mark.parametrize("days", [0, -1, 36_501])
def test_an_end_that_makes_no_sense_is_refused(database: Database, days: int) -> None:
    with pytest.raises(ValidationError, match="cannot expire in"):
        create_token(database, "prod", "ci", expires_in=timedelta(days=days))
    assert list_tokens(database) == []


def test_the_last_use_is_noted_once_a_minute(database: Database, server: Served) -> None:
    token = create_token(database, "prod", "ci")
    assert list_tokens(database)[0]["last_used_at"] is None
    before = datetime.now(UTC) - timedelta(seconds=1)
    assert status(server, token) == 200
    used = list_tokens(database)[0]["last_used_at"]
    assert used is not None
    assert before <= used <= datetime.now(UTC)
    assert status(server, token) == 200
    assert list_tokens(database)[0]["last_used_at"] == used
    change(database, last_used_at=used - timedelta(minutes=2))
    assert status(server, token) == 200
    again = list_tokens(database)[0]["last_used_at"]
    assert again is not None
    assert again >= used


def test_a_database_that_can_only_be_read_answers(postgres_database_url: str) -> None:
    migrate(postgres_database_url)
    token = token_for(postgres_database_url, "prod")
    joint = "&" if "?" in postgres_database_url else "?"
    read_only = f"{postgres_database_url}{joint}options=-c%20default_transaction_read_only%3Don"
    with serving(read_only) as replica:
        assert status(replica, token) == 200
    assert "The use of a token cannot be recorded" in replica.log


def test_a_token_that_only_reads_changes_nothing(database: Database, server: Served) -> None:
    """Every operation of the document is tried, so that no route is forgotten."""
    token = create_token(database, "prod", "dashboard", read_only=True)
    paths = server.ask("GET", "/openapi.json").json()["paths"]
    allowed = set()
    for path, methods in paths.items():
        for method in methods:
            reply = server.ask(method.upper(), re.sub(r"\{[^}]*\}", "x", path), token, json={})
            if reply.status_code == 403:
                assert reply.json()["error"]["message"] == "The token 'dashboard' permits only reading"
            else:
                allowed.add((method, path))
    assert {method for method, _ in allowed} == {"get", "post"}
    assert {path for method, path in allowed if method == "post"} == {
        "/v1beta/metrics/query",
        "/v1beta/models/{model_id}/segment_cost",
    }
    assert {path for path, methods in paths.items() if "get" in methods} == {
        path for method, path in allowed if method == "get"
    }


@pytest.mark.process
def test_the_command_makes_and_lists_them(sqlite_url: str) -> None:
    options = ("--database-url", sqlite_url)
    made = ("token", "create", "--environment", "prod", *options)
    assert run_cli(*made, "--name", "ci", "--expires-in", "90d", "--read-only").returncode == 0
    assert run_cli(*made, "--name", "airflow").returncode == 0
    first, second = (line.split("\t") for line in run_cli("token", "list", *options).stdout.splitlines())
    assert first[:2] + first[4:] == ["prod", "ci", "-", "read-only"]
    assert datetime.fromisoformat(first[3]) - datetime.fromisoformat(first[2]) == timedelta(days=90)
    assert second[:2] + second[3:] == ["prod", "airflow", "-", "-", "all"]
    wrong = run_cli(*made, "--name", "x", "--expires-in", "soon")
    assert wrong.returncode == 2
    assert "'soon' is not a period" in wrong.stderr


def test_the_log_names_the_address_and_the_token(database: Database, server: Served) -> None:
    token = create_token(database, "prod", "nightly retrain")
    status(server, token)
    status(server, f"{token}x")
    poll(lambda: server.log.count("/v1/environment") == 2)
    accepted, refused = (line for line in server.lines if "/v1/environment" in line)
    assert re.search(r" 127\.0\.0\.1 'prod/nightly retrain' GET '/v1/environment' 200 ", accepted)
    assert re.search(r" 127\.0\.0\.1 '-' GET '/v1/environment' 401 ", refused)


@pytest.mark.process
def test_one_token_opens_one_environment(sqlite_url: str, tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"prod {SECRET}\ndev {OTHER} read-only\nstage {SECRET}\ndev {OTHER} readonly\n")
    file.chmod(0o600)
    refused = run_cli("serve", "--port", "0", "--database-url", sqlite_url, "--token-file", str(file))
    assert refused.returncode == 2
    assert "line 3 has the same token as line 1" in refused.stderr
    assert "line 4 is not an environment" in refused.stderr
    assert SECRET not in refused.stderr


@pytest.mark.process
def test_a_token_file_that_changes_is_read_again(sqlite_url: str, tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"prod {SECRET}\n")
    file.chmod(0o600)
    with serving(sqlite_url, "--token-file", str(file)) as server:
        assert (status(server, SECRET), status(server, OTHER)) == (200, 401)
        file.write_text(f"prod {OTHER} read-only\n")
        # The token that is accepted for now: wrong ones would be slowed down.
        poll(lambda: status(server, SECRET) == 401)
        assert status(server, OTHER) == 200
        assert server.ask("DELETE", "/v1beta/models/m", OTHER).status_code == 403
        file.write_text("nonsense\n")
        poll(lambda: status(server, OTHER) == 200 and "The tokens are unchanged" in server.log)
        file.unlink()
        poll(lambda: status(server, OTHER) == 200 and "No such file" in server.log)


@pytest.mark.process
def test_an_address_that_guesses_is_slowed_down_and_its_good_tokens_are_not(ready_url: str) -> None:
    with serving(ready_url) as server:
        good = token_for(ready_url, "prod")
        assert status(server, good) == 200
        assert [status(server, f"guess-{number}") for number in range(MAX_FAILURES + 1)] == [401] * (
            MAX_FAILURES + 1
        )
        assert status(server, good) == 200
        # One that was not seen before is looked up in its turn.
        assert status(server, token_for(ready_url, "prod")) == 200


async def test_of_many_guesses_at_once_few_are_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aporia_provider.backend.server.auth.failed_attempts.DELAY_SECONDS", 0)
    attempts, at_work, most = AuthenticationThrottle(), 0, 0
    refused: list[tuple[int | None, float | None]] = []
    attempts.note("good", "accepted", accepted=True)

    async def guess(address: str, digest: str) -> None:
        nonlocal at_work, most
        try:
            async with attempts.throttled(address, digest):
                at_work += 1
                most = max(most, at_work)
                await asyncio.sleep(0)
                at_work -= 1
                attempts.note(address, digest, accepted=False)
        except TransientError as error:
            refused.append((error.status, error.retry_after))

    await asyncio.gather(*(guess("bad", f"{number}") for number in range(MAX_FAILURES)))
    assert most == MAX_FAILURES
    most = 0
    await asyncio.gather(*(guess("bad", f"more {number}") for number in range(MOST_WAITING + 5)))
    assert (most, refused) == (1, [(429, 60.0)] * 5)
    most = 0
    await asyncio.gather(*(guess("another", f"{number}") for number in range(3)), guess("bad", "accepted"))
    assert (most, len(refused)) == (4, 5)
