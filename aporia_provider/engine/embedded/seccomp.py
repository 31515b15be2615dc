"""
Calls of accept(2) that the kernel hands to another thread, which answers them.

These are seccomp's user notifications. The kernel sends them for a thread that asks for it, and for the
threads that it starts, without privileges. They are part of Linux since 5.0; sandboxes may lack them.
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

# Numbers of seccomp, accept4 and accept.
_CALLS = {"x86_64": (317, 288, 43), "aarch64": (277, 242, 202)}
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_SET_MODE_FILTER = 1
_SECCOMP_FILTER_FLAG_NEW_LISTENER = 1 << 3
_RECEIVE, _SEND = 0xC0502100, 0xC0182101

# Fields of the kernel's structures: an instruction of a filter, a notification, an answer, and an address.
_INSTRUCTION = "=HBBI"
_NOTIFICATION = "=QIIiIQ6Q"
_ANSWER = "=QqiI"
_ADDRESS = "=HH4s8x"
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_NOTIFY, _ALLOW = 0x7FC00000, 0x7FFF0000


class UnsupportedError(Exception):
    """The system does not hand calls over; the message says what is missing."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


class AcceptCall(NamedTuple):
    """
    A call of accept(2) that waits for its answer.

    :param listener: Descriptor of the notifications.
    :param number: What the kernel calls it.
    :param descriptor: Descriptor of the listening socket.
    :param address: Where the caller expects the address of the peer.
    :param length: Where the caller expects the length of that address.
    """

    listener: int
    number: int
    descriptor: int
    address: int
    length: int

    def give(self, connection: socket.socket) -> None:
        """Answer with a connection of IPv4, which belongs to the caller from now on."""
        host, port = connection.getpeername()
        connection.setblocking(False)
        if self.address:
            # The caller is a thread of this process, so its memory is ours.
            written = struct.pack(_ADDRESS, socket.AF_INET, socket.htons(port), socket.inet_aton(host))
            ctypes.memmove(self.address, written, len(written))
            ctypes.memmove(self.length, struct.pack("=I", len(written)), 4)
        if self._answer(connection.fileno(), 0):
            connection.detach()

    def fail(self, error: int) -> None:
        """
        Answer with an error.

        :param error: Its number, see :mod:`errno`.
        """
        self._answer(0, error)

    def _answer(self, value: int, error: int) -> bool:
        """Answer, and say whether the caller was still there: one that was interrupted calls again."""
        answer = struct.pack(_ANSWER, self.number, value, -error, 0)
        while True:
            try:
                fcntl.ioctl(self.listener, _SEND, bytearray(answer))
            except FileNotFoundError:
                return False
            except InterruptedError:
                continue
            return True


def hand_over_accept_calls() -> int:
    """
    Have the calls of accept(2) of this thread, and of all threads that it will start, handed over.

    :return: Descriptor of the notifications, see :func:`next_call`. Once it is closed, the calls fail.
    :raises UnsupportedError: if the system cannot do so.
    """
    numbers = _CALLS.get(os.uname().machine) if sys.platform == "linux" else None
    if numbers is None:
        raise UnsupportedError(f"{sys.platform} on this processor has no user notifications of seccomp")
    library = ctypes.CDLL(None, use_errno=True)
    seccomp, *calls = numbers
    program = _filter(calls)
    buffer = ctypes.create_string_buffer(program, len(program))
    given = _Program(len(program) // struct.calcsize(_INSTRUCTION), ctypes.addressof(buffer))
    flags = _SECCOMP_FILTER_FLAG_NEW_LISTENER
    if library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        listener = library.syscall(seccomp, _SECCOMP_SET_MODE_FILTER, flags, ctypes.byref(given))
        if listener >= 0:
            return int(listener)
    raise UnsupportedError(f"seccomp's user notifications cannot be used: {os.strerror(ctypes.get_errno())}")


def next_call(listener: int) -> AcceptCall:
    """
    Wait for the next call.

    :param listener: Descriptor of the notifications.
    :raises OSError: if no thread is left whose calls are handed over.
    """
    while (notification := _next_notification(listener)) is None:
        pass
    call, *_, descriptor, address, length, _, _, _ = struct.unpack(_NOTIFICATION, notification)
    return AcceptCall(listener, call, descriptor & 0xFFFFFFFF, address, length)


def _next_notification(listener: int) -> bytearray | None:
    """Wait for a notification; None if a signal interrupted this thread, or the one that calls."""
    # The kernel takes only an empty buffer.
    buffer = bytearray(struct.calcsize(_NOTIFICATION))
    try:
        fcntl.ioctl(listener, _RECEIVE, buffer)
    except InterruptedError:
        return None
    except FileNotFoundError:
        poll = select.poll()
        poll.register(listener, 0)
        if poll.poll(0):
            # The notifications have hung up.
            raise
        return None
    return buffer


def _filter(calls: list[int]) -> bytes:
    """A program that notifies of some calls and allows all others at once."""
    last = len(calls)
    program = [(_LOAD, 0, 0, 0)]
    program += [(_JUMP_IF_EQUAL, last - place, 0, call) for place, call in enumerate(calls)]
    program += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _NOTIFY)]
    return b"".join(struct.pack(_INSTRUCTION, *instruction) for instruction in program)
