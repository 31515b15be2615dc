"""Every call asks what the protocol says, and reads what servers answer."""

from __future__ import annotations

import inspect
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aporia_provider.api import AporiaApi
from aporia_provider.client import AporiaClient, AsyncAporiaClient
from aporia_provider.errors import (
    AporiaError,
    ValidationError,
)
from aporia_provider.metric_results import ResultRange
from aporia_provider.metrics import MetricsQuery
from aporia_provider.models import Monitor
from tests.client.calls import (
    CALLS,
    QUICK,
    SCHEMA,
    TOKEN,
    Ask,
)
from tests.recording import Answer, RecordingServer
from tests.sizes import sized


@pytest.mark.parametrize(("method", "args", "kwargs", "verb", "path"), CALLS)
def test_every_call_is_one_request(
    ask: Ask, server: RecordingServer, method: str, args: Any, kwargs: Any, verb: str, path: str
) -> None:
    ask(method, *args, **kwargs)
    assert server.asked == [(verb, path)]
    assert server.recorded[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert (server.recorded[0].content == b"") == (verb not in ("POST", "PUT"))


def test_versions_come_as_a_list_or_wrapped(ask: Ask, server: RecordingServer) -> None:
    entry = {"id": 7, "name": "v1", "model_type": "binary", "created_at": "2024-01-01T00:00:00Z", "extra": 1}
    expected = {"id": "7", "name": "v1", "model_type": "binary", "created_at": "2024-01-01T00:00:00Z"}
    server.answer(Answer(200, [entry]))
    assert ask("get_model_versions", "m") == [expected]
    server.answer(Answer(200, {"versions": [{**entry, "registration": {"name": "v1"}}]}))
    assert ask("get_model_versions", "m") == [{**expected, "registration": {"name": "v1"}}]


def test_a_server_that_lists_all_versions_is_asked_for_one(ask: Ask, server: RecordingServer) -> None:
    server.answer(Answer(200, [{"id": name, "name": name} for name in ("v1", "a/b", "v2")]))
    assert [version["id"] for version in ask("get_model_versions", "m", "a/b")] == ["a/b"]
    assert server.asked == [("GET", "/v1beta/models/m/versions?name=a%2Fb")]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"tags": {"a": "b"}}, {"a": "b"}),
        ({"a": "b"}, {"a": "b"}),
        ({"tags": "text"}, {"tags": "text"}),
        ({"tags": {}}, {}),
        ({"tags": None}, {}),
        ({"a": 1}, {"a": "1"}),
    ],
)
def test_tags_come_bare_or_wrapped(ask: Ask, server: RecordingServer, body: Any, expected: Any) -> None:
    server.answer(Answer(200, body))
    assert ask("get_model_tags", "m") == expected


ODD = [
    "a b",
    "a/b",
    "a?b",
    "a#b",
    "50%",
    "%2F",
    "..",
    ".",
    "...",
    "ü",
    "日本",
    "a+b",
    "a;b=c",
    "~'\"",
    "\x00\n",
    "🙂",
]


@pytest.mark.parametrize("text", ODD)
def test_odd_ids_arrive_as_sent(ask: Ask, server: RecordingServer, text: str) -> None:
    ask("set_sync_enabled", text, text, True)
    ask("delete_model_tag", text, text)
    ask("delete_monitor", text)
    raw = [path for _, path in server.asked]
    assert all(ord(char) < 128 for path in raw for char in path)
    first, second, third = (path.split("/") for path in raw)
    assert [unquote(first[3]), unquote(first[5]), first[6]] == [text, text, "datasets_sync?enabled=True"]
    assert [unquote(second[3]), unquote(second[5]), len(second)] == [text, text, 6]
    assert [unquote(third[3]), len(third)] == [text, 4]


