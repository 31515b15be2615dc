"""What a rule judges: a window of a version, with the fields and the metric of the monitor."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from aporia_provider.backend.monitors.fields import Subject
from aporia_provider.backend.monitors.measures import BaselineData, Measures, Question
from aporia_provider.backend.monitors.version_states import MonitoredVersion
from aporia_provider.backend.monitors.windows import Window, WindowPlan
from aporia_provider.metric_results import MetricResult
from aporia_provider.monitor_configuration import MonitorConfiguration
from aporia_provider.verdicts import Outcome, Verdict

NO_BASELINE = "there is no data in the baseline"


@dataclass(frozen=True)
class Case:
    """
    A window of a version that a monitor judges.

    :param configuration: Configuration of the monitor.
    :param plan: Windows of the monitor.
    :param version: The version.
    :param window: The window.
    :param subjects: The fields.
    :param measures: Metrics of the model.
    :param question: The metric.
    :param first: Start of the first bucket with rows; None if there are none. If states were dropped, the
        start of the range in which windows like this one have all of theirs.
    :param created: Times, in seconds since 1970, at which the versions of the model were registered.
    :param excluded: Text of the value of the segment, field and start of earlier windows that failed; rules
        that compare with the past leave them out.
    :param together: The versions that are judged together: the values of the segment, or the version alone.
    """

    configuration: MonitorConfiguration
    plan: WindowPlan
    version: MonitoredVersion
    window: Window
    subjects: tuple[Subject, ...]
    measures: Measures
    question: Question
    first: int | None
    created: tuple[int, ...] = ()
    excluded: frozenset[tuple[str, str | None, int]] = frozenset()
    together: tuple[MonitoredVersion, ...] = ()

    @property
    def rule(self) -> Any:
        """The rule of the monitor."""
        return self.configuration.rule

    @cached_property
    def baseline_version(self) -> MonitoredVersion:
        """The version with the rows of the baseline."""
        return self.measures.model.baseline(self.configuration, self.version)

    @cached_property
    def baseline_data(self) -> BaselineData | None:
        """
        The data of the baseline; None if there is none.

        A baseline of serving data begins with the first bucket that has rows at the earliest.
        """
        if self.configuration.baseline is None:
            return None
        names = self.configuration.baseline.names_segment
        rows = names, self.baseline_version.term if names else None
        within = self.plan.baseline(self.window)
        if within is None:
            return BaselineData("training", None, *rows)
        start = within[0] if self.first is None else max(within[0], self.first)
        return BaselineData("serving", (start, within[1]), *rows) if start < within[1] else None

    @cached_property
    def scale(self) -> float:
        """Number by which a value of the baseline is multiplied: for sums, the ratio of the lengths."""
        baseline = self.baseline_data
        if not self.question.is_additive or baseline is None or baseline.within is None:
            return 1.0
        start, end = baseline.within
        return (self.window.end - self.window.start) / (end - start)

    def focal(self, subject: Subject, question: Question | None = None) -> MetricResult:
        """Return the metric of a field in the window; a distance is that from the baseline."""
        question = question or self.question
        within = self.window.start, self.window.end
        is_distance = self.is_distance(question)
        baseline = self.baseline_data if is_distance else None
        if is_distance and baseline is None:
            return MetricResult(None, "insufficient_data", reason=NO_BASELINE)
        return self.measures.result(self.version, question, subject.field, within, baseline=baseline)

    def is_distance(self, question: Question) -> bool:
        """Return whether a metric compares the window with the baseline."""
        return "distance" in self.measures.kinds(self.version, question)

    def baseline(self, subject: Subject, question: Question | None = None) -> MetricResult:
        """Return the metric of a field in the baseline."""
        data = self.baseline_data
        if data is None:
            return MetricResult(None, "insufficient_data", reason=NO_BASELINE)
        return self.measures.result(
            self.baseline_version, question or self.question, subject.field, data.within, role=data.role
        )

    def verdict(
        self,
        outcome: Outcome,
        subject: Subject,
        result: MetricResult | None = None,
        baseline: MetricResult | None = None,
        **given: Any,
    ) -> Verdict:
        """Return a verdict with the numbers of results; ``given`` takes precedence."""
        values: dict[str, Any] = {}
        if result is not None:
            values = {"value": number_of(result), "samples": result.samples, "reason": result.reason}
            values["baseline_samples"] = result.baseline_samples
        if baseline is not None:
            values |= {"baseline_value": number_of(baseline), "baseline_samples": baseline.samples}
        metric = self.configuration.metric.type
        return Verdict(outcome=outcome, metric=metric, field=subject.field, **(values | given))

    def insufficient(self, subject: Subject, result: MetricResult, reason: str | None = None) -> Verdict:
        """Return the verdict on a field for which there is no value."""
        text = reason or result.reason or "there is no value"
        return self.verdict("insufficient", subject, result, reason=text)


def number_of(result: MetricResult) -> float | None:
    """Return the value of a result as a float, whether or not it is reliable; None if it is not a number."""
    value = result.number
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def reliable(result: MetricResult) -> float | None:
    """Return the value of a result as a float; None if it is not reliable, or not a number."""
    return number_of(result) if result.status == "ok" else None


def excess_over(value: float, low: float | None, high: float | None) -> float:
    """
    Return how far a value is outside of limits, in relation to the limit; 0 inside.

    :param value: The value.
    :param low: Lower limit.
    :param high: Upper limit.
    """
    if low is not None and value < low:
        return (low - value) / (abs(low) or 1.0)
    if high is not None and value > high:
        return (value - high) / (abs(high) or 1.0)
    return 0.0
