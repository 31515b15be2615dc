"""Statistics of vectors and tensors."""

from __future__ import annotations

from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.result import UNUSABLE_VECTORS, undefined, without
from aporia_provider.monitoring.states.vector_state import VectorState
from aporia_provider.monitoring.statistics.number_statistics import NUMBERS
from aporia_provider.monitoring.statistics.row_statistics import COUNTS, Question, Statistic, of_rows


def _mean_vector(state: VectorState, _: Question) -> MetricResult:
    if not state.vectors:
        found = undefined("there are no vectors of the right dimension")
    else:
        mean = [float(total / state.vectors) for total in state.sums]
        found = MetricResult(mean, samples=state.vectors)
    return without(found, state.dimension_errors, UNUSABLE_VECTORS)


def _norm(name: str) -> Statistic:
    def norm(state: VectorState, question: Question) -> MetricResult:
        grid = question.grid.norm if question.grid else None
        found = NUMBERS[name](state.norm, Question(grid))
        return without(found, state.dimension_errors, UNUSABLE_VECTORS)

    return norm


VECTORS = {
    **COUNTS,
    "dimension_errors": of_rows(lambda state: state.dimension_errors),
    "mean_vector": _mean_vector,
    **{f"{name}_norm": _norm(name) for name in ("mean", "min", "max")},
}
