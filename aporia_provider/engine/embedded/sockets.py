"""Identification of this process's connections, for a child process that accepts no others."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

from aporia_provider.engine.embedded.admission import NO, YES, Address

_DESCRIPTORS = Path("/proc/self/fd")
_MAPPED = "::ffff:"


def answer_for_sockets(asked: socket.socket) -> None:
    """
    Respond to the :class:`~aporia_provider.engine.embedded.admission.Admission` of a child process.

    Returns when the child ends.

    :param asked: The other end of its socket.
    """
    # The child may end at any time.
    with suppress(OSError), asked, asked.makefile() as lines:
        for line in lines:
            host, port, own_host, own_port = line.split()
            ours = _has_socket((host, int(port)), (own_host, int(own_port)))
            asked.sendall(YES if ours else NO)


def _has_socket(local: Address, remote: Address) -> bool:
    """Return whether this process has a socket with the given addresses."""
    return any(_ends(int(path.name)) == (local, remote) for path in _DESCRIPTORS.iterdir())


def _ends(descriptor: int) -> tuple[Any, Any] | None:
    """Return the addresses of a descriptor's socket and of its peer; None if it has none."""
    try:
        found = socket.socket(fileno=descriptor)
    except OSError:
        # The descriptor is not a socket, or was closed in the meantime.
        return None
    try:
        return _plain(found.getsockname()), _plain(found.getpeername())
    except OSError:
        return None
    finally:
        # The descriptor has another owner.
        found.detach()


def _plain(address: Any) -> Any:
    """Return an IPv4-mapped IPv6 address as an IPv4 address, and all others unchanged."""
    if isinstance(address, tuple) and str(address[0]).startswith(_MAPPED):
        return address[0].removeprefix(_MAPPED), address[1]
    return address
