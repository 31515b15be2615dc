"""Reading of the logs of the tables that monitors of freshness judge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aporia_provider.backend.freshness.connected_tables import ConnectedTable, connected_tables
from aporia_provider.backend.freshness.stored_histories import (
    StoredHistory,
    store_history,
    stored_histories,
)
from aporia_provider.backend.freshness.tables import MAX_TABLES, FindCredentials, HistoryReader
from aporia_provider.backend.monitors.monitor_plan import StoredMonitor
from aporia_provider.backend.monitors.monitored_model import MonitoredModel
from aporia_provider.backend.monitors.targets import Targets
from aporia_provider.backend.registration.local_access import link_faults
from aporia_provider.backend.registration.scope import RegistryBase
from aporia_provider.errors import AporiaError
from aporia_provider.lake.log.commit_history import MAX_COMMITS, CommitHistory
from aporia_provider.monitor_configuration import parse_configuration
from aporia_provider.monitor_configuration.configuration import TABLE_FRESHNESS


@dataclass(frozen=True)
class TableHistories:
    """
    Update of the stored commits of the tables of a model.

    :param scope: Environment of the registry.
    :param model_id: Id of the model.
    :param monitors: Active monitors of the model.
    """

    scope: RegistryBase
    model_id: str
    monitors: Sequence[StoredMonitor]

    def update(self, find_credentials: FindCredentials, now: datetime) -> dict[str, Any]:
        """
        Read the new commits of the tables that monitors of freshness judge.

        :param find_credentials: Function that returns the credentials for S3; called only if a table is on
            S3.
        :param now: The current time.
        :return: The number of ``tables`` that were read, and ``problems`` of others.
        """
        tables, earlier = self._tables(now)
        read = self._read(tables, earlier, find_credentials, now) if tables else {}
        if read:
            with self.scope.database.write_transaction() as session:
                for table in tables:
                    store_history(session, table.dataset_key, read[table.uri])
        problems = [f"{uri}: {history.error}" for uri, history in read.items() if history.error]
        return {"model_id": self.model_id, "tables": len(read) - len(problems), "problems": problems}

    def _tables(self, now: datetime) -> tuple[list[ConnectedTable], dict[str, CommitHistory]]:
        """Return the tables, and what is known of them by URI."""
        judging = [each for each in self.monitors if each.registration["type"] == TABLE_FRESHNESS]
        if not judging:
            return [], {}
        with self.scope.database.read_transaction() as session:
            model = MonitoredModel(session, self.scope.environment, self.model_id)
            targets = Targets(session, model, int(now.timestamp()), None)
            versions = {key for monitor in judging for key in _version_keys(targets, monitor)}
            tables = connected_tables(session, versions)
            stored = stored_histories(session, [table.dataset_key for table in tables])
        histories = {each.uri: each.history for each in stored.values() if each.history is not None}
        return tables, histories

    def _read(
        self,
        tables: Iterable[ConnectedTable],
        earlier: Mapping[str, CommitHistory],
        find_credentials: FindCredentials,
        now: datetime,
    ) -> dict[str, StoredHistory]:
        sources = {table.uri: table.source for table in tables}
        histories: dict[str, StoredHistory] = {}
        for uri, source in sources.items():
            if faults := list(link_faults(source, self.scope.allowed_local_folders)):
                histories[uri] = StoredHistory(uri, error="; ".join(faults))
        uris = [uri for uri in sources if uri not in histories]
        try:
            reader = HistoryReader(uris, find_credentials, MAX_COMMITS, _Known(earlier))
        except AporiaError as error:
            return histories | {uri: StoredHistory(uri, error=error.message) for uri in uris}

        def read(uri: str) -> StoredHistory:
            try:
                return StoredHistory(uri, now, None, reader.read(uri))
            except AporiaError as error:
                return StoredHistory(uri, error=error.message)

        with ThreadPoolExecutor(MAX_TABLES) as pool:
            return histories | {history.uri: history for history in pool.map(read, uris)}


@dataclass(frozen=True)
class _Known:
    """What is stored of tables; what was read is stored for all at once."""

    histories: Mapping[str, CommitHistory]

    def load(self, uri: str) -> CommitHistory | None:
        return self.histories.get(uri)

    def store(self, history: CommitHistory) -> None:
        """Do nothing."""


def _version_keys(targets: Targets, monitor: StoredMonitor) -> list[int]:
    """Return the versions that a monitor judges; none if it cannot be judged."""
    try:
        configuration = parse_configuration(
            monitor.registration["type"], monitor.registration["configuration"]
        )
        return [target.version.row.key for target in targets.of(configuration)]
    except AporiaError:
        return []
