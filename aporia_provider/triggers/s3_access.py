"""Clients for S3 that the triggers of a process share, and the threads in which they are used."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

from aporia_provider.errors import AuthenticationError
from aporia_provider.hooks.delta_lake import DeltaLakeHook
from aporia_provider.lake.credentials import AwsCredentials

T = TypeVar("T")

THREADS: Final = 4
"""Number of concurrent requests with one connection."""
REFRESH_SECONDS: Final = 300.0
"""Time in seconds after which credentials are fetched again, since credentials of an assumed role expire."""
_REPEATED_AFTER_SECONDS = 5.0
_REQUEST_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class _Client:
    credentials: AwsCredentials
    client: Any
    fetched_at: float

    @property
    def age(self) -> float:
        return time.monotonic() - self.fetched_at


class S3Access:
    """
    Access to S3 with one Airflow connection.

    Each connection has its own threads, so that an endpoint that does not respond delays only its own tables.

    :param aws_conn_id: The connection, see :class:`~aporia_provider.hooks.delta_lake.DeltaLakeHook`.
    """

    def __init__(self, aws_conn_id: str | None) -> None:
        self._aws_conn_id = aws_conn_id
        self._lock = asyncio.Lock()
        self._client: _Client | None = None
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix=f"delta-{aws_conn_id}")

    async def call(self, function: Callable[..., T], uri: str, *args: Any) -> T:
        """
        Call a function that reads a table, in a thread.

        If the credentials are rejected, they are fetched again, and the call is repeated once.

        :param function: Function with the parameters ``uri``, ``*args``, ``credentials`` and ``client``.
        :param uri: The table.
        :raises aporia_provider.errors.AporiaError: if the function does, or there are no credentials.
        """
        if not uri.startswith("s3://"):
            return await self._in_thread(function, uri, *args)
        used = await self._current(REFRESH_SECONDS)
        try:
            return await self._in_thread(
                function, uri, *args, credentials=used.credentials, client=used.client
            )
        except AuthenticationError:
            if used.age < _REPEATED_AFTER_SECONDS:
                raise
        used = await self._current(_REPEATED_AFTER_SECONDS)
        return await self._in_thread(function, uri, *args, credentials=used.credentials, client=used.client)

    async def _current(self, max_age: float) -> _Client:
        async with self._lock:
            if self._client is None or self._client.age > max_age:
                self._client = await self._fetched(self._client)
            return self._client

    async def _fetched(self, earlier: _Client | None) -> _Client:
        # The connection is looked up in the event loop: in a thread, this could deadlock the triggerer.
        fetched = await DeltaLakeHook(self._aws_conn_id).get_credentials_async()
        credentials = replace(fetched, request_timeout=_REQUEST_TIMEOUT_SECONDS)
        if earlier is not None and earlier.credentials == credentials:
            return replace(earlier, fetched_at=time.monotonic())
        client = await self._in_thread(credentials.client, connections=THREADS)
        return _Client(credentials, client, time.monotonic())

    async def _in_thread(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, partial(function, *args, **kwargs)
        )


_BY_LOOP: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str | None, S3Access]] = WeakKeyDictionary()


def s3_access(aws_conn_id: str | None) -> S3Access:
    """Return the access of a connection, which all triggers in the running event loop share."""
    by_connection = _BY_LOOP.setdefault(asyncio.get_running_loop(), {})
    if aws_conn_id not in by_connection:
        by_connection[aws_conn_id] = S3Access(aws_conn_id)
    return by_connection[aws_conn_id]
