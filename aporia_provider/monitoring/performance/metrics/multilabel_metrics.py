"""Metrics of multi-label classification, computed from states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

from aporia_provider.errors import ValidationError
from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.confidence.interval import Interval
from aporia_provider.monitoring.confidence.proportions import wilson
from aporia_provider.monitoring.metric_definition import PerformanceMetric
from aporia_provider.monitoring.performance.confusion import (
    CELLS,
    RATES,
    Averaged,
    Rate,
    ThresholdConfusion,
    averaged,
    pick,
)
from aporia_provider.monitoring.performance.mean_results import UNIT, Terms, mean_result
from aporia_provider.monitoring.performance.parameters import Parameters
from aporia_provider.monitoring.performance.rate_errors import interval_of_rate
from aporia_provider.monitoring.performance.result_construction import metric_result, undefined_if
from aporia_provider.monitoring.performance.states.multilabel_state import MultiLabel
from aporia_provider.version_comparisons import Better

Metric = Callable[[MultiLabel, Parameters], MetricResult]


def _confusions(state: MultiLabel, parameters: Parameters) -> dict[str, ThresholdConfusion]:
    return state.confusions(state.threshold if parameters.threshold is None else parameters.threshold)


def _note(state: MultiLabel, parameters: Parameters) -> str | None:
    threshold = state.threshold if parameters.threshold is None else parameters.threshold
    position = state.bins.place(threshold)
    if position.split is None:
        return None
    return f"computed at {position.edge:g}, the bin edge nearest to the threshold {threshold:g}"


def _joined_reasons(*reasons: str | None) -> str | None:
    return "; ".join(filter(None, reasons)) or None


def _averaged(rate: Rate) -> Metric:
    def metric(state: MultiLabel, parameters: Parameters) -> MetricResult:
        if parameters.class_name is not None and parameters.average is None:
            return _of_label(rate)(state, parameters)
        answer = averaged(rate, _confusions(state, parameters), parameters.average or "macro")
        return _of_all(state, parameters, answer)

    return metric


def _of_all(
    state: MultiLabel, parameters: Parameters, answer: Averaged, interval: Interval | None = None
) -> MetricResult:
    """Return the result of a metric of all labels. Its number of samples is the number of rows."""
    skipped = sum((state.skipped or {}).values())
    labels = {*(state.positives or ()), *(state.negatives or ()), *(state.skipped or ())}
    return metric_result(
        state,
        parameters,
        answer.number,
        bound=answer.bound,
        interval=interval,
        reason=_joined_reasons(answer.reason, _note(state, parameters), _of_skipped(skipped)),
        skipped=-(-skipped // len(labels)) if skipped else 0,
    )


def _of_skipped(skipped: int) -> str | None:
    return (
        f"left out {skipped} predicted or true values of labels that are missing, NaN or infinite"
        if skipped
        else None
    )


def _of_label(rate: Rate) -> Metric:
    def metric(state: MultiLabel, parameters: Parameters) -> MetricResult:
        confusion = pick(parameters.class_name, _confusions(state, parameters), "label")
        number, bound = rate.bounded(confusion)
        undefined = None if number is not None else rate.undefined
        interval = interval_of_rate(rate, confusion.counts, parameters.z)
        return _of_one(state, parameters, confusion, (number, bound), undefined, interval=interval)

    return metric


def _of_one(
    state: MultiLabel,
    parameters: Parameters,
    confusion: ThresholdConfusion,
    bounded: tuple[float | None, float],
    undefined: str | None = None,
    scale: float = 1.0,
    interval: Interval | None = None,
) -> MetricResult:
    """Return the result of a metric of one label, whose samples are the rows where it is not skipped."""
    skipped, (number, bound) = state.labelled - confusion.counts.total, bounded
    return metric_result(
        state,
        parameters,
        number,
        bound=bound,
        scale=scale,
        interval=interval,
        reason=_joined_reasons(undefined, _note(state, parameters), _of_skipped(skipped)),
        samples=confusion.counts.total,
        skipped=skipped,
    )


def _cell(name: str) -> Metric:
    def metric(state: MultiLabel, parameters: Parameters) -> MetricResult:
        confusion = pick(parameters.class_name, _confusions(state, parameters), "label")
        count = getattr(confusion.counts, name)
        bound = max((abs(getattr(corner, name) - count) for corner in confusion.corners), default=0)
        return _of_one(state, parameters, confusion, (count, bound), scale=confusion.counts.total)

    return metric


_WRONG = Rate(
    lambda c: c.fp + c.fn,
    lambda c: c.total,
    "no row has a label",
    "proportion of pairs of row and label that are predicted incorrectly",
    "lower",
)


def _hamming(state: MultiLabel, parameters: Parameters) -> MetricResult:
    """
    Return the Hamming loss: the proportion of pairs of row and label whose prediction and truth differ.

    Schapire and Singer, *BoosTexter*, Machine Learning 39, 2000. The labels are all those that occur in the
    state.
    """
    confusions = _confusions(state, parameters)
    interval = _of_wrong(state, parameters, confusions)
    return _of_all(state, parameters, averaged(_WRONG, confusions, "micro"), interval)


def _of_wrong(
    state: MultiLabel, parameters: Parameters, confusions: Mapping[str, ThresholdConfusion]
) -> Interval | None:
    """
    Return the interval of the Hamming loss, the mean over rows of the proportion of wrong labels.

    It is None at another threshold than that at which the labels of rows were counted, and if a label is
    skipped in any row.
    """
    skipped = any((state.skipped or {}).values())
    if skipped or state.without_squares or parameters.threshold not in (None, state.threshold):
        return None
    wrong = sum(_WRONG.top(confusion.counts) for confusion in confusions.values())
    labels = max(1, len(confusions))
    squares = Fraction(state.wrong_squares, labels**2)
    return Terms(Fraction(wrong, labels), squares, state.labelled, UNIT).interval(parameters.confidence)


def _by_row(state: MultiLabel, parameters: Parameters) -> None:
    if parameters.threshold not in (None, state.threshold):
        raise ValidationError(
            f"The metric can be computed only at the threshold {state.threshold:g}, at which the rows were "
            f"counted, not at {parameters.threshold:g}"
        )


def _subset_accuracy(state: MultiLabel, parameters: Parameters) -> MetricResult:
    """Return the proportion of rows whose predicted labels equal the true ones (scikit-learn's accuracy)."""
    _by_row(state, parameters)
    share = state.matched / state.labelled
    return metric_result(state, parameters, share, interval=wilson(share, state.labelled, parameters.z))


def _example_f1(state: MultiLabel, parameters: Parameters) -> MetricResult:
    """
    Return the mean over rows of ``2 · |true and predicted| / (|true| + |predicted|)``.

    Godbole and Sarawagi, *Discriminative methods for multi-labeled classification*, PAKDD 2004. It is
    undefined for rows without any true or predicted label, which are left out (scikit-learn's
    ``average="samples"`` with ``zero_division=nan``).
    """
    _by_row(state, parameters)
    left_out = state.labelled - state.named
    reason = f"left out {left_out} rows without a label, true or predicted" if left_out else None
    terms = Terms(state.overlap, state.overlap_squares, state.named, UNIT)
    return mean_result(state, parameters, terms, samples=state.named, reason=reason, skipped=left_out)


def _multilabel(
    name: str, metric: Metric, description: str, *parameters: str, better: Better | None = None
) -> PerformanceMetric:
    return PerformanceMetric(name, ("multi-label",), metric, description, parameters, better)


def _of_labels(
    name: str, metric: Metric, description: str, *parameters: str, better: Better | None = None
) -> PerformanceMetric:
    """Return the definition of a metric that is undefined if there are too many labels to count."""
    checked = undefined_if(lambda state: state.too_many, metric)
    return _multilabel(name, checked, description, "threshold", *parameters, better=better)


METRICS = (
    *(
        _of_labels(name, _averaged(rate), rate.description, "average", "class_name", better=rate.better)
        for name, rate in RATES.items()
        if name != "accuracy"
    ),
    *(
        _of_labels(
            f"{name}_per_class",
            _of_label(rate),
            f"{rate.description}, of one label",
            "class_name",
            better=rate.better,
        )
        for name, rate in RATES.items()
    ),
    *(
        _of_labels(name.format(cell), _cell(cell), f"{what}, of one label", "class_name")
        for name in ("{}_count_per_class", "{}_count")
        for cell, what in CELLS.items()
    ),
    _of_labels("hamming", _hamming, _WRONG.description, better=_WRONG.better),
    *(
        _multilabel(
            name,
            _subset_accuracy,
            "proportion of rows whose labels are all predicted correctly",
            better="higher",
        )
        for name in ("accuracy", "subset_accuracy")
    ),
    _multilabel("example_f1", _example_f1, "mean F1 of the labels of a row", better="higher"),
)
"""Metrics of multi-label classification."""
