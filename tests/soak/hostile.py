"""Hostile HTTP requests, as bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any
from urllib.parse import quote

from tests.soak.pieces import (
    BROKEN_CHUNKS,
    CORRUPT,
    METHODS,
    NO_HTTP,
    NO_ROUTES,
    ODD_HEADERS,
    WRONG_HEADERS,
)
from tests.soak.values import NAMES, TEXTS, Schema, Values, dumped

HALF, RESET = "half-closed", "reset"
"""What the client does to the connection behind a request: it sends no more, or it drops the connection."""
CHUNKED = b"Transfer-Encoding: chunked\r\n"


@dataclass(frozen=True)
class Route:
    """A method and a path of the OpenAPI document, and the schema of the body that it takes."""

    method: str
    path: str
    schema: Schema | None


@dataclass(frozen=True)
class Request:
    """
    What a client sends at once.

    :param kind: A name to count it under.
    :param data: The bytes.
    :param then: What the client does to the connection then.
    :param due: Whether an answer has to come, and not only the end of the connection.
    :param is_head: Whether the answer has no body.
    """

    kind: str
    data: bytes
    then: str = ""
    due: bool = True
    is_head: bool = False


def routes(document: Mapping[str, Any]) -> list[Route]:
    """Those of an OpenAPI document."""
    return [
        Route(method.upper(), path, _schema(described))
        for path, methods in document["paths"].items()
        for method, described in methods.items()
    ]


def _schema(described: Mapping[str, Any]) -> Schema | None:
    content = described.get("requestBody", {}).get("content", {})
    return content["application/json"]["schema"] if content else None


def head(method: str, path: str, token: str | None, *lines: bytes) -> bytes:
    """A request up to its body."""
    known = b"" if token is None else f"Authorization: Bearer {token}\r\n".encode()
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n".encode() + known + b"".join(lines) + b"\r\n"


def whole(method: str, path: str, token: str | None, body: bytes = b"", *lines: bytes) -> bytes:
    """A request with the length of its body."""
    return head(method, path, token, b"Content-Length: %d\r\n" % len(body), *lines) + body


class Requests:
    """
    Makes requests for ever.

    :param random: Where the choices come from.
    :param known: The routes.
    :param tokens: ``full`` and ``reading`` to tokens that are accepted.
    """

    def __init__(self, random: Random, known: list[Route], tokens: Mapping[str, str]) -> None:
        self.random, self.routes, self.tokens = random, known, tokens
        self.values = Values(random)
        self._kinds: dict[Callable[[], Request], float] = {
            self._fitting: 6,
            self._changed: 12,
            self._corrupt: 12,
            self._no_route: 14,
            self._method: 10,
            self._reading: 8,
            self._without_token: 16,
            self._no_http: 9,
            self._wrong_header: 3,
            self._odd_header: 2,
            self._chunks: 1,
            self._cut_off: 5,
            self._announced: 2,
            self._large: 0.01,
        }

    def __iter__(self) -> Iterator[Request]:
        kinds, weights = list(self._kinds), list(self._kinds.values())
        while True:
            for make in self.random.choices(kinds, weights, k=1_000):
                yield make()

    def _path(self, route: Route) -> str:
        path, choose = route.path, partial(self.random.choice, NAMES)
        while "{" in path:
            before, _, rest = path.partition("{")
            name, _, after = rest.partition("}")
            kept = {"model_id": "m", "version": "v1"}.get(name)
            value = kept if kept and self.random.random() < 0.6 else choose()
            if self.random.random() < 0.1:
                value = self.random.choice(TEXTS).encode("utf-8", "replace").decode()[:2_000] or "%20"
            path = before + quote(value, safe="") + after
        if route.method == "DELETE" and path.endswith("/models/m"):
            path += "1"
        if path.endswith("datasets_sync"):
            path += "?enabled=" + quote(self.random.choice(["true", "false", "", "2", "'"]), safe="")
        return path

    def _body(self, route: Route) -> Any:
        return None if route.schema is None else self.values.fitting(route.schema)

    def _fitting(self) -> Request:
        route = self.random.choice(self.routes)
        body = b"" if route.schema is None else dumped(self._body(route))
        return Request("of a route", whole(route.method, self._path(route), self.tokens["full"], body))

    def _changed(self) -> Request:
        route = self._with_body()
        body = dumped(self.values.changed(self._body(route)))
        return Request("changed body", whole(route.method, self._path(route), self.tokens["full"], body))

    def _with_body(self) -> Route:
        return self.random.choice([route for route in self.routes if route.schema is not None])

    def _corrupt(self) -> Request:
        route, body = self._with_body(), self.random.choice(CORRUPT)
        if self.random.random() < 0.3:
            body = bytearray(dumped(self._body(route)))
            for _ in range(self.random.choice([1, 3])):
                body[self.random.randrange(len(body))] = self.random.randrange(256)
        return Request("no JSON", whole(route.method, self._path(route), self.tokens["full"], bytes(body)))

    def _no_route(self) -> Request:
        path = self.random.choice(NO_ROUTES)
        if self.random.random() < 0.3:
            text = self.random.choice(TEXTS).encode("utf-8", "replace")[:2_000]
            path = f"{self.random.choice(NO_ROUTES[:4])}/{quote(text)}?{quote(text)}={quote(text)}"
        method = self.random.choice(["GET", "POST", "DELETE"])
        return Request("no route", whole(method, path, self.tokens["full"]))

    def _method(self) -> Request:
        route, method = self.random.choice(self.routes), self.random.choice(METHODS)
        path = self._path(route)
        if method == "DELETE" and path.endswith("/models/m"):
            path += "1"
        data = whole(method, path, self.tokens["full"])
        return Request("other method", data, is_head=method == "HEAD")

    def _reading(self) -> Request:
        route = self.random.choice(self.routes)
        return Request(
            "reading token",
            whole(route.method, self._path(route), self.tokens["reading"], dumped(self._body(route))),
        )

    def _without_token(self) -> Request:
        route, lines = self.random.choice(self.routes), []
        if self.random.random() < 0.5:
            lines = [self.random.choice([b"Authorization: Basic YTpi\r\n", b"Authorization: Bearer \r\n"])]
        data = whole(route.method, self._path(route), None, dumped(self._body(route)), *lines)
        return Request("no token", data)

    def _no_http(self) -> Request:
        data = self.random.choice(NO_HTTP)
        if self.random.random() < 0.3:
            data = self.random.randbytes(self.random.choice([1, 30, 500])) + b"\r\n\r\n"
        return Request("no HTTP", data, then=HALF, due=False)

    def _wrong_header(self) -> Request:
        route, line = self.random.choice(self.routes), self.random.choice(WRONG_HEADERS)
        data = head(route.method, self._path(route), self.tokens["full"], line)
        return Request("wrong header", data, then=HALF, due=False)

    def _odd_header(self) -> Request:
        route, line = self.random.choice(self.routes), self.random.choice(ODD_HEADERS)
        data = whole(route.method, self._path(route), self.tokens["full"], dumped(self._body(route)), line)
        return Request("odd header", data)

    def _chunks(self) -> Request:
        route = self._with_body()
        begun = head(route.method, self._path(route), self.tokens["full"], CHUNKED)
        if self.random.random() < 0.5:
            return Request("broken chunks", begun + self.random.choice(BROKEN_CHUNKS), then=HALF, due=False)
        body, size = dumped(self._body(route)), self.random.choice([1, 7, 4_096])
        # Too many small ones are refused while they are being sent.
        return Request("small chunks", begun + chunked(body, size), due=size > 64 or len(body) < 900 * size)

    def _cut_off(self) -> Request:
        route = self.random.choice(self.routes)
        data = whole(route.method, self._path(route), self.tokens["full"], dumped(self._body(route)))
        cut = data[: self.random.randrange(1, len(data) + 1)]
        return Request("cut off", cut, then=self.random.choice([HALF, RESET]), due=False)

    def _announced(self) -> Request:
        """Says that its body is too large, and sends none."""
        size = self.random.choice([2**26 + 1, 2**31, 2**63, 2**64])
        line = b"Content-Length: %d\r\n" % size
        data = head("POST", "/v1beta/models", self.tokens["full"], line)
        return Request("large body announced", data, then=HALF, due=False)

    def _large(self) -> Request:
        route = self._with_body()
        body = self.random.choice([b"[]," * 1_000_000, b"a" * 9_000_000, b'{"a": "' + b"\\u0000" * 500_000])
        data = head(route.method, self._path(route), self.tokens["full"], CHUNKED) + chunked(body, 60_000)
        return Request("large body", data, then=HALF, due=False)


def chunked(body: bytes, size: int) -> bytes:
    """A body in chunks of a size."""
    parts = (body[start : start + size] for start in range(0, len(body), size))
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
