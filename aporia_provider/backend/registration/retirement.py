"""Versions that are synced no more because newer ones have taken their place, or their data has ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypedDict

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from aporia_provider.backend.registration.scope import Scope
from aporia_provider.backend.store.lookups import find_model
from aporia_provider.backend.store.sync_tables import FIELDS, ProfileRow, SyncRow
from aporia_provider.backend.store.tables import DatasetRow, VersionRow, utc_now
from aporia_provider.datasets import SERVING
from aporia_provider.monitoring.profiles.plan import ROWS, ProfilePlan
from aporia_provider.retention import check_retention

_NOWHERE = (-1, -1, -1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = 253_402_300_799


class RetiredVersion(TypedDict):
    """A version whose syncs were turned off, where its serving data ends (ISO 8601), and why."""

    model_version: str
    data_until: str | None
    reason: str


class Retirement(TypedDict):
    """
    What a call has retired, and the names of the versions that were off before, that stay on, and that have
    no datasets, so that they have no syncs.
    """

    model_id: str
    retired: list[RetiredVersion]
    already_off: list[str]
    kept: list[str]
    without_datasets: list[str]


@dataclass(frozen=True)
class VersionReach:
    """
    How far the serving data of a version reaches.

    :param key: Key of the version; those that were registered later have greater ones.
    :param name: Its name.
    :param enabled: Whether any of its datasets is synced.
    :param reach: First seconds of the last bucket that does not begin in the future, of the last one and of
        the first one; -1 for none.
    :param known_at: When its serving data was last known to be up to date; None if its last sync failed.
    """

    key: int
    name: str
    enabled: bool
    reach: tuple[int, int, int]
    known_at: datetime | None

    @property
    def last(self) -> int | None:
        """First second of the last bucket; one in the future counts if there are no others."""
        return next((second for second in self.reach[:2] if second >= 0), None)


class Retirements(Scope):
    """The calls that retire versions."""

    def retire_versions(
        self,
        model_id: str,
        *,
        keep: int | None = None,
        ended_for: timedelta | None = None,
        dry_run: bool = False,
    ) -> Retirement:
        """
        Turn the syncs of versions off that are no longer used. What is stored of them stays, and metrics and
        baselines go on reading it.

        Versions whose syncs are off already do not count, nor do those without datasets. The newest version
        is the latest one: that whose serving data reaches furthest, as far as it was synced. A version that
        has no serving data yet is not retired by ``keep`` if it was registered after one of those that are
        kept, and never by ``ended_for``.

        A retired version is not looked at any more, so new serving data of it is not noticed. To take it up
        again, turn its syncs on, and sync its serving dataset before versions are next retired.

        :param model_id: The model.
        :param keep: How many of the newest versions with serving data go on; if there are fewer, those
            without are counted too, the one registered last first.
        :param ended_for: How long ago serving data must have ended. That it has ended is known only if a
            sync, or a look at the table, found nothing newer in all of that time.
        :param dry_run: Only tell what would be retired.
        :return: What was retired; nothing the second time.
        :raises aporia_provider.errors.ValidationError: if neither ``keep`` nor ``ended_for`` is given, or
            they are less than 1 or negative. If both are, a version is retired only if both say so.
        """
        check_retention(keep, ended_for)
        with self.database.writing() as session:
            model = find_model(session, self.environment, model_id)
            period = model.registration.get("aggregation_period") or "daily"
            seconds = ProfilePlan(period, ()).seconds
            versions = newest_first(_versions(session, model.key))
            going_on = [version for version in versions if version.enabled]
            reasons = _reasons(going_on, seconds, keep, ended_for)
            without_datasets = _without_datasets(session, model.key)
            retired = [version for version in going_on if version.key in reasons]
            if retired and not dry_run:
                keys = [version.key for version in retired]
                datasets = update(DatasetRow).where(DatasetRow.version_key.in_(keys))
                session.execute(datasets.values(enabled=False))
        return {
            "model_id": model_id,
            "retired": [_retired(version, seconds, reasons[version.key]) for version in retired],
            "already_off": [version.name for version in versions if not version.enabled],
            "kept": [version.name for version in going_on if version.key not in reasons],
            "without_datasets": without_datasets,
        }


def _reasons(
    versions: Sequence[VersionReach], seconds: int, keep: int | None, ended_for: timedelta | None
) -> dict[int, str]:
    """Keys of the versions that are to be retired, and why."""
    superseded = None if keep is None else _superseded(versions, keep)
    ended = None if ended_for is None else _ended(versions, seconds, ended_for)
    if superseded is None or ended is None:
        return superseded or ended or {}
    return {key: f"{reason}, and {ended[key]}" for key, reason in superseded.items() if key in ended}


def newest_first(versions: Iterable[VersionReach]) -> list[VersionReach]:
    """
    Order versions as :func:`~.latest_version.latest_version` does: by how far their serving
    data reaches, where it begins, and when they were registered.
    """
    return sorted(versions, key=lambda version: (*version.reach, version.key), reverse=True)


def _versions(session: Session, model_key: int) -> list[VersionReach]:
    """The versions that have datasets."""
    datasets = (
        select(DatasetRow.version_key, DatasetRow.enabled)
        .join(VersionRow, DatasetRow.version_key == VersionRow.key)
        .where(VersionRow.model_key == model_key)
    )
    enabled: dict[int, bool] = {}
    for version, on in session.execute(datasets):
        enabled[version] = enabled.get(version, False) or on
    reaches, known_at = _reaches(session, model_key), _known_at(session, model_key)
    query = select(VersionRow.key, VersionRow.name).filter_by(model_key=model_key)
    return [
        VersionReach(key, name, enabled[key], reaches.get(key, _NOWHERE), known_at.get(key))
        for key, name in session.execute(query)
        if key in enabled
    ]


def _without_datasets(session: Session, model_key: int) -> list[str]:
    """The versions that have none, the one registered last first."""
    query = (
        select(VersionRow.name)
        .outerjoin(DatasetRow, DatasetRow.version_key == VersionRow.key)
        .where(VersionRow.model_key == model_key, DatasetRow.key.is_(None))
        .order_by(VersionRow.key.desc())
    )
    return list(session.scalars(query))


def _reaches(session: Session, model_key: int) -> dict[int, tuple[int, int, int]]:
    bucket = ProfileRow.bucket
    last = func.max(bucket)
    query = (
        select(DatasetRow.version_key, last.filter(bucket <= utc_now().timestamp()), last, func.min(bucket))
        .join(ProfileRow, ProfileRow.dataset_key == DatasetRow.key)
        .join(VersionRow, DatasetRow.version_key == VersionRow.key)
        .where(VersionRow.model_key == model_key, DatasetRow.role == SERVING, ProfileRow.field == ROWS)
        .group_by(DatasetRow.version_key)
    )
    return {
        version: tuple(-1 if second is None else second for second in found)  # type: ignore[misc]
        for version, *found in session.execute(query)
    }


def _known_at(session: Session, model_key: int) -> dict[int, datetime]:
    query = (
        select(DatasetRow.version_key, SyncRow.synced_at)
        .join(SyncRow, SyncRow.dataset_key == DatasetRow.key)
        .join(VersionRow, DatasetRow.version_key == VersionRow.key)
        .where(VersionRow.model_key == model_key, DatasetRow.role == SERVING)
        .where(SyncRow.part == FIELDS, SyncRow.error.is_(None))
    )
    return {version: at for version, at in session.execute(query) if at is not None}


def _superseded(versions: Sequence[VersionReach], keep: int) -> dict[int, str]:
    """Keys of the versions that are not among the newest ones, and why."""
    kept = versions[:keep]
    oldest = min(version.key for version in kept) if kept else 0
    reason = f"{keep} newer {'version is' if keep == 1 else 'versions are'} kept"
    return {
        version.key: reason for version in versions[keep:] if version.last is not None or version.key < oldest
    }


def _ended(versions: Iterable[VersionReach], seconds: int, ended_for: timedelta) -> dict[int, str]:
    """Keys of the versions whose serving data is known to have ended so long ago, and why."""
    return {
        version.key: f"its serving data ended more than {ended_for} ago"
        for version in versions
        if version.last is not None
        and version.known_at is not None
        and version.known_at - _end(version.last, seconds) > ended_for
    }


def _retired(version: VersionReach, seconds: int, reason: str) -> RetiredVersion:
    until = None if version.last is None else _end(version.last, seconds).isoformat()
    return {"model_version": version.name, "data_until": until, "reason": reason}


def _end(bucket: int, seconds: int) -> datetime:
    """The end of a bucket; the last moment there is for one that no calendar has."""
    return _EPOCH + timedelta(seconds=min(bucket + seconds, _LAST))
