"""Which connections are of this process, for a child process that admits no others."""

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
    Answer an :class:`~aporia_provider.engine.embedded.admission.Admission` of a child process until it ends.

    :param asked: The other end of its socket.
    """
    # The child may end at any moment.
    with suppress(OSError), asked, asked.makefile() as lines:
        for line in lines:
            host, port, own_host, own_port = line.split()
            ours = _has_socket((host, int(port)), (own_host, int(own_port)))
            asked.sendall(YES if ours else NO)


def _has_socket(local: Address, remote: Address) -> bool:
    """Whether this process has a socket between two addresses."""
    return any(_ends(int(path.name)) == (local, remote) for path in _DESCRIPTORS.iterdir())


def _ends(descriptor: int) -> tuple[Any, Any] | None:
    """The addresses of a descriptor's socket and of its peer, if it has them."""
    try:
        found = socket.socket(fileno=descriptor)
    except OSError:
        # It is no socket, or has been closed meanwhile.
        return None
    try:
        return _plain(found.getsockname()), _plain(found.getpeername())
    except OSError:
        return None
    finally:
        # The descriptor belongs to somebody else.
        found.detach()


def _plain(address: Any) -> Any:
    """An address of IPv4 that a socket of IPv6 has, as one of IPv4 has it; all others as they are."""
    if isinstance(address, tuple) and str(address[0]).startswith(_MAPPED):
        return address[0].removeprefix(_MAPPED), address[1]
    return address
