"""Registry methods that evaluate monitors."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from aporia_provider.backend.registration.scope import RegistryBase
from aporia_provider.backend.store.lookups import find_model, find_version
from aporia_provider.backend.store.tables import MonitorRow, utc_now
from aporia_provider.errors import NotFoundError, ValidationError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.models import Monitor
from aporia_provider.nearest import nearest

if TYPE_CHECKING:
    from aporia_provider.backend.freshness.tables import FindCredentials
    from aporia_provider.backend.monitors.monitor_plan import StoredMonitor

log = logging.getLogger(__name__)

MAX_SHIFT = 1000
"""Maximum size of a planted shift."""


class MonitorEvaluations(RegistryBase):
    """Registry methods that evaluate monitors."""

    def evaluate_monitors(
        self,
        model_id: str,
        model_version: str | None = None,
        *,
        now: datetime | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> dict[str, Any]:
        """
        Judge the windows of a model's monitors whose data is complete and has changed since.

        The first evaluation of a monitor judges its latest window only, unless ``start`` is given.

        :param model_id: Id of the model.
        :param model_version: The only version to judge, apart from the union of all versions. Default: all.
        :param now: Timezone-aware time of the evaluation. Default: the current time.
        :param start: Start of the first window. At most 100 windows of a version are judged, the latest ones.
        :param end: End of the last window. Default: the latest whose data is complete.
        :return: ``model_id``; the numbers of ``windows`` and, by outcome, of ``verdicts``; the numbers of
            alerts ``opened`` and ``resolved``; and ``monitors``, with the same of each active monitor (its
            alerts by id), the number of older windows that were ``left_out``, ``problems`` of its
            configuration, and ``notes`` on insufficient data.
        :raises aporia_provider.errors.NotFoundError: if there is no such model or version.
        :raises aporia_provider.errors.ValidationError: if a time is invalid; all problems are listed.
        """
        _check_times(now=now, start=start, end=end)
        monitors = self._active_monitors(model_id, model_version)
        if not monitors:
            return _report(model_id, [])
        from aporia_provider.backend.monitors.evaluation import Evaluation
        from aporia_provider.backend.monitors.pending_windows import Limits

        moment = now or utc_now()
        limits = Limits(int(moment.timestamp()), _second(start), _second(end))
        evaluation = Evaluation(
            self.database, self.environment, model_id, model_version, limits, moment.astimezone(UTC)
        )
        return _report(model_id, [report.to_json() for report in evaluation.run(monitors)])

    def read_table_histories(
        self,
        model_id: str,
        *,
        find_credentials: FindCredentials = AwsCredentials,
        now: datetime | None = None,
    ) -> dict[str, Any]:
        """
        Read the new commits of the tables that monitors of the type ``table_freshness`` judge, and store
        their times.

        Evaluations judge the tables from what is stored, without access to S3. Without such monitors, nothing
        is read. Of each table, the newest 500 commits are kept.

        :param model_id: Id of the model.
        :param find_credentials: Function that returns the credentials for S3; called only if a table is on
            S3.
        :param now: Timezone-aware time of the call. Default: the current time.
        :return: ``model_id``, the number of ``tables`` that were read, and ``problems`` of others.
        :raises aporia_provider.errors.NotFoundError: if there is no such model.
        """
        from aporia_provider.backend.monitors.table_histories import TableHistories

        monitors = self._active_monitors(model_id, None)
        return TableHistories(self, model_id, monitors).update(find_credentials, now or utc_now())

    def replay_monitor(
        self,
        model_id: str,
        monitor: str | Monitor,
        *,
        start: datetime,
        end: datetime,
        plant: float | bool = False,
    ) -> dict[str, Any]:
        """
        Return the alerts that a monitor would have raised; nothing is stored.

        Its windows are judged in order, from the states of today: with late data and late labels. Alerts
        count as not acknowledged. Of ``model_activity``, windows after the last row are left out.

        With ``plant``, shifts are planted into the states in memory, at five times in the range and into one
        field at a time, and the windows from there are judged until the field fails, where it does not fail
        without the shift. At most 30 windows are judged, and at most the five fields of a version of
        greatest importance. The kind of the shift follows from the metric; its default size is:

        * numeric fields: all values increase by 0.5 standard deviations of the range
        * fields with categories: 0.1 of the values are replaced by the rarest category of the baseline, for
          ``new_values`` and ``values_range`` by a new value
        * missing values: their share increases by 1 times itself, so it doubles, and to at least 0.05 times 1
        * rows: 0.5 of them are missing
        * classification: accuracy decreases by 0.02, because labels become wrong
        * regression: errors increase by 0.1 of themselves

        Of numeric fields, minimum, maximum, mean and variance are exact; numbers by bin are approximated by a
        uniform distribution within each bin.

        :param model_id: Id of the model.
        :param monitor: Name of a monitor of the model, or a monitor that need not be created.
        :param start: Start of the first window.
        :param end: End of the last window.
        :param plant: True, or the size of the shift in the unit above, which is 0.5, 0.1, 1, 0.5, 0.02 or 0.1
            by default.
        :return: ``monitor``, its name; the number of ``windows``; the numbers of ``verdicts`` by outcome;
            ``alerts`` with ``model_version``, ``segment``, ``start``, ``end``, ``occurrences``, ``failed``
            and ``description``; ``problems`` of the configuration, and ``notes`` on insufficient data. With
            ``plant``, ``planted`` with ``model_version``, ``segment``, ``field``, ``shift`` (what was
            planted), ``planted_at``, ``found_after`` (number of windows; None if it was not found), the
            number of ``windows`` that were judged, and the ``reason`` why nothing was planted, or why the
            last window has no verdict.
        :raises aporia_provider.errors.NotFoundError: if there is no such model or monitor.
        :raises aporia_provider.errors.ValidationError: if a time or the size is invalid, or the range has
            more than 1,000 windows.
        """
        _check_replay(start, end, plant)
        from aporia_provider.backend.monitors.pending_windows import Limits
        from aporia_provider.backend.monitors.replay import Replay
        from aporia_provider.backend.monitors.replay_request import ReplayRequest

        stored = self._replayed(model_id, monitor)
        limits = Limits(int(utc_now().timestamp()), _second(start), _second(end))
        request = ReplayRequest(self.database, self.environment, model_id, stored, limits)
        return Replay(request, plant).run()

    def _replayed(self, model_id: str, monitor: str | Monitor) -> StoredMonitor:
        """Return a monitor without stored verdicts."""
        from aporia_provider.backend.monitors.monitor_plan import StoredMonitor

        with self.database.read_transaction() as session:
            find_model(session, self.environment, model_id)
            if isinstance(monitor, Monitor):
                return StoredMonitor(-1, "", monitor.to_wire(), utc_now())
            of_model = select(MonitorRow).filter_by(environment=self.environment, subject=model_id)
            rows = {row.name: row.registration for row in session.scalars(of_model)}
        if monitor not in rows:
            raise NotFoundError(f"Model {model_id!r} has no monitor {monitor!r}; {nearest(monitor, rows)}")
        return StoredMonitor(-1, "", rows[monitor], utc_now())

    def get_monitors(self, model_id: str | None = None) -> list[dict[str, Any]]:
        """
        Return monitors in the order of their creation.

        :param model_id: The model. Default: all models.
        :return: ``id``, ``model_id``, ``created_at``, the keys of the registration, and ``problems`` of the
            configuration.
        :raises aporia_provider.errors.NotFoundError: if there is no such model.
        """
        query = select(MonitorRow).where(MonitorRow.environment == self.environment)
        with self.database.read_transaction() as session:
            if model_id is not None:
                query = query.where(MonitorRow.subject == find_model(session, self.environment, model_id).id)
            return [_listed_monitor(row) for row in session.scalars(query.order_by(MonitorRow.key))]

    def _active_monitors(self, model_id: str, model_version: str | None) -> list[Any]:
        from aporia_provider.backend.monitors.monitor_plan import StoredMonitor

        with self.database.read_transaction() as session:
            if model_version is None:
                find_model(session, self.environment, model_id)
            else:
                find_version(session, self.environment, model_id, model_version)
            of_model = select(MonitorRow).filter_by(environment=self.environment, subject=model_id)
            monitors = [StoredMonitor.of(row) for row in session.scalars(of_model.order_by(MonitorRow.key))]
        return [monitor for monitor in monitors if monitor.is_active]

    def _evaluate_after_sync(
        self, model_id: str, model_version: str, credentials: AwsCredentials | None
    ) -> dict[str, Any] | None:
        """
        Evaluate the monitors of a model; an error does not fail the sync.

        :return: See :meth:`evaluate_monitors`, or ``error``; None if the model has no active monitors.
        """
        try:
            self.read_table_histories(model_id, find_credentials=lambda: credentials)
            report = self.evaluate_monitors(model_id, model_version)
        except Exception as error:
            log.exception("The monitors of model %r could not be evaluated", model_id)
            return {"error": f"{type(error).__name__}: the monitors could not be evaluated, see the log"}
        return report if report["monitors"] else None


def _check_times(**times: datetime | None) -> None:
    if problems := _time_problems(**times):
        raise ValidationError("The monitors cannot be evaluated", problems=problems)


def _check_replay(start: datetime, end: datetime, plant: float | bool) -> None:
    problems = _time_problems(start=start, end=end)
    if not isinstance(plant, int | float) or not 0 <= plant <= MAX_SHIFT:
        problems.append(f"plant: {plant!r} is neither a flag nor a number from 0 to {MAX_SHIFT}")
    if problems:
        raise ValidationError("The monitor cannot be replayed", problems=problems)


def _time_problems(**times: datetime | None) -> list[str]:
    problems = [
        f"{name}: {time!r} is not a datetime with a time zone"
        for name, time in times.items()
        if time is not None and (not isinstance(time, datetime) or time.tzinfo is None)
    ]
    start, end = times["start"], times["end"]
    if not problems and start is not None and end is not None and start >= end:
        problems.append(f"start {start.isoformat()} is not before end {end.isoformat()}")
    return problems


def _second(time: datetime | None) -> int | None:
    return None if time is None else int(time.timestamp())


def _report(model_id: str, monitors: list[dict[str, Any]]) -> dict[str, Any]:
    verdicts: Counter[str] = Counter({"pass": 0, "fail": 0, "insufficient": 0})
    for monitor in monitors:
        verdicts.update(monitor["verdicts"])
    return {
        "model_id": model_id,
        "windows": sum(monitor["windows"] for monitor in monitors),
        "verdicts": dict(verdicts),
        "opened": sum(len(monitor["opened"]) for monitor in monitors),
        "resolved": sum(len(monitor["resolved"]) for monitor in monitors),
        "monitors": monitors,
    }


def _listed_monitor(row: MonitorRow) -> dict[str, Any]:
    from aporia_provider.monitor_configuration import parse_configuration

    try:
        parse_configuration(row.registration["type"], row.registration["configuration"])
        problems: list[str] = []
    except ValidationError as error:
        problems = error.problems or [error.message]
    created = row.created_at.isoformat()
    return {
        "id": row.id,
        "model_id": row.subject or None,
        "created_at": created,
        **row.registration,
        "problems": problems,
    }
