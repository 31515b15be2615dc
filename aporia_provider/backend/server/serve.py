"""Entry point that runs the server in the current process."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, cast

import uvicorn

from aporia_provider.backend.server.allocation import configure_malloc
from aporia_provider.backend.server.app import REQUEST_SECONDS, create_app
from aporia_provider.backend.server.auth.token_files import TokenFile
from aporia_provider.backend.server.auth.tokens import list_tokens
from aporia_provider.backend.server.connections import LimitedConfig, LimitedProtocol
from aporia_provider.backend.server.page_mount import PAGE_PATH
from aporia_provider.backend.store.database import Database
from aporia_provider.errors import AporiaError

_LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {
        "aporia_provider": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        "uvicorn": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
    },
}


_GRACEFUL_SECONDS = 1
"""Time in seconds for requests to complete after SIGTERM."""
_LAST_SECONDS = 1.6
"""Time in seconds after which the process exits unconditionally."""
_TICKS_PER_SECOND = 10


class _Server(uvicorn.Server):
    """
    Server that closes the connections of slow clients, and exits within two seconds of a signal.

    :param config: Configuration of the server.
    :param stopping: Event that is set when a signal arrives.
    :param page_path: Path of the web page; None if it is not served.
    """

    def __init__(
        self, config: LimitedConfig, stopping: threading.Event, page_path: str | None = None
    ) -> None:
        super().__init__(config)
        self._stopping, self._page_path = stopping, page_path

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Abort the responses in progress, and start a timer that ends the process."""
        if not self._stopping.is_set():
            self._stopping.set()
            last = threading.Timer(_LAST_SECONDS, _end)
            last.daemon = True
            last.start()
        super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Close the connections of slow clients once a second."""
        if counter % _TICKS_PER_SECOND == 0:
            connections = cast("set[LimitedProtocol]", self.server_state.connections)
            for connection in list(connections):
                connection.close_if_slow(connection.loop.time())
        return await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():
            host, port = listener.getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            if self._page_path is not None:
                _tell(f"The page is http://{shown}:{port}{self._page_path}/; sign in with a token")
            _tell(f"Serving on http://{shown}:{port}")


def serve(
    database: Database,
    *,
    host: str,
    port: int,
    token_file: Path | None = None,
    allowed_local_folders: Sequence[str] = (),
    request_seconds: float = REQUEST_SECONDS,
    page: bool = False,
    page_reads_logs: bool = False,
) -> None:
    """
    Run the server until SIGTERM or SIGINT.

    :param port: TCP port; with 0 the system chooses a free port, which the startup message shows.
    :param request_seconds: Time limit of a response in seconds.
    :param page: Whether to serve the web page.
    :param page_reads_logs: Whether the page reads Delta logs on S3 with the credentials of this process.
    :raises aporia_provider.errors.AporiaError: if the port is not available or the token file is not valid.
    """
    configure_malloc()
    tokens = TokenFile(token_file) if token_file else None
    _warn_without_tokens(database, tokens)
    stopping = threading.Event()
    app = create_app(
        database,
        token_file=tokens,
        allowed_local_folders=allowed_local_folders,
        seconds=request_seconds,
        page=page,
        page_reads_logs=page_reads_logs,
        stopping=stopping,
    )
    # The middleware writes the access log: uvicorn's would include query strings, which may contain tokens.
    config = LimitedConfig(
        app,
        log_config=_LOGGING,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACEFUL_SECONDS,
    )
    listener = _listen(host, port)
    for number in (signal.SIGTERM, signal.SIGINT):
        # Uvicorn shuts down gracefully, and then raises the signal again for the previous handler.
        signal.signal(number, lambda *_: None)
    _Server(config, stopping, PAGE_PATH if page else None).run(sockets=[listener])


def _end() -> None:
    """End the process, including threads that wait for the database and cannot be interrupted otherwise."""
    _tell("aporia-provider: stopped before all requests were complete")
    os._exit(0)


def _warn_without_tokens(database: Database, file: TokenFile | None) -> None:
    if not (file and file.permissions()) and not list_tokens(database):
        _tell(
            "aporia-provider: there is no token yet, so no request is accepted. Create one: "
            "aporia-provider token create --environment ENVIRONMENT --name NAME"
        )


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise AporiaError(f"Cannot listen on {host}:{port}: {reason}") from None
    return listener
