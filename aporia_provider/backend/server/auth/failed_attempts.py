"""Limits how fast an address can try wrong tokens."""

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

MOST_WRONG = 10
"""Wrong tokens of an address within :data:`WINDOW` after which it is slowed down."""
WINDOW = 60.0
"""Seconds."""
PAUSE = 0.5
"""Seconds that the look-up of a token takes at an address that is slowed down, one token after the other."""
MOST_WAITING = 20
_MOST_REMEMBERED = 10_000


@dataclass
class _Address:
    wrong: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_WRONG))
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0

    @property
    def is_slowed(self) -> bool:
        return len(self.wrong) == MOST_WRONG and time.monotonic() - self.wrong[0] < WINDOW


class Attempts:
    """
    The wrong tokens that addresses have sent of late.

    Tokens that were accepted before are never slowed down, since clients behind one gateway share its
    address. Of what is remembered, what was used longest ago is forgotten first. Used within one event loop.
    """

    def __init__(self) -> None:
        self._addresses: OrderedDict[str, _Address] = OrderedDict()
        self._accepted: OrderedDict[str, None] = OrderedDict()

    @asynccontextmanager
    async def paced(self, address: str, digest: str) -> AsyncIterator[None]:
        """
        Enter the block at once, or in turn if the address is slowed down.

        :param address: The address of the client.
        :param digest: Digest of the token that it sends.
        :raises aporia_provider.errors.TransientError: if :data:`MOST_WAITING` requests wait already.
        """
        known = self._addresses.get(address)
        if known is None or not known.is_slowed or digest in self._accepted:
            yield
            return
        if known.waiting >= MOST_WAITING:
            raise TransientError(
                "Too many wrong tokens come from this address; try again later",
                status=429,
                retry_after=WINDOW,
            )
        known.waiting += 1
        try:
            async with known.turn:
                await asyncio.sleep(PAUSE)
                yield
        finally:
            known.waiting -= 1

    def note(self, address: str, digest: str, *, accepted: bool) -> None:
        """Remember what a token turned out to be."""
        if accepted:
            _touch(self._accepted, digest, None)
            return
        self._accepted.pop(digest, None)
        known = self._addresses.get(address) or _Address()
        known.wrong.append(time.monotonic())
        _touch(self._addresses, address, known)


def _touch(remembered: OrderedDict[str, T], key: str, value: T) -> None:
    remembered[key] = value
    remembered.move_to_end(key)
    if len(remembered) > _MOST_REMEMBERED:
        remembered.popitem(last=False)
