"""What the overview shows of each model, read with a few queries for all models together."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from aporia_provider.backend.page.contents.daily_rows import DayRows, daily_rows
from aporia_provider.backend.store.bucket_ranges import (
    NO_BUCKET,
    NO_BUCKETS,
    BucketRange,
    serving_ranges_of,
)
from aporia_provider.backend.store.monitor_tables import AlertRow, VerdictRow
from aporia_provider.backend.store.sync_tables import FIELDS, SyncRow
from aporia_provider.backend.store.tables import DatasetRow, ModelRow, MonitorRow, VersionRow
from aporia_provider.datasets import SERVING

MAX_MODELS = 2000
"""Maximum number of models of an overview: those that were registered last."""


@dataclass(frozen=True)
class ServingSync:
    """
    The last sync of a serving dataset.

    :param synced_at: Time of the last successful sync; None if there was none.
    :param table_version: Version of the Delta table that was synced.
    :param latest_version: Newest version of the table that was seen.
    :param error: Why the last sync failed; None if it did not.
    """

    synced_at: datetime | None = None
    table_version: int | None = None
    latest_version: int | None = None
    error: str | None = None

    @property
    def lag(self) -> int | None:
        """Number of versions of the table that are not synced; None if it is not known."""
        if self.latest_version is None or self.table_version is None:
            return None
        return max(0, self.latest_version - self.table_version)


@dataclass(frozen=True)
class ModelLine:
    """
    A model in the overview.

    :param id: Id of the model.
    :param name: Its name.
    :param version: Name of the latest version; None if there is no version.
    :param version_key: Key of the latest version.
    :param versions: Number of versions.
    :param sync: The last sync of the serving dataset of the latest version; None if it has no such dataset.
    :param data_until: Start of the last bucket with serving data that is not in the future.
    :param days: Serving rows of the last days with data, in chronological order.
    :param alerts: Number of open alerts by severity.
    :param outcomes: Number of the latest verdicts of the active monitors by outcome.
    """

    id: str
    name: str
    version: str | None = None
    version_key: int | None = None
    versions: int = 0
    sync: ServingSync | None = None
    data_until: datetime | None = None
    days: tuple[DayRows, ...] = ()
    alerts: Mapping[str, int] = field(default_factory=dict)
    outcomes: Mapping[str, int] = field(default_factory=dict)


def model_lines(session: Session, environment: str, now: float | None = None) -> list[ModelLine]:
    """
    Return the models of an environment.

    :param session: A session with a read transaction.
    :param environment: The environment.
    :param now: The current time in seconds since 1970; None for the time of the clock.
    """
    second = int(time.time() if now is None else now)
    query = select(ModelRow.key, ModelRow.id, ModelRow.registration).filter_by(environment=environment)
    models = session.execute(query.order_by(ModelRow.key.desc()).limit(MAX_MODELS)).all()
    keys = [model.key for model in models]
    ranges = serving_ranges_of(session, keys, second)
    versions = _versions(session, keys)
    latest = {key: _latest(of_model, ranges) for key, of_model in versions.items()}
    datasets = _serving_datasets(session, [key for key, _ in latest.values()])
    rows = daily_rows(
        session, {dataset: ranges[key][0] for key, dataset in datasets.items() if key in ranges}
    )
    syncs = _syncs(session, datasets.values())
    alerts, outcomes = _open_alerts(session, environment), _outcomes(session, environment)
    lines = []
    for model in models:
        version_key, version = latest.get(model.key, (None, None))
        dataset = datasets.get(version_key) if version_key is not None else None
        lines.append(
            ModelLine(
                id=model.id,
                name=model.registration["name"],
                version=version,
                version_key=version_key,
                versions=len(versions.get(model.key, ())),
                sync=None if dataset is None else syncs.get(dataset, ServingSync()),
                data_until=_data_until(ranges.get(version_key) if version_key is not None else None),
                days=tuple(rows.get(dataset, ())) if dataset is not None else (),
                alerts=alerts.get(model.id, {}),
                outcomes=_of_version(outcomes.get(model.id, ()), version),
            )
        )
    return lines


def _versions(session: Session, model_keys: Sequence[int]) -> dict[int, list[tuple[int, str]]]:
    query = select(VersionRow.model_key, VersionRow.key, VersionRow.name)
    versions: dict[int, list[tuple[int, str]]] = {}
    for model_key, key, name in session.execute(query.where(VersionRow.model_key.in_(model_keys))):
        versions.setdefault(model_key, []).append((key, name))
    return versions


def _latest(versions: Sequence[tuple[int, str]], ranges: Mapping[int, BucketRange]) -> tuple[int, str]:
    """Return the latest version, as :func:`~.latest_version.latest_version` defines it."""
    return max(versions, key=lambda version: (ranges.get(version[0], NO_BUCKETS), version[0]))


def _serving_datasets(session: Session, version_keys: Sequence[int]) -> dict[int, int]:
    """Return the keys of the serving datasets of versions."""
    query = select(DatasetRow.version_key, DatasetRow.key).where(
        DatasetRow.version_key.in_(version_keys), DatasetRow.role == SERVING
    )
    return dict(iter(session.execute(query)))


def _syncs(session: Session, dataset_keys: Iterable[int]) -> dict[int, ServingSync]:
    row = SyncRow
    columns = (row.dataset_key, row.synced_at, row.position, row.latest_version, row.error)
    query = select(*columns).where(row.dataset_key.in_(list(dataset_keys)), row.part == FIELDS)
    return {
        result.dataset_key: ServingSync(
            result.synced_at, _version_of(result.position), result.latest_version, result.error
        )
        for result in session.execute(query)
    }


def _version_of(position: Mapping[str, Any] | None) -> int | None:
    return ((position or {}).get(SERVING) or {}).get("version")


def _data_until(range_: BucketRange | None) -> datetime | None:
    last = NO_BUCKET if range_ is None else range_[0]
    return None if last == NO_BUCKET else datetime.fromtimestamp(last, UTC)


def _open_alerts(session: Session, environment: str) -> dict[str, dict[str, int]]:
    query = (
        select(MonitorRow.subject, AlertRow.severity, func.count())
        .join(MonitorRow, AlertRow.monitor_key == MonitorRow.key)
        .where(MonitorRow.environment == environment, AlertRow.status == "open")
        .group_by(MonitorRow.subject, AlertRow.severity)
    )
    counts: dict[str, dict[str, int]] = {}
    for model_id, severity, count in session.execute(query):
        counts.setdefault(model_id, {})[severity] = count
    return counts


def _outcomes(session: Session, environment: str) -> dict[str, list[tuple[str, str]]]:
    """Return the version and the outcome of the latest verdicts, by id of the model."""
    verdict, group = VerdictRow, (VerdictRow.monitor_key, VerdictRow.version, VerdictRow.segment)
    last = (
        select(*group, func.max(verdict.start).label("start"))
        .join(MonitorRow, verdict.monitor_key == MonitorRow.key)
        .where(MonitorRow.environment == environment)
        .group_by(*group)
        .subquery()
    )
    joined = and_(
        verdict.monitor_key == last.c.monitor_key,
        verdict.version == last.c.version,
        verdict.segment == last.c.segment,
        verdict.start == last.c.start,
    )
    query = (
        select(MonitorRow.subject, verdict.version, verdict.outcome, MonitorRow.registration)
        .join(last, joined)
        .join(MonitorRow, verdict.monitor_key == MonitorRow.key)
    )
    outcomes: dict[str, list[tuple[str, str]]] = {}
    for model_id, version, outcome, registration in session.execute(query):
        if registration.get("is_active", True):
            outcomes.setdefault(model_id, []).append((version, outcome))
    return outcomes


def _of_version(verdicts: Sequence[tuple[str, str]], version: str | None) -> dict[str, int]:
    counts: dict[str, int] = {}
    for outcome in _matching(verdicts, version):
        counts[outcome] = counts.get(outcome, 0) + 1
    return counts


def _matching(verdicts: Sequence[tuple[str, str]], version: str | None) -> Iterator[str]:
    return (outcome for name, outcome in verdicts if name in ("", version))
