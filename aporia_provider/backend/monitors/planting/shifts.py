"""The shift that is planted for a field of a monitor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from aporia_provider.backend.metrics.state_series import StatesKey
from aporia_provider.backend.monitors.fields import Subject
from aporia_provider.backend.monitors.measures import Measures, Question
from aporia_provider.backend.monitors.planting.planted_version import PlantedShift
from aporia_provider.backend.monitors.version_states import MonitoredVersion
from aporia_provider.datasets import SERVING
from aporia_provider.errors import ValidationError
from aporia_provider.monitor_configuration import MonitorConfiguration
from aporia_provider.monitor_configuration.configuration import TABLE_FRESHNESS
from aporia_provider.monitoring.bins.field_bins import CategoryBins, NumericBins
from aporia_provider.monitoring.performance.states.binary_state import Binary
from aporia_provider.monitoring.performance.states.multiclass_state import Multiclass
from aporia_provider.monitoring.performance.states.regression_state import Regression
from aporia_provider.monitoring.planting.category_shift import NEW_VALUE, rarest, replaced
from aporia_provider.monitoring.planting.missing_values import with_more_missing
from aporia_provider.monitoring.planting.number_shift import shifted
from aporia_provider.monitoring.planting.row_counts import with_fewer_rows
from aporia_provider.monitoring.planting.wrong_predictions import (
    OF_SCORES,
    greater_errors,
    less_accurate_binary,
    less_accurate_multiclass,
)
from aporia_provider.monitoring.profiles.plan import ROWS
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.states.value_state import ValueState
from aporia_provider.monitoring.statistics.moments import known_deviation

DEFAULT_SIZES = {
    "numbers": 0.5,
    "categories": 0.1,
    "missing": 1.0,
    "rows": 0.5,
    "accuracy": 0.02,
    "errors": 0.1,
}
"""
Sizes of shifts: standard deviations, the share of values that are replaced, the relative increase of the
share of missing values, the share of rows that are missing, the decrease of accuracy, and the relative
increase of errors.
"""
_MISSING = ("missing_ratio", "missing_count")
_NOT_SHIFTED = ("zero_count", "zero_ratio", "nan_count", "infinite_count", "dimension_errors")
_OF_LABELS = ("label_coverage", "prediction_count", "actuals_count")


@dataclass(frozen=True)
class ShiftChoice:
    """
    Selection of the shift for a version.

    :param configuration: Configuration of the monitor.
    :param version: The version.
    :param measures: Metrics of the model.
    :param within: Range whose states determine the standard deviation and the rarest category.
    :param size: Size of the shift; None for the size in :data:`DEFAULT_SIZES`.
    """

    configuration: MonitorConfiguration
    version: MonitoredVersion
    measures: Measures
    within: tuple[int, int]
    size: float | None = None

    def shift(self, subject: Subject) -> PlantedShift:
        """
        Return the shift that is planted for a field.

        :raises aporia_provider.errors.ValidationError: if there is none.
        """
        question = Question.of(self.configuration.metric)
        type_ = self.configuration.type
        if self.configuration.unsupported or type_ in ("model_staleness", TABLE_FRESHNESS):
            raise ValidationError(self.configuration.unsupported or "it does not depend on data")
        if type_ == "custom_metric":
            raise ValidationError("there is no shift for custom metrics")
        if type_ in ("values_range", "new_values"):
            return self._of_field(subject, question)
        kinds = self.measures.kinds(self.version, question)
        if "expected" in kinds:
            raise ValidationError(f"{question.metric} is computed without the labels that would be changed")
        if "performance" in kinds:
            return self._of_performance(subject, question)
        return self._of_rows(question) if subject.field is None else self._of_field(subject, question)

    def _size(self, kind: str) -> float:
        return DEFAULT_SIZES[kind] if self.size is None else self.size

    def _state(self, key: str) -> Any:
        state = self.version.merged(StatesKey(SERVING, key, self.within))
        if state is None:
            raise ValidationError("there is no data in the range")
        return state

    def _of_rows(self, question: Question) -> PlantedShift:
        if question.metric != "count":
            raise ValidationError(f"there is no shift for {question.metric}")
        size = self._size("rows")
        return PlantedShift(ROWS, f"{size:.0%} fewer rows", partial(with_fewer_rows, share=size))

    def _of_field(self, subject: Subject, question: Question) -> PlantedShift:
        key = subject.field or ""
        if question.metric in _MISSING:
            size = self._size("missing")
            text = f"share of missing values times {1 + size:g}"
            return PlantedShift(key, text, partial(with_more_missing, size=size))
        if question.metric in _NOT_SHIFTED:
            raise ValidationError(f"there is no shift for {question.metric}")
        state, bins = self._state(key), self.version.bins(SERVING, key)
        if isinstance(state, NumericState):
            return self._of_numbers(key, state, bins if isinstance(bins, NumericBins) else None)
        if isinstance(state, ValueState):
            return self._of_categories(key, state, bins if isinstance(bins, CategoryBins) else None)
        raise ValidationError(f"there is no shift for {subject.type} fields")

    def _of_numbers(self, key: str, state: NumericState, bins: NumericBins | None) -> PlantedShift:
        deviation = known_deviation(state, bins) if state.finite else None
        if not deviation:
            raise ValidationError("the standard deviation of the field is 0 or unknown")
        size = self._size("numbers")
        text = f"values greater by {size:g} standard deviations ({size * deviation:.4g})"
        return PlantedShift(key, text, partial(shifted, bins=bins, distance=size * deviation))

    def _of_categories(self, key: str, state: ValueState, bins: CategoryBins | None) -> PlantedShift:
        is_new = self.configuration.type in ("new_values", "values_range") or bins is None
        value = NEW_VALUE if is_new or bins is None else rarest(state, bins)
        size = self._size("categories")
        text = f"{size:.0%} of the values replaced by {'a new one' if is_new else repr(value)}"
        return PlantedShift(key, text, partial(replaced, bins=bins, share=size, value=value))

    def _of_performance(self, subject: Subject, question: Question) -> PlantedShift:
        if question.metric in _OF_LABELS:
            raise ValidationError(f"there is no shift for {question.metric}")
        key = self.measures.selector(self.version, question, subject.field).key
        kind, change = self._worse(self._state(key), question)
        size = self._size(kind)
        text = f"accuracy less by {size:g}" if kind == "accuracy" else f"errors greater by {size:.0%}"
        return PlantedShift(key, text, lambda state: change(state, size))

    def _worse(self, state: Any, question: Question) -> tuple[str, Callable[[Any, float], Any]]:
        if isinstance(state, Binary):
            threshold = dict(question.parameters).get("threshold", 0.5)
            return "accuracy", lambda one, size: less_accurate_binary(one, size, float(threshold))
        if isinstance(state, Multiclass) and question.metric not in OF_SCORES:
            return "accuracy", less_accurate_multiclass
        if isinstance(state, Regression):
            return "errors", greater_errors
        raise ValidationError(f"there is no shift for {question.metric} of models of this type")
