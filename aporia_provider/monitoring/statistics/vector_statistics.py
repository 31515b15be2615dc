"""Statistics of vectors and tensors."""

from __future__ import annotations

from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.metric_definition import VECTOR_TYPES, FieldStatistic
from aporia_provider.monitoring.result import UNUSABLE_VECTORS, undefined, with_left_out
from aporia_provider.monitoring.states.vector_state import VectorState
from aporia_provider.monitoring.statistics.number_statistics import NUMBERS, summaries
from aporia_provider.monitoring.statistics.row_statistics import Statistic, StatisticParameters, of_rows


def _mean_vector(state: VectorState, _: StatisticParameters) -> MetricResult:
    if not state.vectors:
        result = undefined("there are no vectors of the right dimension")
    else:
        mean = [float(total / state.vectors) for total in state.sums]
        result = MetricResult(mean, samples=state.vectors)
    return with_left_out(result, state.dimension_errors, UNUSABLE_VECTORS)


def _norm(name: str) -> Statistic:
    def norm(state: VectorState, parameters: StatisticParameters) -> MetricResult:
        bins = parameters.bins.norm if parameters.bins else None
        result = NUMBERS[name](state.norm, StatisticParameters(bins))
        return with_left_out(result, state.dimension_errors, UNUSABLE_VECTORS)

    return norm


VECTORS = (
    FieldStatistic(
        "dimension_errors",
        VECTOR_TYPES,
        of_rows(lambda state: state.dimension_errors),
        "rows with another dimension, or a number that is missing or infinite",
    ),
    FieldStatistic("mean_vector", VECTOR_TYPES, _mean_vector, "mean of each component"),
    *summaries("{}_norm", VECTOR_TYPES, "Euclidean lengths", _norm, ("mean", "min", "max")),
)
