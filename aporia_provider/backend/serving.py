"""Runs the server in this process until it is told to end."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvicorn

from aporia_provider.backend.database import Database
from aporia_provider.backend.server import create_app
from aporia_provider.backend.token_files import TokenFile
from aporia_provider.backend.tokens import list_tokens
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


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():
            host, port = listener.getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            _tell(f"Serving on http://{shown}:{port}")


def serve(
    database: Database,
    *,
    host: str,
    port: int,
    token_file: Path | None = None,
    allowed_local_folders: Sequence[str] = (),
) -> None:
    """
    Serve until SIGTERM or SIGINT.

    :param port: 0 lets the system choose; the line that says the server is ready tells which.
    :raises aporia_provider.errors.AporiaError: if the port cannot be had or the token file is not valid.
    """
    tokens = TokenFile(token_file) if token_file else None
    _warn_without_tokens(database, tokens)
    app = create_app(database, token_file=tokens, allowed_local_folders=allowed_local_folders)
    # Access lines are the gate's: uvicorn's would show queries, where somebody may have put a token.
    config = uvicorn.Config(app, log_config=_LOGGING, access_log=False, server_header=False)
    listener = _listen(host, port)
    for number in (signal.SIGTERM, signal.SIGINT):
        # Uvicorn ends gracefully and then raises the signal again for the handler that was there before.
        signal.signal(number, lambda *_: None)
    _Server(config).run(sockets=[listener])


def _warn_without_tokens(database: Database, file: TokenFile | None) -> None:
    if not (file and file.grants()) and not list_tokens(database):
        _tell(
            "aporia-provider: there is no token yet, so nobody can call. Make one: "
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
