"""Airflow's own runner of triggers in this process, with a metadata database that is a few dicts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from airflow.sdk.exceptions import ErrorType
from airflow.sdk.execution_time import comms, task_runner

WATCHES = hasattr(comms, "GetAssetStateStoreByName")
"""Whether this Airflow has state stores of assets and shared streams."""


@dataclass
class Metadata:
    """
    What outlives a triggerer.

    :param watched: Assets by the id of their trigger, each with its trigger.
    :param events: Payloads of the events of each trigger that were stored.
    :param states: Values in the state stores of assets, by the name of the asset and the key.
    :param also_watched: Names and URIs of assets that share each trigger.
    """

    watched: dict[int, tuple[Any, Any]] = field(default_factory=dict)
    events: dict[int, list[Any]] = field(default_factory=dict)
    states: dict[tuple[str, str], Any] = field(default_factory=dict)
    also_watched: dict[str, str] = field(default_factory=dict)

    def watch(self, asset: Any) -> int:
        """Add the watcher of an asset; the id of its trigger."""
        (watcher,) = asset.watchers
        self.watched[len(self.watched) + 1] = asset, watcher.trigger
        return len(self.watched)


@dataclass
class Supervisor:
    """The other end of the runner's connection."""

    metadata: Metadata
    unconfirmed: list[int] = field(default_factory=list)

    async def asend(self, message: Any) -> Any:
        return self.send(message)

    def send(self, message: Any) -> Any:
        kind = type(message).__name__
        if kind == "TriggerStateChanges":
            return self._synced(message)
        if kind == "SetAssetStateStoreByName":
            self.metadata.states[message.name, message.key] = message.value
            return None
        if kind == "GetAssetStateStoreByName":
            value = self.metadata.states.get((message.name, message.key))
            if value is None:
                return comms.ErrorResponse(error=ErrorType.ASSET_STORE_NOT_FOUND)
            return comms.AssetStateStoreResult(value=value)
        if kind == "GetConnection":
            return comms.ErrorResponse(error=ErrorType.CONNECTION_NOT_FOUND)
        raise NotImplementedError(kind)

    def _synced(self, message: Any) -> Any:
        from airflow.jobs.triggerer_job_runner import messages

        confirmed, self.unconfirmed = self.unconfirmed, []
        for entry in message.events or ():
            self.metadata.events.setdefault(entry.trigger_id, []).append(entry.event.payload)
            if entry.persist_seq is not None:
                self.unconfirmed.append(entry.persist_seq)
        return messages.TriggerStateSync(to_create=[], to_cancel=set(), events_persisted=confirmed or None)


class Triggerer:
    """
    A triggerer.

    :param metadata: What outlives it.
    """

    def __init__(self, metadata: Metadata) -> None:
        from airflow.jobs.triggerer_job_runner import TriggerRunner

        self.metadata, self.runner = metadata, TriggerRunner()
        self.supervisor: Any = Supervisor(metadata)
        self.runner.comms_decoder = self.supervisor

    async def start(self) -> None:
        """Start all triggers, made anew from what was stored of them."""
        from airflow.executors.workloads.trigger import RunTrigger
        from airflow.models.trigger import Trigger
        from airflow.serialization.encoders import encode_trigger

        for trigger_id, (asset, trigger) in self.metadata.watched.items():
            encoded = encode_trigger(trigger)
            row = Trigger(encoded["classpath"], encoded["kwargs"])
            self.runner.to_create.append(
                RunTrigger(
                    id=trigger_id,
                    classpath=row.classpath,
                    encrypted_kwargs=row.encrypted_kwargs,
                    watched_assets={asset.name: asset.uri, **self.metadata.also_watched},
                )
            )
        await self.runner.create_triggers()

    async def sync(self) -> list[BaseException]:
        """Do what the runner does once in a second; the errors of triggers that ended."""
        finished = await self.runner.cleanup_finished_triggers()
        errors = [error for _, error in self.runner.failed_triggers if error is not None]
        await self.runner.sync_state_to_supervisor(finished)
        return errors

    async def until(self, condition: Callable[[], object], seconds: float = 120) -> None:
        """Go on until a condition holds."""
        end = time.monotonic() + seconds
        while not condition():
            errors = await self.sync()
            assert not errors, errors
            assert time.monotonic() < end, self.metadata
            await asyncio.sleep(0.002)

    async def stop(self) -> None:
        """Stop as the process does."""
        tasks = [details["task"] for details in self.runner.triggers.values()]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        await self.runner._shared_streams.stop_all()


@asynccontextmanager
async def running(metadata: Metadata, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Triggerer]:
    """Run a triggerer until the block ends."""
    triggerer = Triggerer(metadata)
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", triggerer.supervisor, raising=False)
    await triggerer.start()
    try:
        yield triggerer
    finally:
        await triggerer.stop()
