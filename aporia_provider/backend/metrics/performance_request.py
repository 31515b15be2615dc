"""Performance metrics of a prediction or of one of its classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from aporia_provider.backend.metrics.value_texts import texts_of
from aporia_provider.errors import ValidationError
from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.performance import Parameters, compute
from aporia_provider.monitoring.performance.confusion import CELLS
from aporia_provider.monitoring.performance.result_construction import metric_result
from aporia_provider.monitoring.performance.states.performance_state import PerformanceState
from aporia_provider.monitoring.result import undefined


@dataclass(frozen=True)
class PerformanceRequest:
    """
    A requested performance metric.

    :param metric: Name of the metric.
    :param parameters: Parameters of the metric.
    :param states: Function that yields states of increasingly many rows, in which the class is looked up.
    """

    metric: str
    parameters: Mapping[str, Any]
    states: Callable[[], Iterator[PerformanceState | None]]

    def result(self, state: PerformanceState) -> MetricResult:
        """
        Compute the metric for a state.

        :raises aporia_provider.errors.ValidationError: if a parameter is invalid, for example a class that no
            rows have. A class that is missing in this state only is not an error.
        """
        class_name = self.parameters.get("class_name")
        if class_name is None:
            return compute(self.metric, state, self.parameters)
        if self._class is None:
            return self._of_class(str(class_name), state)
        try:
            return self._of_class(self._class, state)
        except ValidationError:
            return self._without_class(state)

    def _without_class(self, state: PerformanceState) -> MetricResult:
        """
        Return the result for rows without the class: all rows are true negatives, and rates are undefined.
        """
        missing = f"there is no class {self._class!r} in the range"
        counts = {f"{cell}_count": state.labelled if cell == "tn" else 0 for cell in CELLS}
        count = counts.get(self.metric.removesuffix("_per_class"))
        if count is None:
            return undefined(missing, state.labelled)
        parameters = Parameters.read({**self.parameters, "class_name": self._class})
        return metric_result(state, parameters, count, reason=missing)

    @cached_property
    def _class(self) -> str | None:
        """Return the class in the form in which it is stored; None if no rows have it."""
        texts = texts_of(self.parameters["class_name"])
        stored_texts = (
            text for state in self.states() if state for text in texts if self._is_class(text, state)
        )
        return next(stored_texts, None)

    def _is_class(self, text: str, state: PerformanceState) -> bool:
        try:
            self._of_class(text, state)
        except ValidationError:
            return False
        return True

    def _of_class(self, text: str, state: PerformanceState) -> MetricResult:
        return compute(self.metric, state, {**self.parameters, "class_name": text})
