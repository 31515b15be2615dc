"""Replay of a monitor: the alerts that it would have raised."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from aporia_provider.backend.deadlines import check_deadline
from aporia_provider.backend.monitors.alert_settings import AlertSettings
from aporia_provider.backend.monitors.incidents import Incident, JudgedWindow, find_incidents
from aporia_provider.backend.monitors.measures import Measures
from aporia_provider.backend.monitors.monitor_plan import MonitorPlan, Planner
from aporia_provider.backend.monitors.monitored_model import MonitoredModel
from aporia_provider.backend.monitors.pending_windows import MAX_WINDOWS, Limits
from aporia_provider.backend.monitors.planting.search import PlantSearch, Replayed
from aporia_provider.backend.monitors.replay_request import ReplayRequest
from aporia_provider.backend.monitors.targets import Place, Targets
from aporia_provider.backend.monitors.window_judge import FailedWindow, WindowJudge
from aporia_provider.backend.monitors.windows import Window
from aporia_provider.errors import ValidationError
from aporia_provider.verdicts import OUTCOMES, Outcome, WindowVerdict

MAX_REPLAYED = 1_000
"""Maximum number of windows of a replay."""


class Replay:
    """
    Verdicts of a monitor on the windows of a range, as if it had been evaluated after each.

    Nothing is stored. Alerts count as not acknowledged. The current states are used, with late data and
    labels.

    :param request: The monitor and the range.
    :param plant: Size of the shift that is planted; True for the default of its kind, False for none.
    """

    def __init__(self, request: ReplayRequest, plant: float | bool = False) -> None:
        self._request, self._plant = request, plant
        self._windows: dict[Place, list[Window]] = defaultdict(list)
        self._failed: dict[str, set[FailedWindow]] = {}
        self._verdicts: dict[Place, dict[int, WindowVerdict]] = defaultdict(dict)
        self._problems: list[str] = []

    def run(self) -> dict[str, Any]:
        """
        Judge the windows.

        :return: ``monitor``, the number of ``windows``, the numbers of ``verdicts`` by outcome, the
            ``alerts``, ``problems`` of the configuration, and ``notes`` on insufficient data; ``planted`` if
            shifts are planted.
        """
        for limits in self._steps():
            check_deadline()
            with self._request.database.read_transaction() as session:
                self._judge(session, limits)
        report = self._report()
        return report if self._plant is False else self._with_planted(report)

    def _with_planted(self, report: dict[str, Any]) -> dict[str, Any]:
        size = None if self._plant is True else float(self._plant)
        search = PlantSearch(self._request, size)
        failed: dict[str, set[FailedWindow]] = defaultdict(set)
        for (version, segment), windows in self._verdicts.items():
            failed[version] |= {
                (segment, verdict.field, start)
                for start, window in windows.items()
                for verdict in window.failed
            }
        planted = search.run(Replayed(self._windows, failed))
        notes = [
            f"{_described(place)}: no shift was planted into {count} fields of less importance"
            for place, count in search.left_out.items()
            if count
        ]
        return {**report, "notes": [*report["notes"], *notes], "planted": planted}

    def _steps(self) -> Iterator[Limits]:
        """Yield ranges of at most as many windows as are judged at once."""
        start, end, now = self._request.limits.start, self._request.limits.end, self._request.limits.now
        assert start is not None  # noqa: S101
        assert end is not None  # noqa: S101
        step = self._step()
        if (end - start) / step > MAX_REPLAYED:
            raise ValidationError(f"The range has more than {MAX_REPLAYED} windows")
        for first in range(start, end, MAX_WINDOWS * step):
            yield Limits(now, first, min(first + MAX_WINDOWS * step, end))

    def _step(self) -> int:
        with self._request.database.read_transaction() as session:
            plan = self._planner(session, self._request.limits)[0].plan(self._request.monitor)
        return 86_400 if plan.configuration is None else plan.windows.step

    def _planner(self, session: Session, limits: Limits) -> tuple[Planner, Targets, Measures]:
        model = MonitoredModel(session, self._request.environment, self._request.model_id)
        targets, measures = Targets(session, model, limits.now, None), Measures(model)
        return Planner(session, targets, measures, limits), targets, measures

    def _judge(self, session: Session, limits: Limits) -> None:
        planner, targets, measures = self._planner(session, limits)
        plan = planner.plan(self._request.monitor)
        planner.prepare([plan])
        judge = WindowJudge(session, self._request.environment, targets, measures, self._failed)
        for version in judge.judged(plan):
            for window, verdict in version.windows:
                place = verdict.model_version or "", verdict.segment or ""
                self._verdicts[place][window.start] = verdict
                self._windows[place].append(window)
        self._note(plan)

    def _note(self, plan: MonitorPlan) -> None:
        self._problems += [problem for problem in plan.problems if problem not in self._problems]

    def _report(self) -> dict[str, Any]:
        windows = [verdict for by_window in self._verdicts.values() for verdict in by_window.values()]
        counts = Counter(verdict.outcome for window in windows for verdict in window.verdicts)
        reasons = [
            f"{f'{window.segment}: ' if window.segment else ''}{verdict.field or 'rows'}: {verdict.reason}"
            for window in windows
            for verdict in window.verdicts
            if verdict.outcome == "insufficient"
        ]
        return {
            "monitor": self._request.monitor.registration["name"],
            "windows": len(windows),
            "verdicts": {outcome: counts[outcome] for outcome in OUTCOMES},
            "alerts": sorted(self._alerts(), key=lambda alert: alert["start"]),
            "problems": self._problems,
            "notes": list(dict.fromkeys(reasons))[:5],
        }

    def _alerts(self) -> Iterator[dict[str, Any]]:
        settings = AlertSettings.of(self._request.monitor.registration)
        for place, verdicts in self._verdicts.items():
            fields = {verdict.field for window in verdicts.values() for verdict in window.failed}
            for field in sorted(fields, key=str) if settings.by_field else [None]:
                judged = [
                    JudgedWindow(window.start, window.end, _outcome(window, field, settings.by_field))
                    for window in verdicts.values()
                ]
                for incident in find_incidents(judged, settings.repeat_seconds):
                    last = verdicts[incident.windows[-1].start]
                    failed = [each.field or each.metric for each in last.failed]
                    yield _alert_of(place, incident, [str(field)] if settings.by_field else failed, last)


def _outcome(window: WindowVerdict, field: str | None, by_field: bool) -> Outcome:
    if not by_field:
        return window.outcome
    outcome: Outcome = next(
        (verdict.outcome for verdict in window.verdicts if verdict.field == field), "insufficient"
    )
    return outcome


def _described(place: Place) -> str:
    version, segment = place
    return f"version {version or 'all'}{f', {segment}' if segment else ''}"


def _alert_of(place: Place, incident: Incident, failed: list[str], last: WindowVerdict) -> dict[str, Any]:
    start, end = incident.windows[0].start, incident.windows[-1].end
    return {
        "model_version": place[0] or None,
        "segment": place[1] or None,
        "start": datetime.fromtimestamp(start, UTC).isoformat(),
        "end": datetime.fromtimestamp(end, UTC).isoformat(),
        "occurrences": len(incident.windows),
        "failed": failed,
        "description": last.description,
    }
