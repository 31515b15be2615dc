"""What is tried again, how often, and what a lost reply means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from aporia_provider.client import Retries
from aporia_provider.errors import (
    AporiaError,
    NotFoundError,
    TransientError,
    ValidationError,
)
from aporia_provider.models import Monitor
from tests.client.calls import DATASET, Ask, ask_sync
from tests.recording import DROP, HANG, Answer, RecordingServer
from tests.servers import free_port

MONITOR = Monitor(name="n", type="data_drift", scheduling="0 * * * *", configuration={"a": 1})


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_transient_status_is_retried(ask: Ask, server: RecordingServer, status: int) -> None:
    server.answer(
        *[Answer(status, b"<html>", content_type="text/html")] * 3, Answer(200, {"tags": {"a": "b"}})
    )
    assert ask("get_model_tags", "m") == {"a": "b"}
    assert len(server.asked) == 4


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_the_last_attempt_says_what_was_tried_and_how_often(
    ask: Ask, server: RecordingServer, status: int
) -> None:
    server.answer(*[Answer(status, {}, headers=(("Retry-After", "7"),))] * 9)
    with pytest.raises(TransientError, match=r"Deleting model 'm'.*Tried 4 times\.") as caught:
        ask("delete_model", "m")
    assert (caught.value.status, caught.value.retry_after) == (status, 7.0)
    assert len(server.asked) == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "client"), [(DROP, {}), (HANG, {"timeout": 2.0})], ids=["dropped", "timeout"]
)
def test_a_lost_reply_is_retried(
    ask: Ask, server: RecordingServer, answer: Answer, client: dict[str, Any]
) -> None:
    server.answer(answer, Answer(200, {"a": "b"}))
    assert ask("get_model_tags", "m", client=client) == {"a": "b"}
    assert len(server.asked) == 2


@pytest.mark.slow
def test_timeouts_end_in_a_transient_error(ask: Ask, server: RecordingServer) -> None:
    server.answer(*[HANG] * 9)
    with pytest.raises(TransientError, match=r"Timeout.*Tried 2 times"):
        ask("get_model_tags", "m", client={"timeout": 2.0, "retries": Retries(2, 0, 0)})
    assert len(server.asked) == 2


@pytest.mark.slow
def test_connecting_a_dataset_may_take_longer_than_other_calls(ask: Ask, server: RecordingServer) -> None:
    server.answer(Answer(act="slow"))
    assert ask("connect_dataset", "m", "v", DATASET, client={"timeout": 1.0})["status"] == "created"
    assert len(server.asked) == 1


def test_nobody_listening_is_transient(ask: Ask) -> None:
    with pytest.raises(TransientError, match=r"ConnectError.*Tried 4 times"):
        ask("get_model_tags", "m", url=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(TransientError, match=r"Tried 4 times\.$"):
        ask("create_monitor", MONITOR, url=f"http://127.0.0.1:{free_port()}")


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"first_wait": -1.0}, {"longest_wait": -0.1}])
def test_retries_that_make_no_sense_are_refused(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        Retries(**wrong)


def test_waits_grow_have_full_jitter_and_a_bound() -> None:
    retries = Retries(first_wait=2.0, longest_wait=5.0)
    waits = {attempt: [retries.wait(attempt) for _ in range(500)] for attempt in (1, 2, 3, 999)}
    for attempt, bound in ((1, 2.0), (2, 4.0), (3, 5.0), (999, 5.0)):
        assert 0 <= min(waits[attempt]) < bound / 4
        assert bound * 3 / 4 < max(waits[attempt]) <= bound
    assert retries.wait(1, retry_after=3.0) == 3.0
    assert retries.wait(1, retry_after=600.0) == 5.0


def test_the_client_waits_as_long_as_its_retries_say(ask: Ask, server: RecordingServer) -> None:
    """Retry-After asks for an hour; the bound of 0 seconds wins, or the test would time out."""
    server.answer(Answer(429, {}, headers=(("Retry-After", "3600"),)))
    assert ask("get_model_tags", "m") == {}


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("0", 0, 0),
        ("12", 12, 12),
        ("1.5", 1.5, 1.5),
        ("in an hour", 3500, 3600),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0, 0),
        ("Thu, 01 Jan 1970 00:00:00 -0000", 0, 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(
    server: RecordingServer, header: str, least: float, most: float
) -> None:
    if header == "in an hour":
        header = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    server.answer(Answer(503, {}, headers=(("Retry-After", header),)))
    with pytest.raises(TransientError) as caught:
        ask_sync(server.url, "get_model_tags", "m", client={"retries": Retries(1)})
    assert caught.value.retry_after is not None
    assert least <= caught.value.retry_after <= most


@pytest.mark.parametrize("header", ["", "soon", "-5", "nan", "1e99", "99999999999999999999"])
def test_a_retry_after_that_says_nothing_is_ignored(server: RecordingServer, header: str) -> None:
    server.answer(Answer(503, {}, headers=(("Retry-After", header),)))
    with pytest.raises(TransientError) as caught:
        ask_sync(server.url, "get_model_tags", "m", client={"retries": Retries(1)})
    assert caught.value.retry_after is None


@pytest.mark.parametrize("call", ["delete_model", "delete_monitor"])
def test_what_a_lost_attempt_deleted_is_deleted(ask: Ask, server: RecordingServer, call: str) -> None:
    server.answer(DROP, Answer(404, {}))
    ask(call, "x")
    server.answer(Answer(429, {}), Answer(404, {}))
    with pytest.raises(NotFoundError):
        ask(call, "x")


@pytest.mark.parametrize("lost", [DROP, Answer(503, {})])
def test_a_monitor_that_may_have_been_created_is_not_created_twice(
    ask: Ask, server: RecordingServer, lost: Answer
) -> None:
    server.answer(lost)
    with pytest.raises(TransientError, match=r"Tried once\. It may have succeeded"):
        ask("create_monitor", MONITOR)
    assert len(server.asked) == 1
    server.answer(Answer(429, {}), Answer(200, {"id": "mon"}))
    assert ask("create_monitor", MONITOR) == {"id": "mon", "status": "created"}


def test_a_monitor_without_an_id_is_an_error(ask: Ask, server: RecordingServer) -> None:
    with pytest.raises(AporiaError, match=r"no id.*/v1beta/monitors"):
        ask("create_monitor", MONITOR)
