"""After how many windows a monitor finds a planted shift."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from aporia_provider.backend.deadlines import check_deadline
from aporia_provider.backend.monitors.fields import Subject
from aporia_provider.backend.monitors.measures import Measures
from aporia_provider.backend.monitors.monitor_plan import MonitorPlan, PlannedVersion, Planner
from aporia_provider.backend.monitors.monitored_model import MonitoredModel
from aporia_provider.backend.monitors.pending_windows import Limits
from aporia_provider.backend.monitors.planting.planted_version import PlantedShift, PlantedVersion
from aporia_provider.backend.monitors.planting.shifts import ShiftChoice
from aporia_provider.backend.monitors.replay_request import ReplayRequest
from aporia_provider.backend.monitors.targets import Place, Target, Targets
from aporia_provider.backend.monitors.window_judge import FailedWindow, WindowJudge
from aporia_provider.backend.monitors.windows import Window
from aporia_provider.errors import AporiaError
from aporia_provider.verdicts import Verdict

STARTS = 5
"""Number of times at which each shift is planted, evenly spaced in the range."""
MAX_WAIT = 30
"""Number of windows after which a shift counts as not found."""
MAX_FIELDS = 5
"""Number of fields into which a shift is planted, one after the other, in descending order of importance."""


@dataclass(frozen=True)
class Replayed:
    """
    A replay without shifts.

    :param windows: The windows by version and segment, the oldest first.
    :param failed: Segments, fields and starts of failed windows by version.
    """

    windows: Mapping[Place, Sequence[Window]]
    failed: Mapping[str, set[FailedWindow]]

    def fails(self, target: Target, field: str | None, window: Window) -> bool:
        """Return whether a field failed in a window."""
        return (target.segment, field, window.start) in self.failed.get(target.name or "", ())

    def failed_before(self, target: Target, second: int) -> dict[str, set[FailedWindow]]:
        """Return the segments, fields and starts of the failed windows that start before a time."""
        name = target.name or ""
        return {name: {each for each in self.failed.get(name, ()) if each[2] < second}}


@dataclass(frozen=True)
class _Position:
    """The windows of a version from the time on at which shifts are planted."""

    session: Session
    targets: Targets
    measures: Measures
    plan: MonitorPlan
    planned: PlannedVersion

    @property
    def since(self) -> int:
        """Start of the shifted data. The first window contains at most a step of it."""
        return self.planned.windows[0].end - self.plan.windows.step

    def with_shift(self, shift: PlantedShift) -> PlannedVersion:
        """Return the windows of the version with a shift."""
        target = self.planned.target
        shifted = PlantedVersion(self.session, target.version, shift, self.since)
        together = tuple(shifted if each is target.version else each for each in self.planned.together)
        return replace(self.planned, target=replace(target, version=shifted), together=together)


class PlantSearch:
    """
    Plants a shift into one field at a time, and judges the windows from there until the field fails.

    A window counts only if the field does not fail there without the shift.

    :param request: The monitor and the range.
    :param size: Size of the shift; None for the default of its kind.
    """

    def __init__(self, request: ReplayRequest, size: float | None) -> None:
        self._request, self._size = request, size
        self.left_out: dict[Place, int] = {}

    def run(self, replayed: Replayed) -> list[dict[str, Any]]:
        """
        Return an item for each version, field and time.

        :param replayed: The replay without shifts.
        """
        return [
            result
            for place, windows in replayed.windows.items()
            for first in _spaced(len(windows))
            for result in self._planted_with(replayed, place, windows[first : first + MAX_WAIT])
        ]

    def _planted_with(
        self, replayed: Replayed, place: Place, windows: Sequence[Window]
    ) -> Iterator[dict[str, Any]]:
        """Yield what is found of shifts that are planted with the first of some windows."""
        with self._request.database.read_transaction() as session:
            model = MonitoredModel(session, self._request.environment, self._request.model_id)
            targets, measures = Targets(session, model, self._request.limits.now, None), Measures(model)
            limits = Limits(self._request.limits.now, windows[0].start, windows[-1].moment)
            planner = Planner(session, targets, measures, limits)
            plan = planner.plan(self._request.monitor)
            plan.versions = [
                version for version in plan.versions if version.target.place == place and version.windows
            ]
            planner.prepare([plan])
            for planned in plan.versions:
                position = _Position(session, targets, measures, plan, planned)
                for subject in self._most_important_fields(planned):
                    check_deadline()
                    yield self._detection(position, replayed, subject)

    def _most_important_fields(self, planned: PlannedVersion) -> Sequence[Subject]:
        """Return the fields that shifts are planted into."""
        importance = planned.target.version.schema.feature_importance or {}

        def rank(subject: Subject) -> float:
            return -abs(importance.get((subject.field or "").partition(".")[2], 0.0))

        chosen = sorted(planned.subjects, key=rank)[:MAX_FIELDS]
        self.left_out[planned.target.place] = len(planned.subjects) - len(chosen)
        return chosen

    def _detection(self, position: _Position, replayed: Replayed, subject: Subject) -> dict[str, Any]:
        target = position.planned.target
        result: dict[str, Any] = {
            "model_version": target.name,
            "segment": target.segment or None,
            "field": subject.field,
            "shift": None,
            "planted_at": datetime.fromtimestamp(position.since, UTC).isoformat(),
            "found_after": None,
            "windows": 0,
            "reason": None,
        }
        try:
            shift = self._choice(position).shift(subject)
            result["shift"] = shift.description
            return result | self._searched(position, replayed, shift, subject)
        except AporiaError as error:
            return result | {"reason": error.message}

    def _choice(self, position: _Position) -> ShiftChoice:
        configuration, limits = position.plan.configuration, self._request.limits
        assert configuration is not None  # noqa: S101
        assert limits.start is not None  # noqa: S101
        assert limits.end is not None  # noqa: S101
        version = position.planned.target.version
        return ShiftChoice(configuration, version, position.measures, (limits.start, limits.end), self._size)

    def _searched(
        self, position: _Position, replayed: Replayed, shift: PlantedShift, subject: Subject
    ) -> dict[str, Any]:
        """Judge windows until the field fails."""
        targets = position.targets
        target, first = position.planned.target, position.planned.windows[0]
        failed = replayed.failed_before(target, first.start)
        environment, measures = self._request.environment, Measures(targets.model)
        judge = WindowJudge(position.session, environment, targets, measures, failed)
        verdict: Verdict | None = None
        judged = judge.windows(position.plan, position.with_shift(shift))
        for number, (window, verdicts) in enumerate(judged, 1):
            verdict = next(each for each in verdicts.verdicts if each.field == subject.field)
            if verdict.outcome == "fail" and not replayed.fails(target, subject.field, window):
                return {"found_after": number, "windows": number}
        reason = verdict.reason if verdict is not None and verdict.outcome == "insufficient" else None
        return {"windows": len(position.planned.windows), "reason": reason}


def _spaced(windows: int) -> list[int]:
    """Return evenly spaced places of windows."""
    return sorted({windows * step // STARTS for step in range(STARTS)}) if windows else []
