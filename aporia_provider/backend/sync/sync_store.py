"""What is kept about syncs, and keeping it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import BigInteger, cast, func, select
from sqlalchemy.orm import Session

from aporia_provider.backend.store.baselines import load_origins, provisional_bins
from aporia_provider.backend.store.database import Database
from aporia_provider.backend.store.lookups import upsert
from aporia_provider.backend.store.profiles import is_stored, replace_profile, store_baseline
from aporia_provider.backend.store.sync_tables import FIELDS, PERFORMANCE, GridRow, ProfileRow, SyncRow
from aporia_provider.backend.store.tables import DatasetRow, utc_now
from aporia_provider.backend.sync.context import Desk, Result, Seen
from aporia_provider.backend.sync.leases import Lease
from aporia_provider.errors import AporiaError
from aporia_provider.lake.log.changes import Position
from aporia_provider.monitoring.profiles.plan import ROWS, SCORES, dump_grids
from aporia_provider.preflight.type_differences import type_notes
from aporia_provider.redaction import hide_in_text

log = logging.getLogger(__name__)


class Records:
    """
    The records of a version's syncs.

    :param database: The database.
    :param version_key: The version.
    :param lease: The lease under which they are changed.
    :param desk: Where the work is done.
    """

    def __init__(self, database: Database, version_key: int, lease: Lease, desk: Desk) -> None:
        self._database, self._version_key, self._lease, self._desk = database, version_key, lease, desk

    def sync(self, role: str, part: str, work: Callable[[Seen], Result | None], full: bool) -> bool:
        """
        Sync a part of a dataset and keep what it came to, or why it failed.

        :param role: Role of the dataset.
        :param part: The part.
        :param work: Does it, given how far it was synced.
        :param full: Whether to do as if it never was.
        :return: Whether anything that is stored has changed.
        """
        started, clock = utc_now(), time.monotonic()
        key, seen = self._seen(role, part)
        try:
            result = work(Seen() if full else seen)
        except Exception as error:
            latest = self._desk.version_seen(role)
            known = {} if latest is None else {"latest_version": latest}
            self._failed(key, part, {"started_at": started, "error": _shown(error), **known})
            raise
        if result is None:
            return False
        values: dict[str, Any] = {
            "started_at": started,
            "synced_at": started,
            "seconds": time.monotonic() - clock,
        }
        if result.changed and result.seen.fingerprint != seen.fingerprint:
            values["grids"] = dump_grids(result.grids)
        return self._done(key, part, role, result, values)

    def _seen(self, role: str, part: str) -> tuple[int, Seen]:
        with self._database.reading() as session:
            dataset = session.scalars(
                select(DatasetRow).filter_by(version_key=self._version_key, role=role)
            ).one()
            row = session.scalar(select(SyncRow).filter_by(dataset_key=dataset.key, part=part))
            stored = (row.position if row else None) or {}
            positions = {role: Position(**position) for role, position in stored.items()}
            return dataset.key, Seen(row.fingerprint if row else None, positions)

    def _failed(self, key: int, part: str, values: Mapping[str, Any]) -> None:
        with self._database.writing() as session:
            # Whoever has taken over may have succeeded.
            if self._lease.renew(session):
                upsert(session, SyncRow, {"dataset_key": key, "part": part}, values)

    def _done(self, key: int, part: str, role: str, result: Result, values: Mapping[str, Any]) -> bool:
        positions = {role: asdict(position) for role, position in result.seen.positions.items()}
        kept = {
            **values,
            "fingerprint": result.seen.fingerprint,
            "position": positions,
            "latest_version": positions[role]["version"] if role in positions else None,
            "error": None,
        }
        with self._database.writing() as session:
            self._lease.confirm(session)
            if result.changed:
                kept["report"] = self._report(session, role, result)
            # Files without a log are read each time, whether there is anything new or not.
            whole = result.intervals is None
            same = not result.changed or (whole and is_stored(session, key, part, result.states))
            if not same:
                replace_profile(session, key, part, result.states, result.intervals, result.untimed)
            if result.baseline is not None:
                store_baseline(session, self._version_key, result.baseline)
            upsert(session, SyncRow, {"dataset_key": key, "part": part}, kept)
        if result.baseline is not None:
            self._desk.adopt(result.baseline)
        return not same

    def _report(self, session: Session, role: str, result: Result) -> dict[str, Any]:
        types = _known_types(session, self._version_key)
        notes = [*result.notes, *type_notes(role, result.types, types)]
        for note in notes:
            log.warning("%s dataset: %s", role, note)
        return {**_work(result), "notes": notes, "types": dict(result.types), "made_at": result.made_at}


def _known_types(session: Session, version_key: int) -> dict[str, dict[str, Any]]:
    """Role of a dataset to the types that its columns had in its last sync that changed something."""
    query = select(DatasetRow.role, SyncRow.report).join(SyncRow, SyncRow.dataset_key == DatasetRow.key)
    rows = session.execute(query.where(DatasetRow.version_key == version_key, SyncRow.part == FIELDS))
    return {role: (report or {}).get("types") or {} for role, report in rows}


def status(session: Session, dataset: DatasetRow) -> dict[str, Any]:
    """What is known about the syncs of a dataset, see :meth:`Syncs.get_dataset_sync_status`."""
    parts = {row.part: row for row in session.scalars(select(SyncRow).filter_by(dataset_key=dataset.key))}
    rows_of_bucket = cast(ProfileRow.state["rows"].as_string(), BigInteger)
    profiled = select(func.sum(rows_of_bucket), func.count()).where(
        ProfileRow.dataset_key == dataset.key, ProfileRow.field == ROWS
    )
    total, buckets = session.execute(profiled).one()
    return {
        "dataset": dataset.role,
        "enabled": dataset.enabled,
        "schedule": dataset.registration["sync"].get("schedule"),
        **_part_status(parts.get(FIELDS), dataset.role),
        "rows": int(total or 0),
        "buckets": buckets,
        "provisional_bins": _provisional(session, dataset, parts.get(FIELDS)),
        "performance": _part_status(parts[PERFORMANCE], dataset.role) if PERFORMANCE in parts else None,
    }


def _provisional(session: Session, dataset: DatasetRow, row: SyncRow | None) -> dict[str, int]:
    """The fields of a dataset whose bins are provisional, and from how many values they were made."""
    stored = session.scalar(select(GridRow.origins).filter_by(version_key=dataset.version_key))
    grids = (row.grids if row else None) or {}
    # The bins of scores are made from the same values as those of their field.
    fields = [key for key, grid in grids.items() if grid["kind"] != SCORES]
    return provisional_bins(load_origins(stored or {}), fields)


def _part_status(row: SyncRow | None, role: str) -> dict[str, Any]:
    report = (row.report if row else None) or {}
    position = ((row.position if row else None) or {}).get(role) or {}
    reached, latest = position.get("version"), row.latest_version if row else None
    return {
        "status": "never_synced" if row is None else "failed" if row.error else "synced",
        "last_sync_at": row.synced_at.isoformat() if row and row.synced_at else None,
        "table_version": reached,
        "latest_version": latest,
        "lag": None if reached is None or latest is None else max(0, latest - reached),
        **{name: report.get(name) for name in _WORK},
        "notes": report.get("notes") or [],
        "seconds": row.seconds if row else None,
        "last_error": row.error if row else None,
    }


_WORK = ("reason", "rows_read", "buckets_recomputed", "files_read", "bytes_read")


def _work(result: Result) -> dict[str, Any]:
    files, size = result.extent or (None, None)
    buckets = {bucket for bucket, _ in result.states}
    rows = 0 if result.copied else result.rows
    return dict(zip(_WORK, (result.reason, rows, len(buckets), files, size), strict=True))


def _shown(error: Exception) -> str:
    if isinstance(error, AporiaError):
        return str(error)
    # The words are those of another library.
    return hide_in_text(f"{type(error).__name__}: {error}")
