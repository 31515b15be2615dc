"""Covariances of the sums of a custom metric, from which its intervals are computed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aporia_provider.backend.metrics.metric_request import MetricRequest, Read
from aporia_provider.backend.metrics.model_states import ModelStates
from aporia_provider.backend.metrics.state_series import StatesKey, total
from aporia_provider.backend.metrics.stored_states import VersionStates
from aporia_provider.backend.registration.custom_metric_checks import sums_name
from aporia_provider.backend.store.buckets import Range
from aporia_provider.monitoring.confidence.quantiles import CONFIDENCE
from aporia_provider.monitoring.custom_metrics import CallSums, MetricExpression, delta_interval, sums_of
from aporia_provider.monitoring.custom_metrics.evaluation_of_expressions import (
    NO_COVARIANCES,
    NO_DERIVATIVE,
    Interval,
)
from aporia_provider.monitoring.profiles.row_sums import SUMS
from aporia_provider.monitoring.states.sums_state import SumsState
from aporia_provider.segment_values import SegmentValue
from aporia_provider.segments import FILTER_LABEL

NOT_COMPUTED = "there is no interval, since the covariances of the sums are not computed for all rows yet"


@dataclass(frozen=True)
class Covariances:
    """
    The covariances of the sums of a custom metric.

    :param rows: Request for the number of rows, with the same ranges as the custom metric.
    :param expression: The expression of the custom metric.
    :param calls: Its calls as sums; None if they are not kept.
    :param version: The version, with the covariances; None if they are not kept.
    """

    rows: MetricRequest
    expression: MetricExpression
    calls: CallSums | None = None
    version: VersionStates | None = None

    @classmethod
    def of(cls, model: ModelStates, rows: MetricRequest, expression: MetricExpression) -> Covariances:
        """Return the covariances of an expression whose columns are the keys of fields."""
        term = rows.version.term
        calls = sums_of(expression, rows.version.field_types)
        name = None if calls is None else sums_name(calls, None if term is None else term.segment.name)
        if name is None or not model.has_segment(name):
            return cls(rows, expression)
        label = FILTER_LABEL if term is None else term.label
        kept = model.term(SegmentValue(id=name, value=label))
        return cls(rows, expression, calls, rows.version.of_all_rows.of_term(kept))

    def reads(self) -> Iterator[tuple[Read, int]]:
        """Yield the states that are read, and their number."""
        if self.version is not None:
            yield (self.version, self._key), self.version.summary(self._key).states

    def interval(self, within: Range) -> Interval:
        """Return the interval of the custom metric in a range, or why there is none."""
        if self.calls is None or self.version is None:
            return NO_COVARIANCES
        state = total(each for _, each in self.version.series(self._key).within(within))
        if not isinstance(state, SumsState) or state.rows != self.rows.result(within).number:
            return NOT_COMPUTED
        given = self.rows.metric.parameters.confidence
        found = delta_interval(self.expression, self.calls, state, CONFIDENCE if given is None else given)
        return NO_DERIVATIVE if found is None else (found.low, found.high)

    @property
    def _key(self) -> StatesKey:
        key = self.rows.states_key
        return StatesKey(key.role, SUMS, key.within, key.spans)
