"""Synchronous and asynchronous HTTP clients of the protocol."""

from __future__ import annotations

import asyncio
import functools
import threading
import time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar

from aporia_provider.api import AporiaApi
from aporia_provider.client.calls import Calls
from aporia_provider.client.connection import Connection
from aporia_provider.client.messages import Call
from aporia_provider.client.retries import Outcome, Pause, Retries, Step, persistent

__all__ = ["AporiaClient", "AsyncAporiaClient", "Retries"]

P = ParamSpec("P")
T = TypeVar("T")


def _sync(call: Callable[Concatenate[Calls, P], Call[T]]) -> Callable[Concatenate[AporiaClient, P], T]:
    @functools.wraps(call)
    def method(self: AporiaClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        self.resolve_environment()
        return self._carry_out(call(self.calls, *args, **kwargs))

    return method


def _async(
    call: Callable[Concatenate[Calls, P], Call[T]],
) -> Callable[Concatenate[AsyncAporiaClient, P], Coroutine[Any, Any, T]]:
    @functools.wraps(call)
    async def method(self: AsyncAporiaClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        await self.resolve_environment()
        return await self._carry_out(call(self.calls, *args, **kwargs))

    return method


class AporiaClient(Connection):
    """
    Synchronous client of :class:`~aporia_provider.api.AporiaApi`. Close it, or use it as a context manager.

    Parameters: see :class:`~aporia_provider.client.connection.Connection`.
    """

    create_model = _sync(Calls.create_model)
    update_model = _sync(Calls.update_model)
    delete_model = _sync(Calls.delete_model)
    create_model_version = _sync(Calls.create_model_version)
    get_model_versions = _sync(Calls.get_model_versions)
    connect_dataset = _sync(Calls.connect_dataset)
    set_sync_enabled = _sync(Calls.set_sync_enabled)
    get_dataset_sync_status = _sync(Calls.get_dataset_sync_status)
    query_metrics = _sync(Calls.query_metrics)
    add_model_tags = _sync(Calls.add_model_tags)
    get_model_tags = _sync(Calls.get_model_tags)
    delete_model_tag = _sync(Calls.delete_model_tag)
    set_feature_importance = _sync(Calls.set_feature_importance)
    create_monitor = _sync(Calls.create_monitor)
    delete_monitor = _sync(Calls.delete_monitor)
    get_alerts = _sync(Calls.get_alerts)
    acknowledge_alert = _sync(Calls.acknowledge_alert)
    snooze_alert = _sync(Calls.snooze_alert)
    apply_monitors = _sync(Calls.apply_monitors)
    get_monitors = _sync(Calls.get_monitors)
    evaluate_monitors = _sync(Calls.evaluate_monitors)
    get_verdicts = _sync(Calls.get_verdicts)
    create_segment = _sync(Calls.create_segment)
    list_segments = _sync(Calls.list_segments)
    delete_segment = _sync(Calls.delete_segment)
    suggest_segments = _sync(Calls.suggest_segments)
    segment_cost = _sync(Calls.segment_cost)
    create_custom_metric = _sync(Calls.create_custom_metric)
    list_custom_metrics = _sync(Calls.list_custom_metrics)
    delete_custom_metric = _sync(Calls.delete_custom_metric)
    identify_server = _sync(Calls.identify_server)

    @property
    def environment(self) -> str:
        """Environment that all calls read and write, requested from the server if it is not resolved yet."""
        return self.resolve_environment()

    def resolve_environment(self) -> str:
        """
        Return the environment that all calls read and write.

        See :meth:`~aporia_provider.client.calls.Calls.resolve_environment`.
        """
        with self._asking:
            return self._carry_out(self.calls.resolve_environment())

    @functools.cached_property
    def _asking(self) -> threading.Lock:
        return threading.Lock()

    @functools.cached_property
    def _http(self) -> Any:
        import httpx2

        return httpx2.Client(**self.options)

    def close(self) -> None:
        """Close the connections to the server."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _carry_out(self, call: Call[T]) -> T:
        steps = persistent(call, self.retries)
        outcome: Outcome = None
        try:
            while True:
                step = steps.send(outcome)
                outcome = self._exchange(step)
        except StopIteration as end:
            result: T = end.value
            return result

    def _exchange(self, step: Step) -> Outcome:
        import httpx2

        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        try:
            return self.reply(step, self._http.request(**self.sent(step)))
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            return self.lost(step, error)


class AsyncAporiaClient(Connection):
    """
    Asynchronous counterpart of :class:`AporiaClient`. Close it, or use it as an asynchronous context manager.

    Parameters: see :class:`~aporia_provider.client.connection.Connection`.
    """

    create_model = _async(Calls.create_model)
    update_model = _async(Calls.update_model)
    delete_model = _async(Calls.delete_model)
    create_model_version = _async(Calls.create_model_version)
    get_model_versions = _async(Calls.get_model_versions)
    connect_dataset = _async(Calls.connect_dataset)
    set_sync_enabled = _async(Calls.set_sync_enabled)
    get_dataset_sync_status = _async(Calls.get_dataset_sync_status)
    query_metrics = _async(Calls.query_metrics)
    add_model_tags = _async(Calls.add_model_tags)
    get_model_tags = _async(Calls.get_model_tags)
    delete_model_tag = _async(Calls.delete_model_tag)
    set_feature_importance = _async(Calls.set_feature_importance)
    create_monitor = _async(Calls.create_monitor)
    delete_monitor = _async(Calls.delete_monitor)
    get_alerts = _async(Calls.get_alerts)
    acknowledge_alert = _async(Calls.acknowledge_alert)
    snooze_alert = _async(Calls.snooze_alert)
    apply_monitors = _async(Calls.apply_monitors)
    get_monitors = _async(Calls.get_monitors)
    evaluate_monitors = _async(Calls.evaluate_monitors)
    get_verdicts = _async(Calls.get_verdicts)
    create_segment = _async(Calls.create_segment)
    list_segments = _async(Calls.list_segments)
    delete_segment = _async(Calls.delete_segment)
    suggest_segments = _async(Calls.suggest_segments)
    segment_cost = _async(Calls.segment_cost)
    create_custom_metric = _async(Calls.create_custom_metric)
    list_custom_metrics = _async(Calls.list_custom_metrics)
    delete_custom_metric = _async(Calls.delete_custom_metric)
    identify_server = _async(Calls.identify_server)

    @property
    def environment(self) -> str:
        """
        Environment that all calls read and write.

        :raises aporia_provider.errors.AporiaError: if none was given and no call has resolved it yet.
        """
        return self._environment.required()

    async def resolve_environment(self) -> str:
        """
        Return the environment that all calls read and write.

        See :meth:`~aporia_provider.client.calls.Calls.resolve_environment`.
        """
        async with self._asking:
            return await self._carry_out(self.calls.resolve_environment())

    @functools.cached_property
    def _asking(self) -> asyncio.Lock:
        return asyncio.Lock()

    @functools.cached_property
    def _http(self) -> Any:
        import httpx2

        return httpx2.AsyncClient(**self.options)

    async def aclose(self) -> None:
        """Close the connections to the server."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _carry_out(self, call: Call[T]) -> T:
        steps = persistent(call, self.retries)
        outcome: Outcome = None
        try:
            while True:
                step = steps.send(outcome)
                outcome = await self._exchange(step)
        except StopIteration as end:
            result: T = end.value
            return result

    async def _exchange(self, step: Step) -> Outcome:
        import httpx2

        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        try:
            return self.reply(step, await self._http.request(**self.sent(step)))
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            return self.lost(step, error)


if TYPE_CHECKING:
    _: type[AporiaApi] = AporiaClient
