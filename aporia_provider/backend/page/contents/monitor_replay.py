"""Replay of a monitor with another promised rate of false alarms."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from aporia_provider.backend.deadlines import Deadline, DeadlineExceededError, apply_deadline
from aporia_provider.backend.monitors.windows import WindowPlan
from aporia_provider.backend.page.contents.monitor_words import promised_rate
from aporia_provider.backend.page.contents.page_days import DAY, PageDays
from aporia_provider.backend.registry import Registry
from aporia_provider.errors import ValidationError
from aporia_provider.models import Monitor
from aporia_provider.monitor_configuration import parse_configuration

REPLAY_SECONDS: Final = 10.0
"""Maximum duration of a replay."""
MAX_WINDOWS: Final = 200
"""Maximum number of windows of a replay."""
REPLAY_DAYS: Final = 90
LEAST_RATE: Final = 0.1
GREATEST_RATE: Final = 52.0
_YEAR = 365.25


@dataclass(frozen=True)
class ReplayedAlert:
    """
    An alert that the monitor would have raised.

    :param model_version: Name of the version; None for the union of all versions.
    :param start: Start of the first failed window.
    :param end: End of the last one.
    :param occurrences: Number of failed windows.
    :param failed: The fields that failed.
    :param segment: Segment and value; None for all rows.
    """

    model_version: str | None
    start: datetime
    end: datetime
    occurrences: int
    failed: tuple[str, ...]
    segment: str | None = None


@dataclass(frozen=True)
class MonitorReplay:
    """
    The alerts that a monitor would have raised.

    :param monitor: Name of the monitor.
    :param false_alarms_a_year: The rate that it was replayed with.
    :param configured: The rate of its configuration.
    :param days: The days that it was replayed on.
    :param windows: Number of judged windows.
    :param verdicts: Numbers of verdicts by outcome.
    :param alerts: The alerts, in chronological order.
    :param notes: Problems of the configuration, and notes on insufficient data.
    :param problem: Why there is no replay; None if there is.
    """

    monitor: str
    false_alarms_a_year: float
    configured: float
    days: PageDays
    windows: int = 0
    verdicts: Mapping[str, int] = field(default_factory=dict)
    alerts: tuple[ReplayedAlert, ...] = ()
    notes: tuple[str, ...] = ()
    problem: str | None = None

    @property
    def expected_false_alarms(self) -> float:
        """Number of false alarms that the rate permits in the days."""
        return self.false_alarms_a_year * (self.days.end - self.days.start).days / _YEAR


def check_rate(rate: Any) -> float:
    """
    Return a number of false alarms a year.

    :raises aporia_provider.errors.ValidationError: if it is not a number from :data:`LEAST_RATE` to
        :data:`GREATEST_RATE`.
    """
    try:
        number = math.nan if isinstance(rate, bool) else float(rate)
    except (TypeError, ValueError):
        number = math.nan
    if not LEAST_RATE <= number <= GREATEST_RATE:
        raise ValidationError(
            f"false_alarms_a_year: {rate!r} is not a number from {LEAST_RATE:g} to {GREATEST_RATE:g}"
        )
    return number


def replay(
    registry: Registry,
    model_id: str,
    registration: Mapping[str, Any],
    rate: float | None,
    days: PageDays,
) -> MonitorReplay:
    """
    Replay a monitor on the last days with serving data.

    :param registry: The registry of an environment.
    :param model_id: Id of the model.
    :param registration: Registration of the monitor.
    :param rate: Number of false alarms a year; None for the number in its configuration.
    :param days: The days with serving data; at most the last :data:`REPLAY_DAYS` of them are replayed.
    :raises aporia_provider.errors.ValidationError: if the monitor has fixed limits, or its configuration is
        not valid.
    """
    configuration = parse_configuration(registration["type"], registration["configuration"])
    configured = promised_rate(configuration)
    if configured is None:
        name = registration["name"]
        raise ValidationError(f"Monitor {name!r} has fixed limits, so it has no rate of false alarms")
    chosen = configured if rate is None else check_rate(rate)
    step = WindowPlan(configuration).step
    most = timedelta(days=max(1, min(REPLAY_DAYS, MAX_WINDOWS * step // DAY)))
    shown = PageDays(max(days.start, days.end - most), days.end)
    replayed = MonitorReplay(registration["name"], chosen, configured, shown)
    try:
        with apply_deadline(Deadline(REPLAY_SECONDS)):
            report = registry.replay_monitor(
                model_id, _with_rate(registration, chosen), start=shown.start, end=shown.end
            )
    except DeadlineExceededError:
        return _too_long(replayed)
    return _replayed(replayed, report)


def _with_rate(registration: Mapping[str, Any], rate: float) -> Monitor:
    changed = copy.deepcopy(dict(registration))
    changed["configuration"]["configuration"]["logicEvaluations"][0]["falseAlarmsAYear"] = rate
    return Monitor.from_wire(changed)


def _too_long(replayed: MonitorReplay) -> MonitorReplay:
    problem = (
        f"The replay takes more than {REPLAY_SECONDS:g} seconds. Run it with the command "
        f"aporia-provider monitors replay, whose time is not limited"
    )
    return MonitorReplay(
        replayed.monitor, replayed.false_alarms_a_year, replayed.configured, replayed.days, problem=problem
    )


def _replayed(replayed: MonitorReplay, report: Mapping[str, Any]) -> MonitorReplay:
    alerts = tuple(
        ReplayedAlert(
            alert["model_version"],
            datetime.fromisoformat(alert["start"]),
            datetime.fromisoformat(alert["end"]),
            alert["occurrences"],
            tuple(alert["failed"]),
            alert["segment"],
        )
        for alert in report["alerts"]
    )
    return MonitorReplay(
        replayed.monitor,
        replayed.false_alarms_a_year,
        replayed.configured,
        replayed.days,
        report["windows"],
        report["verdicts"],
        alerts,
        (*report["problems"], *report["notes"]),
    )
