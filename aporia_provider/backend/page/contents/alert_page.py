"""Contents of the view of an alert."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from aporia_provider.alerts import Alert
from aporia_provider.backend.deadlines import Deadline, DeadlineExceededError, apply_deadline
from aporia_provider.backend.monitors.alert_explanation import explain_change_of
from aporia_provider.backend.monitors.alert_reading import alerts_of, read_alerts
from aporia_provider.backend.monitors.alert_segments import find_alert_segment
from aporia_provider.backend.monitors.verdict_history import verdict_history
from aporia_provider.backend.page.contents.concerned_rows import ConcernedRows, concerned_rows
from aporia_provider.backend.registry import Registry
from aporia_provider.backend.store.lookups import find_version
from aporia_provider.backend.store.monitor_tables import AlertRow
from aporia_provider.backend.store.tables import MonitorRow
from aporia_provider.errors import AporiaError, NotFoundError
from aporia_provider.explanations import ChangeExplanation
from aporia_provider.schema import VersionSchema
from aporia_provider.segment_changes import MAX_LISTED, TermChange, ranked_terms
from aporia_provider.segment_values import SegmentValue
from aporia_provider.verdicts import Verdict, WindowVerdict

SECONDS = 5.0
"""Time limit in seconds of each part of the view that is computed."""

T = TypeVar("T")


@dataclass(frozen=True)
class WindowPoint:
    """
    A verdict on one field in a window.

    :param start: Start of the window.
    :param end: End of the window, exclusive.
    :param verdict: The verdict.
    """

    start: datetime
    end: datetime
    verdict: Verdict


@dataclass(frozen=True)
class AlertPage:
    """
    Contents of the view of an alert.

    :param alert: The alert.
    :param points: Verdicts on the worst field before and during the alert, in chronological order.
    :param points_note: Why there are only the verdicts of the alert itself; None if there are all.
    :param explanation: Division of the change of a metric of performance; None if there is none.
    :param explanation_note: Why there is no explanation.
    :param rows: The statement that selects the rows.
    :param segment: The segment whose rows the alert is about; None if it is about all rows, or the segment
        was deleted.
    """

    alert: Alert
    points: Sequence[WindowPoint]
    points_note: str | None
    explanation: ChangeExplanation | None
    explanation_note: str | None
    rows: ConcernedRows
    segment: SegmentValue | None

    @property
    def terms(self) -> Sequence[TermChange]:
        """Terms of segments: those whose metric has changed first, then by contribution."""
        return () if self.explanation is None else ranked_terms(self.explanation.segments)[:MAX_LISTED]


def find_page_alert(registry: Registry, model_id: str, alert_id: str) -> Alert:
    """
    Return an alert of a model.

    :raises aporia_provider.errors.NotFoundError: if there is no such alert.
    """
    query = alerts_of(registry.environment).where(AlertRow.id == alert_id, MonitorRow.subject == model_id)
    with registry.database.read_transaction() as session:
        result = session.execute(query).first()
        if result is None:
            raise NotFoundError("There is no such alert", status=404)
        return read_alerts(session, [(result[0], result[1])])[0]


def alert_page(registry: Registry, model_id: str, alert_id: str) -> AlertPage:
    """
    Return the contents of the view of an alert.

    :param registry: The registry.
    :param model_id: Id of the model.
    :param alert_id: Id of the alert.
    :raises aporia_provider.errors.NotFoundError: if there is no such alert.
    """
    alert = find_page_alert(registry, model_id, alert_id)
    windows, points_note = _attempted(lambda: verdict_history(registry.database, registry.environment, alert))
    points = _points(windows or (), alert.failed[0])
    explanation, explanation_note = _attempted(lambda: explain_change_of(registry, alert))
    segment, _ = _attempted(lambda: find_alert_segment(registry, alert))
    return AlertPage(
        alert,
        points or [_last_point(alert)],
        points_note,
        explanation,
        explanation_note,
        _rows(registry, alert, None if segment is None else segment.condition),
        None if segment is None else segment.value,
    )


def _attempted(compute: Callable[[], T]) -> tuple[T | None, str | None]:
    """Return a part of the view; or None and why there is none, if it takes too long or is not possible."""
    try:
        with apply_deadline(Deadline(SECONDS)):
            return compute(), None
    except DeadlineExceededError:
        return None, f"The computation takes longer than {SECONDS:g} seconds."
    except AporiaError as error:
        return None, error.message


def _points(windows: Sequence[WindowVerdict], worst: Verdict) -> list[WindowPoint]:
    return [
        WindowPoint(_time(window.start), _time(window.end), verdict)
        for window in windows
        for verdict in window.verdicts
        if verdict.field == worst.field
    ]


def _last_point(alert: Alert) -> WindowPoint:
    """Return the last failed window. Only its end is stored with the alert, so it is shown as a moment."""
    end = datetime.fromisoformat(alert.end)
    return WindowPoint(datetime.fromisoformat(alert.start), end, alert.failed[0])


def _rows(registry: Registry, alert: Alert, segment_condition: str | None) -> ConcernedRows:
    if alert.model_version is None:
        return ConcernedRows(None, "The alert is about all versions; their rows are in several tables.")
    connected = registry.get_datasets(alert.model_id, alert.model_version)
    datasets = {dataset.role: dataset for dataset in connected}
    with registry.database.read_transaction() as session:
        row = find_version(session, registry.environment, alert.model_id, alert.model_version)
        schema = VersionSchema.from_wire(row.registration)
    return concerned_rows(alert, datasets, schema, segment_condition)


def _time(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
