"""Stored verdicts of a monitor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.backend.monitors.incidents import JudgedWindow
from aporia_provider.backend.store.lookups import upsert_all
from aporia_provider.backend.store.monitor_tables import VerdictRow
from aporia_provider.backend.store.tables import MonitorRow
from aporia_provider.verdicts import Outcome, WindowVerdict

ROWS = ""
"""Field of a verdict on rows, and of the alerts on all fields of a monitor."""


MOST_DETECTABLE = 20
"""Number of fields whose detectable change is stored."""
_KEY = ("monitor_key", "version", "segment", "start")


def store_verdicts(
    session: Session,
    windows: Mapping[MonitorRow, Sequence[WindowVerdict]],
    version_keys: Mapping[str, int],
    now: datetime,
) -> None:
    """
    Store the verdicts of monitors on windows, replacing the stored ones.

    :param session: A session with a transaction.
    :param windows: The verdicts of each monitor.
    :param version_keys: Keys of the versions by name.
    :param now: Time of the evaluation.
    """
    rows = [
        {
            "monitor_key": monitor.key,
            "version": window.model_version or "",
            "segment": window.segment or "",
            "start": window.start,
            "version_key": version_keys[window.model_version] if window.model_version else None,
            "end": window.end,
            "outcome": window.outcome,
            "inputs": window.inputs,
            "judged_at": now,
            "findings": _findings(window),
        }
        for monitor, judged in windows.items()
        for window in judged
    ]
    upsert_all(session, VerdictRow, _KEY, rows)


def read_verdicts(
    session: Session, monitor_key: int, version: str, segment: str, since: int
) -> Sequence[VerdictRow]:
    """Return the stored verdicts on windows that end after ``since``, in chronological order."""
    query = select(VerdictRow).filter_by(monitor_key=monitor_key, version=version, segment=segment)
    return session.scalars(query.where(VerdictRow.end > since).order_by(VerdictRow.start)).all()


def judged_windows(rows: Sequence[VerdictRow], field: str | None) -> list[JudgedWindow]:
    """
    Return the outcome of each window.

    :param rows: The stored verdicts.
    :param field: The field; None for all fields.
    """
    return [JudgedWindow(row.start, row.end, _outcome(row, field)) for row in rows]


def failed_verdicts(findings: Mapping[str, Any], field: str | None) -> list[dict[str, Any]]:
    """Return the JSON forms of the failed verdicts, greatest effect first; None for those of all fields."""
    failed: list[dict[str, Any]] = findings["failed"]
    return [verdict for verdict in failed if field is None or (verdict["field"] or ROWS) == field]


def failed_fields(rows: Sequence[VerdictRow]) -> Iterator[str]:
    """Yield the fields that fail in any window."""
    for row in rows:
        yield from (verdict["field"] or ROWS for verdict in row.findings["failed"])


def _outcome(row: VerdictRow, field: str | None) -> Outcome:
    if field is None:
        return row.outcome  # type: ignore[return-value]
    if failed_verdicts(row.findings, field):
        return "fail"
    return "insufficient" if field in row.findings["insufficient"] else "pass"


def _findings(window: WindowVerdict) -> dict[str, Any]:
    insufficient = [verdict for verdict in window.verdicts if verdict.outcome == "insufficient"]
    return {
        "failed": [verdict.to_json() for verdict in window.failed],
        "passed": sum(verdict.outcome == "pass" for verdict in window.verdicts),
        "detectable": _detectable(window),
        "insufficient": [verdict.field or ROWS for verdict in insufficient],
        "reason": next((verdict.reason for verdict in insufficient), None),
        "description": window.description,
    }


def _detectable(window: WindowVerdict) -> dict[str, float]:
    known = {
        verdict.field or ROWS: verdict.detectable
        for verdict in window.verdicts
        if verdict.outcome == "pass" and verdict.detectable is not None
    }
    return dict(islice(known.items(), MOST_DETECTABLE))
