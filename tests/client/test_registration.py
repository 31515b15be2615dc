"""What a registration that exists already means."""

from __future__ import annotations

from typing import Any

import pytest

from aporia_provider.errors import (
    AuthenticationError,
    ConflictError,
    ValidationError,
)
from tests.client.calls import (
    CALLS,
    CONFLICT,
    DATASET,
    MODEL,
    SCHEMA,
    TENSORS,
    VERSIONS,
    Ask,
)
from tests.recording import DROP, HANG, Answer, RecordingServer

REGISTERING = ("create_model", "create_model_version", "connect_dataset")


def test_a_created_model_says_so(ask: Ask, server: RecordingServer) -> None:
    server.answer(Answer(200, {"id": "other", "status": "created"}))
    assert ask("create_model", MODEL) == {"id": "other", "status": "created"}
    server.answer(Answer(201, {}))
    assert ask("create_model", MODEL, if_exists="fail") == {"id": "m", "status": "created"}


@pytest.mark.parametrize("answer", [CONFLICT, Answer(200, {"id": "m", "status": "unchanged"})])
def test_an_existing_model_is_unchanged_or_refused(ask: Ask, server: RecordingServer, answer: Answer) -> None:
    for if_exists in ("match", "skip"):
        server.answer(answer)
        assert ask("create_model", MODEL, if_exists=if_exists) == {"id": "m", "status": "unchanged"}
    server.answer(answer)
    with pytest.raises(ConflictError, match="exists already"):
        ask("create_model", MODEL, if_exists="fail")


@pytest.mark.parametrize("answer", [CONFLICT, Answer(200, {"id": "m", "status": "unchanged"})])
@pytest.mark.parametrize("first", [DROP, Answer(504, {})])
def test_our_own_lost_creation_is_no_conflict(
    ask: Ask, server: RecordingServer, first: Answer, answer: Answer
) -> None:
    for method, args, kwargs in (
        ("create_model", (MODEL,), {}),
        ("connect_dataset", ("m", "v", DATASET), {}),
    ):
        server.answer(first, answer)
        assert ask(method, *args, if_exists="fail", **kwargs)["status"] == "unchanged"
    server.answer(Answer(429, {}), answer)
    with pytest.raises(ConflictError):
        ask("create_model", MODEL, if_exists="fail")


@pytest.mark.parametrize("call", [each for each in CALLS if each[0] in REGISTERING], ids=lambda call: call[0])
@pytest.mark.parametrize("first", [(), (DROP,)], ids=["at once", "after a lost attempt"])
def test_differences_of_the_server_decide(ask: Ask, server: RecordingServer, call: Any, first: Any) -> None:
    method, args, kwargs, *_ = call
    differs = Answer(409, {"error": {"message": "no", "differences": ["color: 'red' is registered"]}})
    for if_exists in ("match", "fail"):
        server.answer(*first, differs)
        with pytest.raises(ConflictError) as caught:
            ask(method, *args, if_exists=if_exists, **kwargs)
        assert caught.value.differences == ["color: 'red' is registered"]
    server.answer(*first, differs)
    assert ask(method, *args, if_exists="skip", **kwargs)["status"] == "skipped"
    assert len(server.asked) == 1 + len(first)


REGISTERED = {
    "name": "v",
    "model_type": "binary",
    "version_schema": {
        "features": {"age": "numeric"},
        "predictions": {"p": "boolean"},
        "raw_inputs": None,
        "metrics": None,
        "feature_positions": {"age": 0},
    },
    "model_data_type": None,
    "labels": None,
    "feature_importance": None,
    "mapping": None,
}


def listed(**more: Any) -> Answer:
    others = {"id": "0", "name": "w", "model_type": "regression", "created_at": "t"}
    return Answer(200, [others, {"id": "id-1", "name": "v", "created_at": "t", **more}])


