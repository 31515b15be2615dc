"""Search for due datasets across all versions of an environment."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TypedDict

from aporia_provider.backend.store.database import Database
from aporia_provider.backend.store.tables import utc_now
from aporia_provider.backend.sync.due.candidates import KnownVersion, known_versions, record_unchanged
from aporia_provider.backend.sync.due.decisions import NO_ROOM, NOT_READ, Decision, DueVersion
from aporia_provider.datasets import ROLES
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.log.latest_commits import log_ends

log = logging.getLogger(__name__)

_MOST_TOLD = 5

FindCredentials = Callable[[], AwsCredentials | None]


class DatasetTurn(TypedDict):
    """A dataset, whether its next sync is due, and the reason."""

    model_id: str
    model_version: str
    role: str
    due: bool
    reason: str
    detail: str | None


def find_turns(
    database: Database,
    environment: str,
    *,
    now: datetime | None,
    limit: int | None,
    find_credentials: FindCredentials,
) -> list[DatasetTurn]:
    """
    Return all datasets of an environment and whether they are due.

    See :meth:`~aporia_provider.backend.sync.calls.Syncs.explain_due_datasets`. The log of each table is read
    once, even if several datasets share the table. Unchanged datasets are recorded as synced.
    """
    begun = utc_now()
    with database.reading() as session:
        versions = [DueVersion(known, now or begun) for known in known_versions(session, environment)]
    _look(versions, find_credentials)
    with database.writing() as session:
        record_unchanged(session, {key for version in versions for key in version.unchanged}, begun)
    turns = _limited(versions, limit)
    _log(turns)
    return turns


def _look(versions: Sequence[DueVersion], find_credentials: FindCredentials) -> None:
    tables = {table for version in versions for table in version.tables()}
    latest: dict[str, int] = {}
    for uri, synced, pinned in tables:
        if not pinned:
            # Datasets at an older version than another dataset of the same table are due in any case.
            latest[uri] = max(synced, latest.get(uri, synced))
    asked = {(uri, synced) for uri, synced, pinned in tables if pinned} | set(latest.items())
    ends = log_ends(asked, find_credentials)
    for version in versions:
        version.decide(ends, latest)


def _limited(versions: Iterable[DueVersion], limit: int | None) -> list[DatasetTurn]:
    found = [
        (_started_at(version.known, role), _turn(version.known, role, decision))
        for version in versions
        for role, decision in version.decisions.items()
    ]
    due = [turn for _, turn in sorted(found, key=lambda item: item[0]) if turn["due"]]
    others = [turn for _, turn in found if not turn["due"]]
    for turn in due[limit:] if limit is not None else ():
        turn["due"], turn["reason"], turn["detail"] = False, NO_ROOM, turn["reason"]
    return sorted(due, key=lambda turn: (not turn["due"], ROLES.index(turn["role"]))) + others


def _turn(known: KnownVersion, role: str, decision: Decision) -> DatasetTurn:
    return {
        "model_id": known.model_id,
        "model_version": known.name,
        "role": role,
        "due": decision.due,
        "reason": decision.reason,
        "detail": decision.detail,
    }


def _started_at(known: KnownVersion, role: str) -> float:
    """Return the time of the last attempt or check in seconds since 1970; 0 if there was none."""
    return max((part.started_at.timestamp() for part in known.of(role)), default=0.0)


def _log(turns: Sequence[DatasetTurn]) -> None:
    for due in (True, False):
        reasons = Counter(turn["reason"] for turn in turns if turn["due"] is due)
        told = "; ".join(f"{count} because {reason}" for reason, count in reasons.most_common())
        which = "due" if due else "not due"
        log.info("%s of %s datasets are %s%s", reasons.total(), len(turns), which, told and f": {told}")
    unread = [turn for turn in turns if turn["reason"].endswith(NOT_READ)]
    for turn in unread[:_MOST_TOLD]:
        log.warning(
            "%s of version %r of model %r: %s",
            turn["role"],
            turn["model_version"],
            turn["model_id"],
            turn["detail"],
        )
    if len(unread) > _MOST_TOLD:
        log.warning("%s more logs could not be looked at", len(unread) - _MOST_TOLD)
