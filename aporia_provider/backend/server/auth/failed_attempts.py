"""Rate limit for failed authentication attempts."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from aporia_provider.errors import TransientError

T = TypeVar("T")

MAX_FAILURES = 10
"""Number of invalid tokens from an address within :data:`WINDOW` after which it is throttled."""
WINDOW = 60.0
"""Length of the window in seconds."""
DELAY_SECONDS = 0.5
"""Delay in seconds before a token from a throttled address is checked. Tokens are checked sequentially."""
MOST_WAITING = 20
_MOST_REMEMBERED = 10_000


@dataclass
class _Address:
    wrong: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_FAILURES))
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0

    @property
    def is_slowed(self) -> bool:
        return len(self.wrong) == MAX_FAILURES and time.monotonic() - self.wrong[0] < WINDOW


class AuthenticationThrottle:
    """
    Recent invalid tokens by address.

    Previously accepted tokens are never throttled, because clients behind one gateway share its address. The
    number of entries is limited; the least recently used are discarded. Instances must be used within one
    event loop.
    """

    def __init__(self) -> None:
        self._addresses: OrderedDict[str, _Address] = OrderedDict()
        self._accepted: OrderedDict[str, None] = OrderedDict()

    @asynccontextmanager
    async def throttled(self, address: str, digest: str) -> AsyncIterator[None]:
        """
        Enter the block at once; if the address is throttled, after a delay and one request at a time.

        :param address: Address of the client.
        :param digest: Digest of the token.
        :raises aporia_provider.errors.TransientError: if :data:`MOST_WAITING` requests from the address are
            already waiting.
        """
        attempts = self._addresses.get(address)
        if attempts is None or not attempts.is_slowed or digest in self._accepted:
            yield
            return
        if attempts.waiting >= MOST_WAITING:
            raise TransientError(
                "Too many wrong tokens come from this address; try again later",
                status=429,
                retry_after=WINDOW,
            )
        attempts.waiting += 1
        try:
            async with attempts.turn:
                await asyncio.sleep(DELAY_SECONDS)
                yield
        finally:
            attempts.waiting -= 1

    def note(self, address: str, digest: str, *, accepted: bool) -> None:
        """Record whether a token was accepted."""
        if accepted:
            _touch(self._accepted, digest, None)
            return
        self._accepted.pop(digest, None)
        attempts = self._addresses.get(address) or _Address()
        attempts.wrong.append(time.monotonic())
        _touch(self._addresses, address, attempts)


def _touch(remembered: OrderedDict[str, T], key: str, value: T) -> None:
    remembered[key] = value
    remembered.move_to_end(key)
    if len(remembered) > _MOST_REMEMBERED:
        remembered.popitem(last=False)
