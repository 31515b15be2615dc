"""Watermark of a watcher: the position up to which its events are stored."""

from __future__ import annotations

import hashlib
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from aporia_provider.lake.log.positions import TablePosition
from aporia_provider.triggers.polled_table import Poll

if TYPE_CHECKING:
    from airflow.sdk.execution_time.context import AssetStateStoreAccessor, AssetStateStoreAccessors

log = logging.getLogger(__name__)


class Watermark:
    """
    Position up to which a watcher has handled the commits of a table.

    It is kept in the state store of the asset, so that it outlives the triggerer.

    :param table_uri: The table.
    :param stores: State stores of the watched assets; None before Airflow 3.3, where there are none.
    :param asset_name: Name of the asset; None if the trigger has only one.
    """

    def __init__(
        self, table_uri: str, stores: AssetStateStoreAccessors | None, asset_name: str | None
    ) -> None:
        self._store = _store(stores, asset_name)
        # A trigger of another table may watch the same asset.
        self._key = f"aporia_delta_{hashlib.sha256(table_uri.encode()).hexdigest()[:32]}"
        self._unsaved: tuple[Poll, TablePosition] | None = None
        self.position: TablePosition | None = None

    async def load(self) -> None:
        """Read the stored position."""
        try:
            stored: Any = await self._store.aget(self._key) if self._store is not None else None
        except ValueError:
            # Watchers with equal arguments share one trigger.
            log.exception("Several assets share one trigger; name the asset of each in asset_name")
            self._store = stored = None
        self.position = TablePosition.from_json(stored) if stored else None

    def move(self, position: TablePosition, poll: Poll) -> None:
        """
        Move to a position. It is stored once the events that followed from the poll are.

        :param position: The position.
        :param poll: The poll that led to it.
        """
        self.position, self._unsaved = position, (poll, position)
        poll.when_settled(partial(self._save_or_log, position))

    async def save_settled(self) -> None:
        """Store the position if the poll that led to it is settled and the position was not stored."""
        if self._unsaved is not None and self._unsaved[0].is_settled:
            await self._save(self._unsaved[1])

    async def _save_or_log(self, position: TablePosition) -> None:
        try:
            await self._save(position)
        except Exception:
            # It is stored after the next poll.
            log.exception("The position of a watched table could not be stored")

    async def _save(self, position: TablePosition) -> None:
        if self._store is not None:
            await self._store.aset(self._key, position.to_json())
        if self._unsaved is not None and self._unsaved[1] == position:
            self._unsaved = None


def _store(
    stores: AssetStateStoreAccessors | None, asset_name: str | None
) -> AssetStateStoreAccessor | AssetStateStoreAccessors | None:
    if stores is None or asset_name is None:
        return stores
    from airflow.sdk.definitions.asset import AssetNameRef

    return stores[AssetNameRef(name=asset_name)]
