"""A Spark Connect server on loopback that refuses every call, and remembers what was sent to it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc


@dataclass
class Refusing:
    """
    A running server.

    :param port: Its port on ``localhost``.
    :param headers: Those of every call.
    """

    port: int
    headers: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def refusing(
    code: str = "UNAUTHENTICATED", reason: str = "Invalid authentication token"
) -> Iterator[Refusing]:
    """
    Run a server until the block ends.

    :param code: Name of the gRPC status that it answers with.
    :param reason: What it gives as the reason.
    """
    running = Refusing(0)

    class Handler(grpc.GenericRpcHandler):
        def service(self, call: Any) -> Any:
            running.headers.append(dict(call.invocation_metadata))

            def refuse(request: bytes, context: Any) -> None:
                context.abort(grpc.StatusCode[code], reason)

            return grpc.unary_unary_rpc_method_handler(refuse)

    server = grpc.server(ThreadPoolExecutor(1), handlers=[Handler()])
    running.port = server.add_insecure_port("localhost:0")
    server.start()
    try:
        yield running
    finally:
        server.stop(None).wait()
