"""Every failure the server reports becomes the error that fits, whatever its body looks like."""

from __future__ import annotations

from typing import Any

import pytest

from aporia_provider.errors import (
    AporiaError,
    AuthenticationError,
    ConflictError,
    NotFoundError,
    ValidationError,
)
from tests.client.calls import (
    CALLS,
    MODEL,
    QUICK,
    VERSIONS,
    Ask,
    ask_sync,
)
from tests.recording import Answer, RecordingServer


@pytest.mark.parametrize(("method", "args", "kwargs", "verb", "path"), CALLS)
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (302, AporiaError),
        (400, ValidationError),
        (401, AuthenticationError),
        (403, AuthenticationError),
        (404, NotFoundError),
        (418, ValidationError),
        (422, ValidationError),
        (500, AporiaError),
        (501, AporiaError),
        (599, AporiaError),
    ],
)
def test_a_permanent_status_is_one_request_and_its_error(
    server: RecordingServer,
    method: str,
    args: Any,
    kwargs: Any,
    verb: str,
    path: str,
    status: int,
    expected: Any,
) -> None:
    server.answer(Answer(status, {"error": {"message": "short", "detail": "long"}}))
    with pytest.raises(AporiaError, match="short: long") as caught:
        ask_sync(server.url, method, *args, client={"retries": QUICK}, **kwargs)
    assert type(caught.value) is expected
    assert caught.value.status == status
    assert path.partition("?")[0] in str(caught.value)
    assert server.asked == [(verb, path)]


ERRORS = [
    ({"error": {"message": "m1", "detail": "d1"}}, "m1: d1"),
    ({"error": {"message": "same", "detail": "same"}}, "failed: same ("),
    ({"error": "only text"}, "only text"),
    ({"errors": [{"message": "m2", "extensions": {"verbose_message": "v2"}}]}, "m2: v2"),
    ({"errors": [{"message": "m2"}, "odd", None, 3], "error": {"message": "no"}}, "m2: odd"),
    ({"detail": "fastapi text"}, "fastapi text"),
    ({"detail": [{"loc": ["body", "name"], "msg": "field required"}]}, "\n  - body.name: field required"),
    ({"error": {"message": "bad", "problems": ["a is wrong", "b too"]}}, "\n  - a is wrong\n  - b too"),
    (
        {"error": {"message": "no\n  - a\n  - b", "detail": "no\n  - a\n  - b", "problems": ["a", "b"]}},
        "failed: no (HTTP 400 to DELETE /v1beta/models/m)\n  - a\n  - b",
    ),
    ({"message": "plain"}, "plain"),
    (b"<html><head><title>\nBad  gateway</title>", "an HTML page titled 'Bad gateway'"),
    (b"<html>", "an HTML page"),
    (b"no JSON\n at all", "no JSON at all"),
    (b"\xff\xfe\x00", "HTTP 400"),
    (b"", "the server responded 'Bad Request'"),
    ([], "the server responded 'Bad Request'"),
    (None, "the server responded 'Bad Request'"),
    ({"error": None, "errors": None, "detail": {"a": 1}}, "the server responded 'Bad Request'"),
    ({"error": {"message": 5, "detail": ["x"], "problems": {"a": 1}}}, "the server responded 'Bad Request'"),
    (b"[" * 100_000, "HTTP 400"),
    (b"[" * 900 + b"]" * 900, "HTTP 400"),
    ({"error": "?" + "password" * 100_000}, "failed: ?password"),
    ({"error": "bell \x07 and \ud800"}, "bell \ufffd and \ufffd"),
    ({"error": {"message": "x" * 100_000}}, "x" * 1000 + " ("),
]


@pytest.mark.parametrize(("body", "expected"), ERRORS)
def test_every_shape_of_error_is_understood(server: RecordingServer, body: Any, expected: str) -> None:
    server.answer(Answer(400, body))
    with pytest.raises(ValidationError) as caught:
        ask_sync(server.url, "delete_model", "m", client={})
    assert expected in str(caught.value)


def test_problems_and_differences_are_passed_on(ask: Ask, server: RecordingServer) -> None:
    server.answer(Answer(422, {"error": {"message": "no", "problems": ["p1", "p2"]}}))
    with pytest.raises(ValidationError) as invalid:
        ask("create_model", MODEL)
    assert invalid.value.problems == ["p1", "p2"]
    server.answer(Answer(409, {"error": {"message": "no", "differences": ["name: x"]}}))
    with pytest.raises(ConflictError) as conflict:
        ask("create_model", MODEL)
    assert conflict.value.differences == ["name: x"]


@pytest.mark.parametrize("body", [b"", b"<html>log in</html>", [], "text", 3, b"{broken"])
@pytest.mark.parametrize("method", ["create_model", "create_model_version", "connect_dataset"])
def test_a_success_without_an_object_is_no_success(server: RecordingServer, method: str, body: Any) -> None:
    call = {name: (args, kwargs, path) for name, args, kwargs, _, path in CALLS}[method]
    server.answer(Answer(200, body))
    with pytest.raises(AporiaError, match=call[2]) as caught:
        ask_sync(server.url, method, *call[0], client={}, **call[1])
    assert type(caught.value) is AporiaError


def test_no_content_is_a_success_where_nothing_is_read(ask: Ask, server: RecordingServer) -> None:
    server.answer(Answer(204, b""))
    ask("delete_model", "m")
    server.answer(Answer(200, b"<html>log in first</html>", content_type="text/html"))
    with pytest.raises(AporiaError, match="not JSON"):
        ask("delete_model", "m")


@pytest.mark.parametrize("body", [{"versions": {}}, {"x": []}, [1], 5, ["v1"]])
def test_a_broken_list_of_versions_is_an_error(ask: Ask, server: RecordingServer, body: Any) -> None:
    server.answer(Answer(200, body))
    with pytest.raises(AporiaError, match=f"list of versions.*{VERSIONS}"):
        ask("get_model_versions", "m")
