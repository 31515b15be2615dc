"""
A proxy in front of the S3 server that adds what moto leaves out of IAM.

Two rules of Amazon's that moto does not follow: a condition on ``s3:prefix`` decides whether a list request
is allowed, and a missing object is answered 403 unless the caller may list with the object's own key as the
prefix (https://github.com/ceph/ceph/pull/68577 describes the second). Both depend on the policy alone, which
is evaluated here independently of the code under test.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.lake.forwarding import forward

DENIED = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"


@dataclass(frozen=True)
class Request:
    """One request as the client sent it; ``prefix`` is ``None`` unless it lists."""

    method: str
    bucket: str
    key: str
    prefix: str | None


@dataclass
class StrictS3:
    """The proxy's address, the policy it enforces (none: it only records), and what it saw."""

    endpoint: str
    policy: dict[str, Any] | None = None
    requests: list[Request] = field(default_factory=list)
    denied: list[Request] = field(default_factory=list)

    def seen_keys(self) -> set[str]:
        return {request.key for request in self.requests if request.key}


def matches(pattern: str, value: str) -> bool:
    """IAM's string matching: ``*`` and ``?`` are wild, ``${*}``, ``${?}`` and ``${$}`` are not."""
    parts = re.split(r"(\$\{[*?$]\}|[*?])", pattern)
    wild = {"*": ".*", "?": "."}
    escaped = [wild.get(part, re.escape(part[2] if part.startswith("${") else part)) for part in parts]
    return re.fullmatch("".join(escaped), value, re.DOTALL) is not None


def may_list(policy: dict[str, Any], bucket: str, prefix: str | None) -> bool:
    for statement in policy["Statement"]:
        if "s3:ListBucket" not in _list(statement["Action"]) or statement["Effect"] != "Allow":
            continue
        if not any(matches(arn.partition(":::")[2], bucket) for arn in _list(statement["Resource"])):
            continue
        condition = statement.get("Condition")
        if condition is None:
            return True
        assert set(condition) == {"StringLike"}
        assert set(condition["StringLike"]) == {"s3:prefix"}
        patterns = _list(condition["StringLike"]["s3:prefix"])
        if prefix is not None and any(matches(pattern, prefix) for pattern in patterns):
            return True
    return False


def may_get(policy: dict[str, Any], bucket: str, key: str) -> bool:
    return any(
        statement["Effect"] == "Allow"
        and "s3:GetObject" in _list(statement["Action"])
        and any(matches(arn.partition(":::")[2], f"{bucket}/{key}") for arn in _list(statement["Resource"]))
        for statement in policy["Statement"]
    )


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else value


@contextmanager
def strict_s3(upstream: str, policy: dict[str, Any] | None = None) -> Iterator[StrictS3]:
    """Serve ``upstream`` under the rules of ``policy`` until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    proxy = StrictS3(f"http://127.0.0.1:{server.server_address[1]}", policy)
    server.proxy, server.upstream = proxy, urlsplit(upstream).netloc  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        proxy: StrictS3 = self.server.proxy  # type: ignore[attr-defined]
        request = self._request()
        proxy.requests.append(request)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if request.prefix is not None and proxy.policy is not None:
            prefix = request.prefix or None
            if not may_list(proxy.policy, request.bucket, prefix):
                return self._deny(proxy, request)
        status, headers, content = forward(self, body)
        missing = status == 404 and request.key and b"NoSuchBucket" not in content
        if missing and proxy.policy and not may_list(proxy.policy, request.bucket, request.key):
            return self._deny(proxy, request)
        self._answer(status, headers, content)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815

    def _request(self) -> Request:
        url = urlsplit(self.path)
        bucket, _, key = unquote(url.path).lstrip("/").partition("/")
        query = parse_qs(url.query, keep_blank_values=True)
        lists = self.command == "GET" and not key and "list-type" in query
        return Request(self.command, bucket, key, query.get("prefix", [""])[0] if lists else None)

    def _deny(self, proxy: StrictS3, request: Request) -> None:
        proxy.denied.append(request)
        self._answer(403, [("Content-Length", str(len(DENIED)))], DENIED)

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("connection", "transfer-encoding"):
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output quiet."""
