"""Metrics of multiclass classification, computed from states."""

from __future__ import annotations

from collections.abc import Callable

from aporia_provider.metric_results import MetricResult
from aporia_provider.metrics import Average
from aporia_provider.monitoring.confidence.proportions import wilson
from aporia_provider.monitoring.metric_definition import PerformanceMetric
from aporia_provider.monitoring.performance.confusion import CELLS, RATES, Rate, averaged, pick
from aporia_provider.monitoring.performance.mean_results import Terms, mean_result
from aporia_provider.monitoring.performance.metrics.class_curves import NO_SCORES, roc_area
from aporia_provider.monitoring.performance.metrics.matrices import matrix_answer
from aporia_provider.monitoring.performance.parameters import Parameters
from aporia_provider.monitoring.performance.rate_errors import interval_of_average, interval_of_rate
from aporia_provider.monitoring.performance.result_construction import metric_result, undefined_if
from aporia_provider.monitoring.performance.states.multiclass_state import Multiclass
from aporia_provider.monitoring.result import joined
from aporia_provider.version_comparisons import Better

Metric = Callable[[Multiclass, Parameters], MetricResult]

MOST_SHOWN = 100
"""Maximum number of classes in a confusion matrix."""


def averaged_metric(rate: Rate) -> Callable[[Multiclass, Parameters], MetricResult]:
    """
    Return a metric: a rate averaged over classes (:attr:`Parameters.average`), or the rate of one class.
    """

    def metric(state: Multiclass, parameters: Parameters) -> MetricResult:
        if parameters.class_name is not None and parameters.average is None:
            return of_class(rate)(state, parameters)
        return _average(rate, state, parameters, parameters.average or "macro")

    return metric


def _average(
    rate: Rate, state: Multiclass, parameters: Parameters, average: Average, note: str | None = None
) -> MetricResult:
    confusions = state.confusions()
    answer = averaged(rate, confusions, average)
    interval = interval_of_average(rate, state.confusion or {}, confusions, average, parameters.z)
    return metric_result(
        state,
        parameters,
        answer.number,
        bound=answer.bound,
        interval=interval,
        reason=joined(note, answer.reason),
    )


def of_class(rate: Rate) -> Callable[[Multiclass, Parameters], MetricResult]:
    """Return a metric: a rate of one class against all others."""

    def metric(state: Multiclass, parameters: Parameters) -> MetricResult:
        counts = pick(parameters.class_name, state.confusions(), "class").counts
        number, interval = rate.of(counts), interval_of_rate(rate, counts, parameters.z)
        reason = None if number is not None else rate.undefined
        return metric_result(state, parameters, number, interval=interval, reason=reason)

    return metric


def _cell(name: str) -> Callable[[Multiclass, Parameters], MetricResult]:
    def metric(state: Multiclass, parameters: Parameters) -> MetricResult:
        counts = pick(parameters.class_name, state.confusions(), "class").counts
        return metric_result(state, parameters, getattr(counts, name))

    return metric


def _accuracy(state: Multiclass, parameters: Parameters) -> MetricResult:
    """Return the proportion of the labelled rows whose class was predicted."""
    hits = sum(row.get(name, 0) for name, row in (state.confusion or {}).items())
    interval = wilson(hits / state.labelled, state.labelled, parameters.z)
    return metric_result(state, parameters, hits / state.labelled, interval=interval)


def _balanced_accuracy(state: Multiclass, parameters: Parameters) -> MetricResult:
    """Return the mean recall of the classes that are labels (scikit-learn's ``balanced_accuracy_score``)."""
    confusions = state.confusions()
    labels = [name for name, confusion in confusions.items() if confusion.counts.tp + confusion.counts.fn]
    alone = "all labels are {!r}, so the value is the recall of that class alone".format
    return _average(RATES["recall"], state, parameters, "macro", alone(*labels) if len(labels) == 1 else None)


def _confusion_matrix(state: Multiclass, parameters: Parameters) -> MetricResult:
    """Return the confusion matrix: labels by row, predicted classes by column, sorted by name."""
    matrix, names = state.confusion or {}, sorted(state.confusions())
    if len(names) > MOST_SHOWN:
        reason = f"there are {len(names)} classes; the matrix is shown for at most {MOST_SHOWN}"
        return metric_result(state, parameters, None, reason=reason)
    counts = [[matrix.get(true, {}).get(predicted, 0) for predicted in names] for true in names]
    return matrix_answer(metric_result(state, parameters, state.labelled), names, counts)


def _log_loss(state: Multiclass, parameters: Parameters) -> MetricResult:
    """Return the mean of -ln(score of the label)."""
    if not state.scored:
        return metric_result(state, parameters, None, reason=state.too_many or NO_SCORES)
    if state.outside:
        reason = f"{state.outside} rows have scores that are not probabilities from 0 to 1"
        return metric_result(state, parameters, None, reason=reason)
    return mean_result(state, parameters, Terms(state.log_loss, state.log_loss_squares, state.labelled))


def _multiclass(
    name: str, metric: Metric, description: str, *parameters: str, better: Better | None = None
) -> PerformanceMetric:
    return PerformanceMetric(name, ("multiclass",), metric, description, parameters, better)


def _of_classes(
    name: str, metric: Metric, description: str, *parameters: str, better: Better | None = None
) -> PerformanceMetric:
    """Return the definition of a metric that is undefined if there are too many classes to count."""
    return _multiclass(
        name, undefined_if(lambda state: state.too_many, metric), description, *parameters, better=better
    )


METRICS = (
    _of_classes("accuracy", _accuracy, RATES["accuracy"].description, better="higher"),
    _of_classes("balanced_accuracy", _balanced_accuracy, "mean recall of the classes", better="higher"),
    _of_classes("confusion_matrix", _confusion_matrix, "counts by label and prediction"),
    *(
        _of_classes(
            name, averaged_metric(rate), rate.description, "average", "class_name", better=rate.better
        )
        for name, rate in RATES.items()
        if name != "accuracy"
    ),
    *(
        _of_classes(
            f"{name}_per_class",
            of_class(rate),
            f"{rate.description}, of one class",
            "class_name",
            better=rate.better,
        )
        for name, rate in RATES.items()
    ),
    *(
        _of_classes(name.format(cell), _cell(cell), f"{what}, of one class", "class_name")
        for name in ("{}_count_per_class", "{}_count")
        for cell, what in CELLS.items()
    ),
    _multiclass(
        "auc_roc",
        roc_area,
        "area under the ROC curve of a class against the rest",
        "average",
        "class_name",
        better="higher",
    ),
    _multiclass("logloss", _log_loss, "mean of −ln(score of the label)", better="lower"),
)
"""Metrics of multiclass classification."""
