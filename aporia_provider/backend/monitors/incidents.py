"""Incidents: failed windows of a monitor that belong together, derived from stored verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from aporia_provider.verdicts import Outcome


@dataclass(frozen=True, order=True)
class JudgedWindow:
    """
    Outcome of a window, for a version or for one field of it.

    :param start: Start in seconds since 1970.
    :param end: End, exclusive.
    :param outcome: The outcome.
    """

    start: int
    end: int
    outcome: Outcome


@dataclass
class Incident:
    """
    Failed windows that belong together.

    :param windows: The failed windows in chronological order, at least one.
    :param is_over: Whether a later window passed.
    """

    windows: list[JudgedWindow] = field(default_factory=list)
    is_over: bool = False

    @property
    def starts(self) -> set[int]:
        """Starts of the failed windows."""
        return {window.start for window in self.windows}


def find_incidents(windows: Iterable[JudgedWindow], repeat_seconds: int = 0) -> list[Incident]:
    """
    Return the incidents in the judged windows of a monitor.

    An incident lasts until a window passes; insufficient windows neither extend nor end it. A failed window
    that starts within ``repeat_seconds`` of the end of the last failed window continues it.

    :param windows: The windows, in any order.
    :param repeat_seconds: See :class:`~.alert_settings.AlertSettings`.
    """
    incidents: list[Incident] = []
    for window in sorted(windows):
        last = incidents[-1] if incidents else None
        if window.outcome == "fail":
            if last is None or not _continues(last, window, repeat_seconds):
                last = Incident()
                incidents.append(last)
            last.windows.append(window)
            last.is_over = False
        elif window.outcome == "pass" and last is not None:
            last.is_over = True
    return incidents


def _continues(incident: Incident, window: JudgedWindow, repeat_seconds: int) -> bool:
    return not incident.is_over or window.start - incident.windows[-1].end < repeat_seconds


@dataclass
class Match:
    """
    Stored alerts and incidents that share windows.

    :param alerts: Positions of the alerts.
    :param incidents: The incidents in chronological order.
    """

    alerts: set[int]
    incidents: list[Incident]


def match_alerts(alerts: Sequence[set[int]], incidents: Sequence[Incident]) -> list[Match]:
    """
    Match stored alerts with incidents by the windows that they share, also indirectly.

    If late labels change the outcome of a window, two alerts may turn out to be one incident, or one alert
    two incidents; both become one match.

    :param alerts: Starts of the windows of each alert.
    :param incidents: The incidents in chronological order.
    :return: One match for each incident or alert, in the order of the incidents; then for alerts whose
        windows no longer fail.
    """
    matches: list[Match] = []
    for incident in incidents:
        shared = {index for index, starts in enumerate(alerts) if starts & incident.starts}
        joined = [match for match in matches if match.alerts & shared]
        merged = Match(shared, [incident])
        for match in joined:
            merged = Match(merged.alerts | match.alerts, [*match.incidents, *merged.incidents])
            matches.remove(match)
        matches.append(merged)
    matched = set().union(*(match.alerts for match in matches)) if matches else set()
    return [*matches, *(Match({index}, []) for index in range(len(alerts)) if index not in matched)]
