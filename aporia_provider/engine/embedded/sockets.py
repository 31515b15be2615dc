"""Identification of this process's connections, for a child process that accepts no others."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

from aporia_provider.engine.embedded.admission import NO, YES, Address

_DESCRIPTORS = Path("/proc/self/fd")
_IPV4_MAPPED = "::ffff:"


def confirm_connections(requests: socket.socket) -> None:
    """
    Respond to the :class:`~aporia_provider.engine.embedded.admission.ConnectionGuard` of a child process.

    Returns when the child ends.

    :param requests: The other end of its socket, which receives the requests.
    """
    # The child may end at any time.
    with suppress(OSError), requests, requests.makefile() as lines:
        for line in lines:
            host, port, own_host, own_port = line.split()
            is_own = _has_socket((host, int(port)), (own_host, int(own_port)))
            requests.sendall(YES if is_own else NO)


def _has_socket(local: Address, remote: Address) -> bool:
    """Return whether this process has a socket with the given addresses."""
    return any(_socket_addresses(int(path.name)) == (local, remote) for path in _DESCRIPTORS.iterdir())


def _socket_addresses(descriptor: int) -> tuple[Any, Any] | None:
    """Return the addresses of a descriptor's socket and of its peer; None if it has none."""
    try:
        duplicate = socket.socket(fileno=descriptor)
    except OSError:
        # The descriptor is not a socket, or was closed in the meantime.
        return None
    try:
        return _as_ipv4(duplicate.getsockname()), _as_ipv4(duplicate.getpeername())
    except OSError:
        return None
    finally:
        # Other code of this process uses the descriptor, so it must stay open.
        duplicate.detach()


def _as_ipv4(address: Any) -> Any:
    """Return an IPv4-mapped IPv6 address as an IPv4 address, and all others unchanged."""
    if isinstance(address, tuple) and str(address[0]).startswith(_IPV4_MAPPED):
        return address[0].removeprefix(_IPV4_MAPPED), address[1]
    return address
