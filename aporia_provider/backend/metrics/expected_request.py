"""Metrics that are expected without labels, and their baseline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from aporia_provider.backend.metrics.stored_states import VersionStates
from aporia_provider.backend.store.buckets import Range
from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.estimation.expected_metrics import expect
from aporia_provider.monitoring.estimation.expected_results import LabelledBaseline
from aporia_provider.monitoring.performance.states.binary_state import Binary

NO_LABELLED_BASELINE: Final = (
    "neither the testing nor the training dataset has labels: give a baseline with labels, such as the "
    "serving dataset with a time_range whose labels are known"
)


def labelled_role(version: VersionStates, prediction: str) -> str | None:
    """
    Return the role of the default baseline; None if there is none with labels.

    The labels of the testing dataset are preferred, since a model is fitted to the training dataset.

    :param version: The version.
    :param prediction: Name of the prediction.
    """
    roles = (role for role in ("testing", "training") if prediction in version.labelled(role))
    return next(roles, None)


@dataclass(frozen=True)
class ExpectedRequest:
    """
    A requested metric that is expected without labels.

    :param metric: Name of the metric.
    :param parameters: Parameters of the metric.
    :param minimum_baseline: Required number of labels of the baseline; None for the default.
    :param baseline: Function that returns the state of the baseline for a range; None if it has no rows.
    :param moves: Whether the baseline depends on the range.
    """

    metric: str
    parameters: Mapping[str, Any]
    minimum_baseline: int | None
    baseline: Callable[[Range], Any]
    moves: bool

    def result(self, within: Range, state: Any) -> MetricResult:
        """
        Compute the metric for a range.

        :param within: The range.
        :param state: State of its rows.
        """
        baseline = self._labelled(within) if self.moves else self._fixed
        return expect(self.metric, state, baseline, self.parameters, self.minimum_baseline)

    @cached_property
    def _fixed(self) -> LabelledBaseline:
        return self._labelled((None, None))

    def _labelled(self, within: Range) -> LabelledBaseline:
        return LabelledBaseline(self.baseline(within) or Binary())
