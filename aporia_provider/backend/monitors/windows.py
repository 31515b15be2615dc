"""Time windows that monitors judge, and windows of their baselines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aporia_provider.monitor_configuration import MonitorConfiguration
from aporia_provider.monitor_configuration.spans import DAY, Span

HISTORY = 126
"""
Number of windows that rules with a promised rate of false alarms look back: 18 weeks of days. A baseline
that is shorter is extended, since a low rate of false alarms requires many windows.
"""


@dataclass(frozen=True, order=True)
class Window:
    """
    A window of focal data, in seconds since 1970.

    :param start: Start.
    :param end: End, exclusive.
    :param moment: Time from which windows are counted back: the end, plus the skipped time.
    """

    start: int
    end: int
    moment: int


Range = tuple[int, int]
"""Half-open range in seconds since 1970."""


class WindowPlan:
    """
    The windows of a monitor.

    Windows shorter than a day follow each other; longer ones end with each day (UTC).

    :param configuration: Configuration of the monitor.
    """

    def __init__(self, configuration: MonitorConfiguration) -> None:
        self._focal, self._baseline = configuration.focal, configuration.baseline
        self._aggregation = configuration.aggregation
        period = self._focal.period
        self.step = min(DAY, int(period.seconds))
        """Time from the end of a window to the end of the next window, in seconds."""

    def problem(self, bucket_seconds: int) -> str | None:
        """Return why windows do not consist of whole buckets; None if they do."""
        if bucket_seconds < DAY:
            return None
        spans = {
            "focal.timePeriod": self._focal.time_period,
            "focal.skipPeriod": self._focal.skip_period,
            "baseline.timePeriod": self._baseline and self._baseline.time_period,
            "baseline.skipPeriod": self._baseline and self._baseline.skip_period,
            "baseline.aggregationPeriod": self._baseline and self._baseline.aggregation_period,
        }
        parts = [
            name for name, text in spans.items() if text and Span.of(text).seconds % DAY and text[-1] == "h"
        ]
        return f"the buckets of this model are days: {', '.join(parts)} must be whole days" if parts else None

    def at(self, moment: int) -> Window:
        """Return the window that is judged at a time."""
        end = self._focal.skip.before(moment) if self._focal.skip else moment
        return Window(self._focal.period.before(end), end, moment)

    def backwards(self, horizon: int) -> Iterator[Window]:
        """Yield the windows whose data is complete at a time, the latest first."""
        moment = horizon // self.step * self.step
        while True:
            yield self.at(moment)
            moment -= self.step

    def baseline(self, window: Window) -> Range | None:
        """
        Return the range of a baseline of serving data; None for one of training data.

        Without ``skipPeriod``, it ends where the window starts.
        """
        baseline = self._baseline
        if baseline is None or baseline.time_period is None:
            return None
        skip = baseline.skip_period
        end = Span.of(skip).before(window.moment) if skip else window.start
        return Span.of(baseline.time_period).before(end), end

    def parts(self, window: Window, least: int = 0) -> list[Range]:
        """
        Return the parts of the baseline, each as long as an aggregation period, the oldest first.

        :param window: The window.
        :param least: Number of parts to which a shorter baseline is extended.
        """
        within = self.baseline(window)
        ranges: list[Range] = []
        if within is None:
            return ranges
        start, end = within
        while (first := self._aggregation.before(end)) >= start or len(ranges) < least:
            ranges.append((first, end))
            end = first
        return ranges[::-1]

    @property
    def windows_a_year(self) -> float:
        """Number of windows in a year."""
        return 365.25 * DAY / self.step

    @property
    def aggregation_seconds(self) -> float:
        """Length of a part of the baseline."""
        return self._aggregation.seconds
