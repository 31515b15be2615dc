"""Registries that own their database connection, synchronous and asynchronous."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar

from aporia_provider.api import AporiaApi
from aporia_provider.backend.registry import Registry
from aporia_provider.backend.store.database import Database

P = ParamSpec("P")
T = TypeVar("T")


class EmbeddedRegistry(Registry):
    """
    A registry that opens its database. Close it, or use it as a context manager.

    :param database_url: SQLAlchemy URL of SQLite or PostgreSQL.
    :param environment: The only environment that is read and written.
    :param allowed_local_folders: See :class:`~aporia_provider.backend.registration.scope.RegistryBase`.
    :raises aporia_provider.errors.AporiaError: if the database cannot be opened, see
        :class:`~aporia_provider.backend.store.database.Database`.
    """

    def __init__(
        self, database_url: str, environment: str, allowed_local_folders: Sequence[str] | None = None
    ) -> None:
        super().__init__(Database(database_url), environment, allowed_local_folders)

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _threaded(
    call: Callable[Concatenate[EmbeddedRegistry, P], T],
) -> Callable[Concatenate[AsyncEmbeddedRegistry, P], Coroutine[Any, Any, T]]:
    @functools.wraps(call)
    async def method(self: AsyncEmbeddedRegistry, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.to_thread(call, await self._opened(), *args, **kwargs)

    return method


class AsyncEmbeddedRegistry:
    """
    Asynchronous version of :class:`EmbeddedRegistry`, which runs each call in a thread.

    Parameters: see :class:`EmbeddedRegistry`. The first call opens the database.
    """

    create_model = _threaded(EmbeddedRegistry.create_model)
    update_model = _threaded(EmbeddedRegistry.update_model)
    delete_model = _threaded(EmbeddedRegistry.delete_model)
    create_model_version = _threaded(EmbeddedRegistry.create_model_version)
    get_model_versions = _threaded(EmbeddedRegistry.get_model_versions)
    connect_dataset = _threaded(EmbeddedRegistry.connect_dataset)
    set_sync_enabled = _threaded(EmbeddedRegistry.set_sync_enabled)
    get_dataset_sync_status = _threaded(EmbeddedRegistry.get_dataset_sync_status)
    query_metrics = _threaded(EmbeddedRegistry.query_metrics)
    add_model_tags = _threaded(EmbeddedRegistry.add_model_tags)
    get_model_tags = _threaded(EmbeddedRegistry.get_model_tags)
    delete_model_tag = _threaded(EmbeddedRegistry.delete_model_tag)
    set_feature_importance = _threaded(EmbeddedRegistry.set_feature_importance)
    create_monitor = _threaded(EmbeddedRegistry.create_monitor)
    delete_monitor = _threaded(EmbeddedRegistry.delete_monitor)
    apply_monitors = _threaded(EmbeddedRegistry.apply_monitors)
    get_alerts = _threaded(EmbeddedRegistry.get_alerts)
    acknowledge_alert = _threaded(EmbeddedRegistry.acknowledge_alert)
    snooze_alert = _threaded(EmbeddedRegistry.snooze_alert)
    get_monitors = _threaded(EmbeddedRegistry.get_monitors)
    evaluate_monitors = _threaded(EmbeddedRegistry.evaluate_monitors)
    get_verdicts = _threaded(EmbeddedRegistry.get_verdicts)
    create_segment = _threaded(EmbeddedRegistry.create_segment)
    list_segments = _threaded(EmbeddedRegistry.list_segments)
    delete_segment = _threaded(EmbeddedRegistry.delete_segment)
    suggest_segments = _threaded(EmbeddedRegistry.suggest_segments)
    segment_cost = _threaded(EmbeddedRegistry.segment_cost)
    create_custom_metric = _threaded(EmbeddedRegistry.create_custom_metric)
    list_custom_metrics = _threaded(EmbeddedRegistry.list_custom_metrics)
    delete_custom_metric = _threaded(EmbeddedRegistry.delete_custom_metric)

    def __init__(self, database_url: str, environment: str) -> None:
        self.database_url = database_url
        self.environment = environment
        self._registry: EmbeddedRegistry | None = None
        self._opening = asyncio.Lock()

    async def aclose(self) -> None:
        """Close the database."""
        if self._registry is not None:
            await asyncio.to_thread(self._registry.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _opened(self) -> EmbeddedRegistry:
        async with self._opening:
            if self._registry is None:
                self._registry = await asyncio.to_thread(
                    EmbeddedRegistry, self.database_url, self.environment
                )
        return self._registry


if TYPE_CHECKING:
    _: type[AporiaApi] = EmbeddedRegistry
