"""
Interception of accept(2) calls by another thread, with seccomp user notifications.

The kernel sends notifications for a thread that requests it and for the threads it starts; no privileges are
needed. Linux supports this since version 5.0; sandboxes may not.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import socket
import struct
import sys
from typing import NamedTuple

# Numbers of the system calls seccomp, accept4 and accept.
_CALL_NUMBERS = {"x86_64": (317, 288, 43), "aarch64": (277, 242, 202)}
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_SET_MODE_FILTER = 1
_SECCOMP_FILTER_FLAG_NEW_LISTENER = 1 << 3
_RECEIVE, _SEND = 0xC0502100, 0xC0182101

# Layouts of the kernel's structures: filter instruction, notification, response and address.
_INSTRUCTION = "=HBBI"
_NOTIFICATION = "=QIIiIQ6Q"
_RESPONSE = "=QqiI"
_ADDRESS = "=HH4s8x"
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_NOTIFY, _ALLOW = 0x7FC00000, 0x7FFF0000


class UnsupportedError(Exception):
    """Error of a system that cannot intercept calls. The message names the missing feature."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


class AcceptCall(NamedTuple):
    """
    An accept(2) call that waits for its result.

    :param listener: Descriptor of the notifications.
    :param number: The kernel's id of the call.
    :param descriptor: Descriptor of the listening socket.
    :param address: Memory address at which the caller expects the address of the peer.
    :param length: Memory address at which the caller expects the length of that address.
    """

    listener: int
    number: int
    descriptor: int
    address: int
    length: int

    def return_connection(self, connection: socket.socket) -> None:
        """Return an IPv4 connection from the call. The caller owns it from then on."""
        host, port = connection.getpeername()
        connection.setblocking(False)
        if self.address:
            # The calling thread belongs to this process, so its result can be written to memory directly.
            packed_address = struct.pack(_ADDRESS, socket.AF_INET, socket.htons(port), socket.inet_aton(host))
            ctypes.memmove(self.address, packed_address, len(packed_address))
            ctypes.memmove(self.length, struct.pack("=I", len(packed_address)), 4)
        if self._respond(connection.fileno(), 0):
            connection.detach()

    def return_error(self, error: int) -> None:
        """
        Return an error from the call.

        :param error: Error number, see :mod:`errno`.
        """
        self._respond(0, error)

    def _respond(self, value: int, error: int) -> bool:
        """Respond to the call; return False if it was interrupted, in which case the caller repeats it."""
        response = struct.pack(_RESPONSE, self.number, value, -error, 0)
        while True:
            try:
                fcntl.ioctl(self.listener, _SEND, bytearray(response))
            except FileNotFoundError:
                return False
            except InterruptedError:
                continue
            return True


def intercept_accept_calls() -> int:
    """
    Intercept the accept(2) calls of this thread, and of all threads that it starts from now on.

    :return: Descriptor of the notifications, see :func:`next_call`. Once it is closed, the calls fail.
    :raises UnsupportedError: if the system does not support it.
    """
    numbers = _CALL_NUMBERS.get(os.uname().machine) if sys.platform == "linux" else None
    if numbers is None:
        raise UnsupportedError(
            f"{sys.platform} on this processor does not support seccomp user notifications"
        )
    library = ctypes.CDLL(None, use_errno=True)
    seccomp, *calls = numbers
    program = _filter(calls)
    buffer = ctypes.create_string_buffer(program, len(program))
    filter_program = _Program(len(program) // struct.calcsize(_INSTRUCTION), ctypes.addressof(buffer))
    flags = _SECCOMP_FILTER_FLAG_NEW_LISTENER
    if library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        listener = library.syscall(seccomp, _SECCOMP_SET_MODE_FILTER, flags, ctypes.byref(filter_program))
        if listener >= 0:
            return int(listener)
    raise UnsupportedError(f"seccomp user notifications cannot be used: {os.strerror(ctypes.get_errno())}")


def next_call(listener: int) -> AcceptCall:
    """
    Wait for the next call and return it.

    :param listener: Descriptor of the notifications.
    :raises OSError: if no thread is left whose calls are intercepted.
    """
    while (notification := _next_notification(listener)) is None:
        pass
    call, *_, descriptor, address, length, _, _, _ = struct.unpack(_NOTIFICATION, notification)
    return AcceptCall(listener, call, descriptor & 0xFFFFFFFF, address, length)


def _next_notification(listener: int) -> bytearray | None:
    """Wait for a notification; return None if a signal interrupted this thread or the caller."""
    # The kernel requires a zeroed buffer.
    buffer = bytearray(struct.calcsize(_NOTIFICATION))
    try:
        fcntl.ioctl(listener, _RECEIVE, buffer)
    except InterruptedError:
        return None
    except FileNotFoundError:
        poll = select.poll()
        poll.register(listener, 0)
        if poll.poll(0):
            # POLLHUP: no thread with the filter is left.
            raise
        return None
    return buffer


def _filter(calls: list[int]) -> bytes:
    """Return a filter program that sends notifications of the given calls and allows all others."""
    call_count = len(calls)
    program = [(_LOAD, 0, 0, 0)]
    program += [(_JUMP_IF_EQUAL, call_count - index, 0, call) for index, call in enumerate(calls)]
    program += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _NOTIFY)]
    return b"".join(struct.pack(_INSTRUCTION, *instruction) for instruction in program)
