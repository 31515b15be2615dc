"""Registry methods that read the latest verdicts of monitors."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from aporia_provider.backend.monitors.alert_settings import AlertSettings
from aporia_provider.backend.monitors.pending_windows import digest
from aporia_provider.backend.registration.scope import RegistryBase
from aporia_provider.backend.store.lookups import find_version
from aporia_provider.backend.store.monitor_tables import VerdictRow
from aporia_provider.backend.store.tables import MonitorRow
from aporia_provider.errors import ValidationError
from aporia_provider.verdicts import LatestVerdict, Verdict

_MOST_FIELDS = 20
_UNION = ""


class LatestVerdicts(RegistryBase):
    """Registry methods that read the latest verdicts of monitors."""

    def get_verdicts(
        self, model_id: str, model_version: str, *, end: datetime | None = None
    ) -> list[LatestVerdict]:
        """
        Return the latest verdict of each active monitor on a version, and on the union of all versions.

        A monitor of a segment has a verdict on each of its values.

        Verdicts of an earlier configuration of a monitor are left out.

        :param model_id: Id of the model.
        :param model_version: Name of the version.
        :param end: Timezone-aware time; windows that end later are left out.
        :return: The verdicts, in the order in which the monitors were created.
        :raises aporia_provider.errors.NotFoundError: if there is no such model or version.
        :raises aporia_provider.errors.ValidationError: if ``end`` is not a time with a time zone.
        """
        if end is not None and (not isinstance(end, datetime) or end.tzinfo is None):
            raise ValidationError(f"end: {end!r} is not a datetime with a time zone")
        with self.database.read_transaction() as session:
            find_version(session, self.environment, model_id, model_version)
            of_model = select(MonitorRow).filter_by(environment=self.environment, subject=model_id)
            every = session.scalars(of_model)
            monitors = {row.key: row for row in every if row.registration.get("is_active", True)}
            rows = _latest(session, monitors, model_version, end)
            verdict_rows = [(monitors[row.monitor_key], row) for row in rows]
            return [_public(monitor, row) for monitor, row in verdict_rows if _is_current(monitor, row)]


def _latest(
    session: Session, monitors: Iterable[int], version: str, end: datetime | None
) -> list[VerdictRow]:
    of_version = VerdictRow.version.in_([version, _UNION])
    conditions: list[ColumnElement[bool]] = [VerdictRow.monitor_key.in_(list(monitors)), of_version]
    if end is not None:
        conditions.append(VerdictRow.end <= int(end.timestamp()))
    group = (VerdictRow.monitor_key, VerdictRow.version, VerdictRow.segment)
    last = select(*group, func.max(VerdictRow.start).label("start")).where(*conditions).group_by(*group)
    newest = last.subquery()
    joined = and_(
        VerdictRow.monitor_key == newest.c.monitor_key,
        VerdictRow.version == newest.c.version,
        VerdictRow.segment == newest.c.segment,
        VerdictRow.start == newest.c.start,
    )
    query = select(VerdictRow).join(newest, joined)
    order = VerdictRow.monitor_key, VerdictRow.version, VerdictRow.segment
    return list(session.scalars(query.order_by(*order)))


def _is_current(monitor: MonitorRow, row: VerdictRow) -> bool:
    """Return whether a verdict was computed with the current configuration of its monitor."""
    return row.inputs.partition(":")[2].partition(":")[0] == digest(monitor.registration)


def _public(monitor: MonitorRow, row: VerdictRow) -> LatestVerdict:
    findings = row.findings
    return LatestVerdict(
        monitor_id=monitor.id,
        monitor=monitor.name,
        monitor_type=monitor.registration["type"],
        severity=AlertSettings.of(monitor.registration).severity,
        model_version=row.version or None,
        segment=row.segment or None,
        start=_time(row.start),
        end=_time(row.end),
        judged_at=row.judged_at.isoformat(),
        outcome=row.outcome,  # type: ignore[arg-type]
        passed=findings["passed"],
        failed_count=len(findings["failed"]),
        insufficient_count=len(findings["insufficient"]),
        failed=[Verdict.from_json(verdict) for verdict in findings["failed"][:_MOST_FIELDS]],
        reason=findings["reason"],
        # Verdicts of an older release do not have them.
        detectable=findings.get("detectable", {}),
    )


def _time(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()
