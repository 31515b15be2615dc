"""Which environment a client works in: what a server of ours tells, and what another one does not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aporia_provider.api import PRODUCT
from aporia_provider.client import AporiaClient, AsyncAporiaClient
from aporia_provider.errors import AporiaError, AuthenticationError, TransientError
from tests.client.calls import DATASET, QUICK, TOKEN, VERSIONS
from tests.recording import NOT_THERE, Answer, RecordingServer

OURS = Answer(200, {"environment": "prod", "product": PRODUCT, "version": "9.9"})
HTML = Answer(200, b"<html><title>Welcome</title></html>", content_type="text/html")
DENIED = Answer(401, {"error": {"message": "wrong token", "detail": "wrong token"}})
ANOTHER = (NOT_THERE, HTML, Answer(200, {}), Answer(403, b"<html>"), Answer(405, {}), Answer(501, b"no"))
Named = dict[str, Any]


class Client:
    """Either client, of which several calls are made."""

    def __init__(self, server: RecordingServer, *, is_async: bool) -> None:
        self.server = server
        self.is_async = is_async

    def make(self, named: str | None, *calls: tuple[str, Any, Any], default: str = "default") -> list[Any]:
        arguments = (self.server.url, TOKEN, named)
        if not self.is_async:
            with AporiaClient(*arguments, default_environment=default, retries=QUICK) as client:
                made = [getattr(client, name)(*args, **kwargs) for name, args, kwargs in calls]
                return [*made, client.environment]
        return asyncio.run(self._awaited(arguments, calls, default))

    async def _awaited(self, arguments: Any, calls: Any, default: str) -> list[Any]:
        async with AsyncAporiaClient(*arguments, default_environment=default, retries=QUICK) as client:
            # All at once: the first of them asks, and the others wait for it.
            made = await asyncio.gather(
                *(getattr(client, name)(*args, **kwargs) for name, args, kwargs in calls)
            )
            return [*made, client.environment]


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def client(request: pytest.FixtureRequest, server: RecordingServer) -> Client:
    return Client(server, is_async=request.param)


CONNECTING = ("connect_dataset", ("m", "v", DATASET), {})


def test_a_wrong_token_is_refused_by_the_first_call_whichever_it_is(client: Client) -> None:
    client.server.answer(DENIED)
    client.server.environment = DENIED
    with pytest.raises(AuthenticationError, match="wrong token"):
        client.make(None, CONNECTING)


@pytest.mark.parametrize("named", [None, "prod"])
def test_the_environment_of_the_token_is_asked_for_once_and_sent(client: Client, named: str | None) -> None:
    client.server.environment = OURS
    assert client.make(named, CONNECTING, CONNECTING, CONNECTING)[-1] == "prod"
    assert len(client.server.asked_environment) == 1
    assert client.server.asked_environment[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert [request.body["sync"]["environment"] for request in client.server.recorded] == ["prod"] * 3


def test_another_environment_than_that_of_the_token_fails_before_anything_is_sent(client: Client) -> None:
    client.server.environment = OURS
    with pytest.raises(AuthenticationError) as failure:
        client.make("default", CONNECTING)
    for part in ("'default'", "'prod'", client.server.url, "leave it empty", "a token for 'default'"):
        assert part in failure.value.message
    assert client.server.asked == []


def test_every_call_of_the_same_client_fails(server: RecordingServer) -> None:
    server.environment = OURS
    with AporiaClient(server.url, TOKEN, "default") as client:
        for _ in range(2):
            with pytest.raises(AuthenticationError):
                client.delete_model("m")
        with pytest.raises(AuthenticationError):
            _ = client.environment
    assert (len(server.asked_environment), server.asked) == (1, [])


@pytest.mark.parametrize("answer", ANOTHER, ids=lambda answer: f"{answer.status} {answer.content_type}")
@pytest.mark.parametrize(("named", "used"), [("stage", "stage"), (None, "configured")])
def test_the_environment_of_another_server_is_what_the_caller_says(
    client: Client, answer: Answer, named: str | None, used: str
) -> None:
    client.server.environment = answer
    assert client.make(named, CONNECTING, default="configured")[-1] == used
    assert client.server.recorded[0].body["sync"]["environment"] == used
    assert len(client.server.asked_environment) == 1


def test_a_server_that_fails_to_tell_is_not_written_to(client: Client) -> None:
    client.server.environment = Answer(500, {"error": {"message": "The server failed"}})
    with pytest.raises(AporiaError, match="Getting the environment of the token failed: The server failed"):
        client.make(None, CONNECTING)
    client.server.environment = Answer(503, {})
    with pytest.raises(TransientError, match="Getting the environment"):
        client.make(None, CONNECTING)
    assert client.server.asked == []


def test_a_token_that_is_refused_is_told_by_the_call(client: Client) -> None:
    client.server.environment = DENIED
    client.server.script[:] = [DENIED]
    with pytest.raises(AuthenticationError, match=r"Connecting dataset serving.*wrong token"):
        client.make("prod", CONNECTING)
    assert client.server.asked == [("POST", f"{VERSIONS}/v/datasets")]


async def test_the_async_client_knows_no_environment_before_it_was_asked(server: RecordingServer) -> None:
    server.environment = OURS
    async with AsyncAporiaClient(server.url, TOKEN) as client:
        with pytest.raises(AporiaError, match=r"resolve_environment\(\)"):
            _ = client.environment
        assert await client.resolve_environment() == "prod" == client.environment


def identify(client: Client, named: str | None, *script: Answer) -> str:
    client.server.script[:] = script
    return str(client.make(named, ("identify_server", (), {}))[0])


CAPABLE = Answer(200, {"is_field_schema_supported": False})
LISTED = Answer(200, {"environments": [{"id": "1", "name": "stage"}, {"id": "2", "name": "live"}]})


class TestIdentity:
    def test_our_server(self, client: Client) -> None:
        client.server.environment = OURS
        description = identify(client, None)
        assert description == f"{PRODUCT} 9.9, environment 'prod', which the token is for"
        assert client.server.asked == []

    def test_another_server_of_the_protocol(self, client: Client) -> None:
        description = identify(client, "stage", CAPABLE, NOT_THERE, NOT_THERE)
        assert description == (
            "a server of the protocol, environment 'stage', set in the connection; this server does not "
            "report the environment of the token"
        )
        assert [path for _, path in client.server.asked] == [
            "/v1beta/capabilities/",
            "/v1beta/environments",
            "/v1beta/models/connection-test/tags",
        ]

    def test_another_server_that_lists_its_environments(self, client: Client) -> None:
        assert "lists" not in identify(client, "live", NOT_THERE, LISTED, NOT_THERE)
        description = identify(client, None, NOT_THERE, LISTED, NOT_THERE)
        assert "environment 'default', by default, since the connection sets none" in description
        assert description.endswith("'default' is not among the environments it lists: stage, live")

    @pytest.mark.parametrize(
        "script",
        [(DENIED,) * 3, (CAPABLE, NOT_THERE, DENIED), (NOT_THERE, DENIED)],
        ids=["everywhere", "tags only", "environments only"],
    )
    def test_a_token_that_is_refused(self, client: Client, script: tuple[Answer, ...]) -> None:
        client.server.environment = DENIED
        with pytest.raises(AuthenticationError, match="wrong token"):
            identify(client, None, *script)

    @pytest.mark.parametrize(
        ("answer", "shown"),
        [
            (HTML, "HTTP 200 and an HTML page titled 'Welcome'"),
            (Answer(403, b'<?xml version="1.0"?><Error/>'), "HTTP 403 and an XML document"),
            (Answer(200, {}), "HTTP 200 and JSON of another form"),
            (Answer(404, b""), "HTTP 404 and no body"),
            (Answer(200, b"hello"), "HTTP 200 and plain text"),
        ],
    )
    def test_a_server_of_something_else(self, client: Client, answer: Answer, shown: str) -> None:
        client.server.environment = answer
        with pytest.raises(AporiaError, match="is not a protocol server") as failure:
            identify(client, None, answer, answer)
        assert f"to GET /v1beta/capabilities/ with {shown}. Check host and port" in failure.value.message