@pytest.mark.parametrize("first", [(), (DROP,), (HANG,), (Answer(502, {}),)])
def test_a_version_that_is_there_is_compared(ask: Ask, server: RecordingServer, first: Any) -> None:
    client = {"timeout": 2.0} if HANG in first else {}
    server.answer(*first, CONFLICT, listed(model_type="binary", registration=REGISTERED))
    same = ask("create_model_version", "m", "v", SCHEMA, client=client)
    assert same == {"id": "id-1", "status": "unchanged"}
    assert server.asked == [("POST", VERSIONS)] * (1 + len(first)) + [("GET", f"{VERSIONS}?name=v")]
    other = {**REGISTERED, "model_type": "multiclass", "labels": ["x"]}
    server.answer(*first, CONFLICT, listed(model_type="multiclass", registration=other))
    with pytest.raises(ConflictError) as caught:
        ask("create_model_version", "m", "v", SCHEMA, client=client)
    assert caught.value.differences == [
        "model_type: 'multiclass' is registered, 'binary' was given",
        "labels: ['x'] is registered, nothing was given",
    ]


def test_if_exists_decides_about_a_version(ask: Ask, server: RecordingServer) -> None:
    other = {**REGISTERED, "model_type": "multiclass"}
    server.answer(CONFLICT, listed(registration=other))
    assert ask("create_model_version", "m", "v", SCHEMA, if_exists="skip")["status"] == "skipped"
    server.answer(CONFLICT, listed(registration=REGISTERED))
    with pytest.raises(ConflictError, match="exists already"):
        ask("create_model_version", "m", "v", SCHEMA, if_exists="fail")
    server.answer(DROP, CONFLICT, listed(registration=REGISTERED))
    assert ask("create_model_version", "m", "v", SCHEMA, if_exists="fail")["status"] == "unchanged"


def test_a_server_that_shows_the_type_only_is_compared_by_it(
    ask: Ask, server: RecordingServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer(CONFLICT, listed(model_type="binary"))
    assert ask("create_model_version", "m", "v", SCHEMA) == {"id": "id-1", "status": "unchanged"}
    assert "schema was not compared" in caplog.text
    server.answer(CONFLICT, listed(model_type="ranking"))
    with pytest.raises(ConflictError, match="'ranking' is registered, 'binary' was given"):
        ask("create_model_version", "m", "v", SCHEMA)


def test_a_conflict_about_no_version_we_can_see_stays_one(ask: Ask, server: RecordingServer) -> None:
    server.answer(CONFLICT, Answer(200, []))
    with pytest.raises(ConflictError, match="it exists"):
        ask("create_model_version", "m", "v", SCHEMA, if_exists="skip")


def test_a_dataset_the_server_does_not_show_is_a_conflict(ask: Ask, server: RecordingServer) -> None:
    server.answer(CONFLICT)
    with pytest.raises(ConflictError, match="does not return the connected dataset"):
        ask("connect_dataset", "m", "v", DATASET)
    server.answer(CONFLICT)
    assert ask("connect_dataset", "m", "v", DATASET, if_exists="skip") == {
        "id": "serving",
        "status": "skipped",
    }


def test_tensors_ask_first_whether_the_server_takes_them(ask: Ask, server: RecordingServer) -> None:
    probe = ("GET", "/v1beta/capabilities/")
    server.answer(Answer(200, {"is_field_schema_supported": True}), Answer(200, {"id": "i"}))
    assert ask("create_model_version", "m", "v", TENSORS)["id"] == "i"
    assert server.asked == [probe, ("POST", VERSIONS)]
    for answer in (
        Answer(404, b"<html>"),
        Answer(200, {}),
        Answer(200, b""),
        Answer(200, {"is_field_schema_supported": 1}),
    ):
        server.answer(answer)
        with pytest.raises(ValidationError, match="e: is a tensor"):
            ask("create_model_version", "m", "v", TENSORS)
        assert server.asked == [probe]
    server.answer(Answer(401, {}))
    with pytest.raises(AuthenticationError):
        ask("create_model_version", "m", "v", TENSORS)
