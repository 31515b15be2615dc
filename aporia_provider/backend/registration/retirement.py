"""Retirement of versions: syncs are disabled if newer versions replace them or their data has ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypedDict

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from aporia_provider.backend.registration.scope import RegistryBase
from aporia_provider.backend.store.bucket_ranges import (
    NO_BUCKET,
    NO_BUCKETS,
    BucketRange,
    serving_ranges,
)
from aporia_provider.backend.store.lookups import find_model
from aporia_provider.backend.store.sync_tables import FIELDS, SyncRow
from aporia_provider.backend.store.tables import DatasetRow, VersionRow, utc_now
from aporia_provider.datasets import SERVING
from aporia_provider.monitoring.profiles.plan import ProfilePlan
from aporia_provider.retirement_parameters import check_retirement

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = 253_402_300_799


class RetiredVersion(TypedDict):
    """A version whose syncs were disabled, the end of its serving data (ISO 8601), and the reason."""

    model_version: str
    data_until: str | None
    reason: str


class Retirement(TypedDict):
    """
    Result of a retirement.

    ``retired`` and ``kept`` are the versions that were retired or kept, ``already_disabled`` those whose
    syncs were disabled before, and ``without_datasets`` those without datasets.
    """

    model_id: str
    retired: list[RetiredVersion]
    already_disabled: list[str]
    kept: list[str]
    without_datasets: list[str]


@dataclass(frozen=True)
class VersionReach:
    """
    Time range of the serving data of a version.

    :param key: Key of the version; greater for versions that were registered later.
    :param name: Name of the version.
    :param enabled: Whether the syncs of any of its datasets are enabled.
    :param bucket_range: Its buckets.
    :param checked_at: Time at which the stored serving data was last up to date; None if the last sync
        failed.
    """

    key: int
    name: str
    enabled: bool
    bucket_range: BucketRange
    checked_at: datetime | None

    @property
    def last(self) -> int | None:
        """Return the start of the last bucket; of a bucket in the future only if there are no others."""
        return next((second for second in self.bucket_range[:2] if second > NO_BUCKET), None)


class Retirements(RegistryBase):
    """Registry methods that retire versions."""

    def retire_versions(
        self,
        model_id: str,
        *,
        keep: int | None = None,
        ended_for: timedelta | None = None,
        dry_run: bool = False,
    ) -> Retirement:
        """
        Disable the syncs of versions that are no longer used.

        Stored states of retired versions remain available to metrics and baselines. If both ``keep`` and
        ``ended_for`` are given, both conditions have to hold. Versions without datasets, or whose syncs are
        already disabled, are not counted.

        Versions are ordered by how far their stored serving data extends, the newest first. A version without
        serving data is never retired by ``ended_for``, and is not retired by ``keep`` if it was registered
        after one of the kept versions.

        The tables of a retired version are no longer checked, so new serving data is not detected. To use the
        version again, enable its syncs, and sync its serving dataset before the next retirement.

        :param model_id: Id of the model.
        :param keep: Number of newest versions with serving data to keep. If there are fewer, versions without
            serving data are counted as well, the most recently registered first.
        :param ended_for: Minimum time between the end of a version's serving data and the last successful
            sync or check of the table.
        :param dry_run: Only report the versions that would be retired.
        :return: The retired versions; none if the call is repeated.
        :raises aporia_provider.errors.ValidationError: if neither ``keep`` nor ``ended_for`` is given, if
            ``keep`` is less than 1, or if ``ended_for`` is negative.
        """
        check_retirement(keep, ended_for)
        with self.database.write_transaction() as session:
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
            "already_disabled": [version.name for version in versions if not version.enabled],
            "kept": [version.name for version in going_on if version.key not in reasons],
            "without_datasets": without_datasets,
        }


def _reasons(
    versions: Sequence[VersionReach], seconds: int, keep: int | None, ended_for: timedelta | None
) -> dict[int, str]:
    """Return the reasons for retirement by key of the version."""
    superseded = None if keep is None else _superseded(versions, keep)
    ended = None if ended_for is None else _ended(versions, seconds, ended_for)
    if superseded is None or ended is None:
        return superseded or ended or {}
    return {key: f"{reason}, and {ended[key]}" for key, reason in superseded.items() if key in ended}


def newest_first(versions: Iterable[VersionReach]) -> list[VersionReach]:
    """
    Return versions in the order of :func:`~.latest_version.latest_version`.

    They are ordered by the end of their serving data, its beginning, and their registration.
    """
    return sorted(versions, key=lambda version: (*version.bucket_range, version.key), reverse=True)


def _versions(session: Session, model_key: int) -> list[VersionReach]:
    """Return the versions that have datasets."""
    datasets = (
        select(DatasetRow.version_key, DatasetRow.enabled)
        .join(VersionRow, DatasetRow.version_key == VersionRow.key)
        .where(VersionRow.model_key == model_key)
    )
    enabled: dict[int, bool] = {}
    for version, on in session.execute(datasets):
        enabled[version] = enabled.get(version, False) or on
    bucket_ranges, checked_at = (
        serving_ranges(session, model_key, int(utc_now().timestamp())),
        _checked_at(session, model_key),
    )
    query = select(VersionRow.key, VersionRow.name).filter_by(model_key=model_key)
    return [
        VersionReach(key, name, enabled[key], bucket_ranges.get(key, NO_BUCKETS), checked_at.get(key))
        for key, name in session.execute(query)
        if key in enabled
    ]


def _without_datasets(session: Session, model_key: int) -> list[str]:
    """Return the names of the versions without datasets, the most recently registered first."""
    query = (
        select(VersionRow.name)
        .outerjoin(DatasetRow, DatasetRow.version_key == VersionRow.key)
        .where(VersionRow.model_key == model_key, DatasetRow.key.is_(None))
        .order_by(VersionRow.key.desc())
    )
    return list(session.scalars(query))


def _checked_at(session: Session, model_key: int) -> dict[int, datetime]:
    query = (
        select(DatasetRow.version_key, SyncRow.synced_at)
        .join(SyncRow, SyncRow.dataset_key == DatasetRow.key)
        .join(VersionRow, DatasetRow.version_key == VersionRow.key)
        .where(VersionRow.model_key == model_key, DatasetRow.role == SERVING)
        .where(SyncRow.part == FIELDS, SyncRow.error.is_(None))
    )
    return {version: checked_at for version, checked_at in session.execute(query) if checked_at is not None}


def _superseded(versions: Sequence[VersionReach], keep: int) -> dict[int, str]:
    """Return reasons by key of the versions that are not among the newest ones."""
    newest = versions[:keep]
    oldest = min(version.key for version in newest) if newest else 0
    reason = f"{keep} newer {'version is' if keep == 1 else 'versions are'} kept"
    return {
        version.key: reason for version in versions[keep:] if version.last is not None or version.key < oldest
    }


def _ended(versions: Iterable[VersionReach], seconds: int, ended_for: timedelta) -> dict[int, str]:
    """Return reasons by key of the versions whose serving data ended at least the given time ago."""
    return {
        version.key: f"its serving data ended more than {ended_for} ago"
        for version in versions
        if version.last is not None
        and version.checked_at is not None
        and version.checked_at - _end(version.last, seconds) > ended_for
    }


def _retired(version: VersionReach, seconds: int, reason: str) -> RetiredVersion:
    until = None if version.last is None else _end(version.last, seconds).isoformat()
    return {"model_version": version.name, "data_until": until, "reason": reason}


def _end(bucket: int, seconds: int) -> datetime:
    """Return the end of a bucket, at most the last time that :class:`datetime` supports."""
    return _EPOCH + timedelta(seconds=min(bucket + seconds, _LAST))
