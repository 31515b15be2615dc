"""Areas under the ROC curves of classes, one against the rest."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.confidence.areas import area_interval, delong
from aporia_provider.monitoring.confidence.interval import Interval
from aporia_provider.monitoring.performance.confusion import listed, pick
from aporia_provider.monitoring.performance.metrics.curves import Area, area_under_roc
from aporia_provider.monitoring.performance.parameters import Parameters
from aporia_provider.monitoring.performance.result_construction import from_classes, metric_result
from aporia_provider.monitoring.performance.states.class_scores import (
    BIN_COUNTS,
    MOST_SCORED,
    Counts,
    bins_of,
)
from aporia_provider.monitoring.performance.states.multiclass_state import Multiclass

NO_SCORES = "the predictions are classes without scores"


def roc_area(state: Multiclass, parameters: Parameters) -> MetricResult:
    """
    Return the area under the ROC curve of a class against the rest, or its average over classes.

    See :attr:`Parameters.average`, and scikit-learn's ``roc_auc_score(multi_class="ovr")``. Classes without
    labels are left out. Rows without a score for a class count as score 0.
    """
    reason = _hindered(state)
    if reason is not None:
        return metric_result(state, parameters, None, reason=reason)
    areas = _areas(state)
    if parameters.class_name is not None and parameters.average is None:
        area = pick(parameters.class_name, areas, "class")
        return _answer(state, parameters, {"": area}, _interval(state, parameters, area))
    if parameters.average == "micro":
        return _answer(state, parameters, {"": _pooled(state)})
    return _answer(state, parameters, areas)


def _interval(state: Multiclass, parameters: Parameters, area: Area) -> Interval | None:
    """Return the interval of the area of a class. Those of several classes depend on each other."""
    positives, negatives, _ = zip(*_bins(state, parameters.class_name or ""), strict=True)
    error = delong(positives, negatives)
    if error is None or area.number is None:
        return None
    return area_interval(area.number, error, min(area.true, area.false), parameters.confidence)


def _hindered(state: Multiclass) -> str | None:
    if not state.scored:
        return state.too_many or NO_SCORES
    if state.positives is None or state.negatives is None:
        return f"there are more than {MOST_SCORED} classes, too many to keep their scores"
    return state.too_many


def _names(state: Multiclass) -> list[str]:
    return sorted({*(state.positives or ()), *(state.negatives or ()), *(state.confusion or ())})


def _areas(state: Multiclass) -> dict[str, Area]:
    return {name: area_under_roc(_bins(state, name)) for name in _names(state)}


def _bins(state: Multiclass, name: str) -> list[tuple[int, int, bool]]:
    true = sum((state.confusion or {}).get(name, {}).values())
    positives, negatives = ((side or {}).get(name, {}) for side in (state.positives, state.negatives))
    return list(bins_of(positives, negatives, true, state.labelled - true))


def _pooled(state: Multiclass) -> Area:
    """Return the area over all pairs of a row and a class."""
    positives, negatives = _added(state.positives), _added(state.negatives)
    other_classes = (len(_names(state)) - 1) * state.labelled
    return area_under_roc(bins_of(positives, negatives, state.labelled, other_classes))


def _added(counts: Counts | None) -> dict[int, int]:
    none: dict[int, int] = {}
    return reduce(BIN_COUNTS.add, (counts or {}).values(), none)


def _answer(
    state: Multiclass, parameters: Parameters, areas: Mapping[str, Area], interval: Interval | None = None
) -> MetricResult:
    defined = {name: area for name, area in areas.items() if area.number is not None}
    if not defined:
        return metric_result(
            state, parameters, None, reason="all labels are of one class, or none is of this class"
        )
    weights = {name: area.true if parameters.average == "weighted" else 1 for name, area in defined.items()}
    total = sum(weights.values())
    number = sum(weights[name] * (area.number or 0.0) for name, area in defined.items()) / total
    bound = sum(weights[name] * area.bound for name, area in defined.items()) / total
    left_out = [name for name in areas if name not in defined]
    note = f"left out {listed(left_out)}: no label is of the class" if left_out else None
    answer = metric_result(state, parameters, number, bound=bound, interval=interval, reason=note)
    if parameters.average == "weighted":
        return answer
    return from_classes(answer, min(min(area.true, area.false) for area in defined.values()), parameters)
