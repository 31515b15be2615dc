"""Metrics of binary classification, computed from states."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from aporia_provider.errors import ValidationError
from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.confidence.interval import mean_of
from aporia_provider.monitoring.metric_definition import PerformanceMetric
from aporia_provider.monitoring.performance.confusion import (
    CELLS,
    RATES,
    Rate,
    ThresholdConfusion,
    confusion_at,
)
from aporia_provider.monitoring.performance.mean_results import POSITIVE, UNIT, Limits, Terms, mean_result
from aporia_provider.monitoring.performance.metrics.calibration import calibration_bias, calibration_error
from aporia_provider.monitoring.performance.metrics.curves import average_precision, roc_area
from aporia_provider.monitoring.performance.metrics.matrices import matrix_answer
from aporia_provider.monitoring.performance.parameters import Parameters
from aporia_provider.monitoring.performance.rate_errors import interval_of_rate
from aporia_provider.monitoring.performance.result_construction import metric_result
from aporia_provider.monitoring.performance.states.binary_state import Binary
from aporia_provider.version_comparisons import Better

Metric = Callable[[Binary, Parameters], MetricResult]

_USUAL = 0.5


def confusion_of(state: Binary, parameters: Parameters) -> ThresholdConfusion:
    """
    Return the confusion counts at :attr:`Parameters.threshold`. Default: 0.5 for probabilities and decisions.

    :raises aporia_provider.errors.ValidationError: if there is no threshold for other scores, or it is
        outside the bins.
    """
    histograms = state.histograms
    return confusion_at(
        histograms.positives, histograms.negatives, histograms.bins, threshold_of(state, parameters)
    )


def threshold_of(state: Binary, parameters: Parameters) -> float:
    """
    Return :attr:`Parameters.threshold`. Default: 0.5 for probabilities and decisions.

    :raises aporia_provider.errors.ValidationError: if there is no threshold for other scores.
    """
    if parameters.threshold is not None:
        return parameters.threshold
    low, high = state.bins.edges[[0, -1]]
    outside = state.outside + state.unlabelled.outside
    if low >= 0 and high <= 1 and not outside:
        return _USUAL
    beyond = f"{outside} scores are not from 0 to 1" if outside else "the bins go beyond 0 to 1"
    raise ValidationError(
        f"The scores are not probabilities ({beyond}), so there is no default threshold: "
        f"give a threshold from {low:g} to {high:g}"
    )


def _note(state: Binary, parameters: Parameters, confusion: ThresholdConfusion) -> str | None:
    if not confusion.corners:
        return None
    threshold = threshold_of(state, parameters)
    position = state.bins.place(threshold)
    moved = (
        confusion.corners[-1].tp
        + confusion.corners[-1].fp
        - confusion.corners[0].tp
        - confusion.corners[0].fp
    )
    if not moved:
        return None
    return (
        f"computed at {position.edge:g}, the bin edge nearest to the threshold {threshold:g}: "
        f"the bin that contains the threshold has {moved} labelled rows"
    )


def _rate(rate: Rate) -> Metric:
    def metric(state: Binary, parameters: Parameters) -> MetricResult:
        confusion = confusion_of(state, parameters)
        number, bound = rate.bounded(confusion)
        note = _note(state, parameters, confusion) if number is not None else rate.undefined
        interval = interval_of_rate(rate, confusion.counts, parameters.z)
        return metric_result(state, parameters, number, bound=bound, interval=interval, reason=note)

    return metric


def _cell(name: str) -> Metric:
    def metric(state: Binary, parameters: Parameters) -> MetricResult:
        confusion = confusion_of(state, parameters)
        count = getattr(confusion.counts, name)
        bound = max((abs(getattr(corner, name) - count) for corner in confusion.corners), default=0)
        note = _note(state, parameters, confusion)
        return metric_result(state, parameters, count, bound=bound, scale=state.labelled, reason=note)

    return metric


def _balanced_accuracy(state: Binary, parameters: Parameters) -> MetricResult:
    """
    Return the mean of recall and specificity.

    If all labels are of one class, only the recall of this class is used (as in scikit-learn).
    """
    confusion = confusion_of(state, parameters)
    rates = {name: RATES[name].bounded(confusion) for name in ("recall", "specificity")}
    defined = {name: (number, bound) for name, (number, bound) in rates.items() if number is not None}
    mean, bound = (sum(parts) / len(defined) for parts in zip(*defined.values(), strict=True))
    lacking = [RATES[name].undefined for name in rates if name not in defined]
    alone = f"{lacking[0]}, so the value is the {next(iter(defined))} alone" if lacking else None
    reason = "; ".join(filter(None, (alone, _note(state, parameters, confusion)))) or None
    intervals = [interval_of_rate(RATES[name], confusion.counts, parameters.z) for name in defined]
    interval = mean_of([one for one in intervals if one is not None])
    return metric_result(state, parameters, mean, bound=bound, interval=interval, reason=reason)


def _confusion_matrix(state: Binary, parameters: Parameters) -> MetricResult:
    """Return the confusion matrix: labels by row, predictions by column, false before true."""
    confusion, note = (
        confusion_of(state, parameters),
        _note(state, parameters, confusion_of(state, parameters)),
    )
    cells = (getattr(corner, cell) for corner in confusion.corners for cell in CELLS)
    counts = [getattr(confusion.counts, cell) for cell in CELLS] * len(confusion.corners)
    bound = max((abs(one - other) for one, other in zip(cells, counts, strict=True)), default=0)
    concluded = metric_result(
        state, parameters, state.labelled, bound=bound, scale=state.labelled, reason=note
    )
    settings = state.made_with
    names = [settings.get("negative") or "false", settings.get("positive") or "true"]
    cell_counts = confusion.counts
    return matrix_answer(
        concluded, names, [[cell_counts.tn, cell_counts.fp], [cell_counts.fn, cell_counts.tp]]
    )


def _mean(name: str, limits: Limits) -> Metric:
    """Return a metric: the mean of the terms of an attribute of the state."""

    def metric(state: Binary, parameters: Parameters) -> MetricResult:
        if state.outside:
            reason = f"{state.outside} scores are not probabilities from 0 to 1"
            return metric_result(state, parameters, None, reason=reason)
        squares = state.squares.get(name, Fraction())
        return mean_result(state, parameters, Terms(getattr(state, name), squares, state.labelled, limits))

    return metric


def _binary(
    name: str, metric: Metric, description: str, *parameters: str, better: Better | None = None
) -> PerformanceMetric:
    return PerformanceMetric(name, ("binary",), metric, description, parameters, better)


METRICS = (
    *(
        _binary(name, _rate(rate), rate.description, "threshold", better=rate.better)
        for name, rate in RATES.items()
    ),
    *(_binary(f"{cell}_count", _cell(cell), what, "threshold") for cell, what in CELLS.items()),
    _binary(
        "balanced_accuracy",
        _balanced_accuracy,
        "mean of recall and specificity",
        "threshold",
        better="higher",
    ),
    _binary("confusion_matrix", _confusion_matrix, "counts by label and prediction", "threshold"),
    _binary("auc_roc", roc_area, "area under the ROC curve", better="higher"),
    _binary("average_precision", average_precision, "area under the precision-recall curve", better="higher"),
    _binary("logloss", _mean("log_loss", POSITIVE), "mean of −ln(probability of the label)", better="lower"),
    _binary("brier", _mean("brier", UNIT), "mean squared error of the probabilities", better="lower"),
    _binary(
        "calibration_error",
        calibration_error,
        "mean difference of score and proportion of positive labels, in groups of scores",
        better="lower",
    ),
    _binary("calibration_bias", calibration_bias, "mean score minus the proportion of positive labels"),
)
"""Metrics of binary classification."""