@pytest.mark.slow
@settings(max_examples=sized(38, 150), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_any_id_round_trips_through_the_path(server: RecordingServer, text: str) -> None:
    server.answer()
    with AporiaClient(server.url, TOKEN, "prod", retries=QUICK) as client:
        client.get_dataset_sync_status(text, text, "serving")
    parts = server.recorded[0].path.split("/")
    assert [unquote(part) for part in parts[1:]] == [
        "v1beta", "models", text, "versions", text, "sync_status", "serving",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "\ud800"])
def test_an_id_that_cannot_be_sent_is_refused(ask: Ask, server: RecordingServer, text: str) -> None:
    with pytest.raises(ValidationError, match="model id"):
        ask("delete_model", text)
    with pytest.raises(ValidationError, match="model version"):
        ask("create_model_version", "m", text, SCHEMA)
    assert server.asked == []


def test_what_json_cannot_say_is_refused(ask: Ask, server: RecordingServer) -> None:
    for value in ({"x": float("nan")}, {"x": {1, 2}}, {"x": "\ud800"}):
        monitor = Monitor(name="n", type="data_drift", scheduling="0 * * * *", configuration=value)
        with pytest.raises(ValidationError, match="JSON"):
            ask("create_monitor", monitor)
    with pytest.raises(ValidationError, match=r"b: inf.*\n.*c: 'x'"):
        ask("set_feature_importance", "m", "v", {"a": 1, "b": float("inf"), "c": "x"})
    assert server.asked == []


def test_importances_of_other_libraries_are_numbers(ask: Ask, server: RecordingServer) -> None:
    import numpy as np

    ask("set_feature_importance", "m", "v", {"a": np.float32(0.5), "b": 2, "c": np.int64(3)})
    assert server.recorded[0].content == b'{"feature_importance":{"a":0.5,"b":2,"c":3.0}}'


def test_both_clients_have_every_call_of_the_protocol_with_its_parameters() -> None:
    members = inspect.getmembers(AporiaApi, inspect.isfunction)
    calls = [name for name, _ in members if name[0] != "_"]
    assert len(calls) == 30
    for client in (AporiaClient, AsyncAporiaClient):
        for name in calls:
            theirs = list(inspect.signature(getattr(AporiaApi, name)).parameters.values())[1:]
            assert list(inspect.signature(getattr(client, name)).parameters.values())[1:] == theirs
            assert getattr(client, name).__doc__
            assert inspect.iscoroutinefunction(getattr(client, name)) == (client is AsyncAporiaClient)


def test_results_of_metrics_are_typed(ask: Ask, server: RecordingServer) -> None:
    query = MetricsQuery.from_wire(
        {"model_id": "m", "metrics": [{"metric": "psi", "datasets": {"data": {}}}]}
    )
    result = {"id": "0", "model_version": "v1", "segment": None, "error": None, "value": 0.5, "noise": 0.1}
    item = {"time_range": {"start": "2024-01-01", "end": "2024-01-02"}, "metrics": [result | {"new": 1}]}
    server.answer(Answer(200, [item]))
    (found,) = ask("query_metrics", query)
    assert found.time_range == ResultRange("2024-01-01", "2024-01-02")
    assert (found.metrics[0].value, found.metrics[0].noise, found.metrics[0].status) == (0.5, 0.1, "ok")
    assert found.to_json()["metrics"][0].items() >= result.items()
    # What the protocol defines; other servers return numbers as ids, and errors and segments as objects.
    other = {"id": 0, "value": None, "error": {"detail": "no data"}, "segment": {"id": "s", "value": 1}}
    server.answer(Answer(200, [{"time_range": None, "metrics": [other]}]))
    (found,) = ask("query_metrics", query)
    assert (found.metrics[0].id, found.metrics[0].error) == ("0", '{"detail": "no data"}')
    assert found.metrics[0].segment == {"id": "s", "value": 1}
    assert (found.metrics[0].model_version, found.metrics[0].value) == (None, None)
    for body in ({}, [1], [{"time_range": None}], [item | {"metrics": [result | {"status": "good"}]}]):
        server.answer(Answer(200, body))
        with pytest.raises(AporiaError, match=r"is not a list of metric results \(.+\)"):
            ask("query_metrics", query)
