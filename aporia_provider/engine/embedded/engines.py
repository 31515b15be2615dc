"""Embedded engines that several sessions use one after another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, Self

from aporia_provider.engine.embedded.process import BATCH_ROWS, EngineProcess
from aporia_provider.engine.limits import EngineLimits, EngineWatchdog, memory_use
from aporia_provider.lake.credentials import AwsCredentials


class WatchedEngine(NamedTuple):
    """
    A running engine.

    :param process: Its process.
    :param watchdog: Watchdog that determines why the engine ended.
    """

    process: EngineProcess
    watchdog: EngineWatchdog


class EmbeddedEngines:
    """
    Embedded engines that sessions use one after another, one for each set of credentials.

    Limits apply to each session. An engine that ended, or whose remaining memory use would count towards the
    limit of the next session, is replaced. All engines end with the block.

    :param preload: See :class:`~aporia_provider.engine.embedded.process.EngineProcess`.
    """

    def __init__(self, *, preload: bool = False) -> None:
        self._preload = preload
        # Credentials include the endpoint.
        self._engines: dict[AwsCredentials, EngineProcess] = {}

    def start(self, credentials: AwsCredentials, batch_rows: int = BATCH_ROWS) -> EngineProcess:
        """
        Return the engine for some credentials; start it in the background if it is not running.

        :param credentials: Credentials for S3.
        :param batch_rows: Maximum number of rows of its batches.
        """
        engine = self._engines.get(credentials)
        if engine is not None and engine.is_running and engine.batch_rows <= batch_rows:
            return engine
        self.end(credentials)
        engine = self._engines[credentials] = EngineProcess(credentials, batch_rows, preload=self._preload)
        return engine

    @contextmanager
    def watched(
        self, credentials: AwsCredentials, batch_rows: int, limits: EngineLimits
    ) -> Iterator[WatchedEngine]:
        """
        Use the engine for some credentials in the block.

        :param credentials: Credentials for S3.
        :param batch_rows: Maximum number of rows of its batches.
        :param limits: Limits of the engine in the block.
        :raises aporia_provider.errors.AporiaError: if it does not start.
        """
        engine = self.start(credentials, batch_rows)
        try:
            _ = engine.port
            watchdog = EngineWatchdog(engine.child, limits)
            try:
                yield WatchedEngine(engine, watchdog)
            finally:
                watchdog.stop()
        finally:
            if not _is_reusable(engine, limits):
                self.end(credentials)

    def close(self) -> None:
        """End all engines."""
        for credentials in list(self._engines):
            self.end(credentials)

    def end(self, credentials: AwsCredentials) -> None:
        """End the engine for some credentials, if there is one."""
        if (engine := self._engines.pop(credentials, None)) is not None:
            engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _is_reusable(engine: EngineProcess, limits: EngineLimits) -> bool:
    if not engine.is_running or "port" not in vars(engine):
        return False
    return limits.memory is None or memory_use(engine.child) <= limits.memory // 2
