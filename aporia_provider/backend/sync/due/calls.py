"""Search for due datasets across all versions of an environment."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TypedDict

from aporia_provider.backend.store.database import Database
from aporia_provider.backend.store.tables import utc_now
from aporia_provider.backend.sync.due.candidates import StoredVersion, record_unchanged, stored_versions
from aporia_provider.backend.sync.due.decisions import LIMIT_REACHED, LOG_NOT_READ, Decision, DueVersion
from aporia_provider.datasets import ROLES
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.log.latest_commits import log_ends

log = logging.getLogger(__name__)

_MAX_LOGGED = 5

FindCredentials = Callable[[], AwsCredentials | None]


class DueDataset(TypedDict):
    """A dataset, whether its next sync is due, and the reason."""

    model_id: str
    model_version: str
    role: str
    due: bool
    reason: str
    detail: str | None


def find_due_datasets(
    database: Database,
    environment: str,
    *,
    now: datetime | None,
    limit: int | None,
    find_credentials: FindCredentials,
) -> list[DueDataset]:
    """
    Return all datasets of an environment and whether they are due.

    See :meth:`~aporia_provider.backend.sync.calls.Syncs.explain_due_datasets`. The log of each table is read
    once, even if several datasets share the table. Unchanged datasets are recorded as synced.
    """
    started_at = utc_now()
    with database.read_transaction() as session:
        versions = [
            DueVersion(stored_version, now or started_at)
            for stored_version in stored_versions(session, environment)
        ]
    _read_logs(versions, find_credentials)
    with database.write_transaction() as session:
        record_unchanged(session, {key for version in versions for key in version.unchanged}, started_at)
    datasets = _apply_limit(versions, limit)
    _log_summary(datasets)
    return datasets


def _read_logs(versions: Sequence[DueVersion], find_credentials: FindCredentials) -> None:
    tables = {table for version in versions for table in version.tables()}
    latest: dict[str, int] = {}
    for uri, synced, pinned in tables:
        if not pinned:
            # Datasets at an older version than another dataset of the same table are always due.
            latest[uri] = max(synced, latest.get(uri, synced))
    requests = {(uri, synced) for uri, synced, pinned in tables if pinned} | set(latest.items())
    ends = log_ends(requests, find_credentials)
    for version in versions:
        version.decide(ends, latest)


def _apply_limit(versions: Iterable[DueVersion], limit: int | None) -> list[DueDataset]:
    started = [
        (_last_started(version.stored, role), _due_dataset(version.stored, role, decision))
        for version in versions
        for role, decision in version.decisions.items()
    ]
    due = [dataset for _, dataset in sorted(started, key=lambda item: item[0]) if dataset["due"]]
    others = [dataset for _, dataset in started if not dataset["due"]]
    for dataset in due[limit:] if limit is not None else ():
        dataset["due"], dataset["reason"], dataset["detail"] = False, LIMIT_REACHED, dataset["reason"]
    return sorted(due, key=lambda dataset: (not dataset["due"], ROLES.index(dataset["role"]))) + others


def _due_dataset(version: StoredVersion, role: str, decision: Decision) -> DueDataset:
    return {
        "model_id": version.model_id,
        "model_version": version.name,
        "role": role,
        "due": decision.due,
        "reason": decision.reason,
        "detail": decision.detail,
    }


def _last_started(version: StoredVersion, role: str) -> float:
    """Return the time of the last attempt or check in seconds since 1970; 0 if there was none."""
    return max(
        (checkpoint.started_at.timestamp() for checkpoint in version.checkpoints_of(role)), default=0.0
    )


def _log_summary(datasets: Sequence[DueDataset]) -> None:
    for due in (True, False):
        reasons = Counter(dataset["reason"] for dataset in datasets if dataset["due"] is due)
        summary = "; ".join(f"{count} because {reason}" for reason, count in reasons.most_common())
        state = "due" if due else "not due"
        log.info(
            "%s of %s datasets are %s%s", reasons.total(), len(datasets), state, summary and f": {summary}"
        )
    unread = [dataset for dataset in datasets if dataset["reason"].endswith(LOG_NOT_READ)]
    for dataset in unread[:_MAX_LOGGED]:
        log.warning(
            "%s of version %r of model %r: %s",
            dataset["role"],
            dataset["model_version"],
            dataset["model_id"],
            dataset["detail"],
        )
    if len(unread) > _MAX_LOGGED:
        log.warning("%s more logs could not be read", len(unread) - _MAX_LOGGED)
