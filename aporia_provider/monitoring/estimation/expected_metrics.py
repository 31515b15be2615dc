"""Metrics of binary classification that are expected without labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.estimation.binned_scores import rows_outside
from aporia_provider.monitoring.estimation.expected_labels import ExpectedLabels
from aporia_provider.monitoring.estimation.expected_numbers import (
    BRIER,
    LOG_LOSS,
    ExpectedNumber,
    Loss,
    expected_area,
    expected_loss,
    expected_rate,
    loss_difference,
)
from aporia_provider.monitoring.estimation.expected_results import (
    MINIMUM_BASELINE,
    Estimation,
    LabelledBaseline,
    difference_result,
    without_labels,
)
from aporia_provider.monitoring.metric_definition import ExpectedMetric
from aporia_provider.monitoring.performance.computation import compute
from aporia_provider.monitoring.performance.confusion import RATES, Rate
from aporia_provider.monitoring.performance.metrics.binary_metrics import threshold_of
from aporia_provider.monitoring.performance.parameters import Parameters
from aporia_provider.monitoring.performance.states.binary_state import Binary
from aporia_provider.monitoring.result import insufficient, undefined

Number = tuple[ExpectedNumber, str | None]
"""An expected number, and a note on it or why it is undefined."""
Computation = Callable[[Estimation, ExpectedLabels], Number]


def _rate(rate: Rate) -> Computation:
    def number(estimation: Estimation, labels: ExpectedLabels) -> Number:
        parameters = estimation.parameters
        threshold = threshold_of(estimation.state, parameters)
        expected = expected_rate(rate, labels, threshold, parameters.confidence)
        return expected, rate.undefined if expected.value is None else _note(labels, threshold)

    return number


def _note(labels: ExpectedLabels, threshold: float) -> str | None:
    """Return a note if the threshold is within a bin with rows."""
    position = labels.binned.bins.place(threshold)
    rows = 0 if position.split is None else int(labels.rows[position.split])
    if not rows:
        return None
    return (
        f"computed at {position.edge:g}, the bin edge nearest to the threshold {threshold:g}: "
        f"the bin that contains the threshold has {rows} rows"
    )


def _area(estimation: Estimation, labels: ExpectedLabels) -> Number:
    number = expected_area(labels, estimation.parameters.confidence)
    return number, "all labels are expected to be of one class" if number.value is None else None


def _loss(loss: Loss) -> Computation:
    def number(estimation: Estimation, labels: ExpectedLabels) -> Number:
        baseline = estimation.labelled_baseline
        for outside in (rows_outside(estimation.state), baseline.state.outside):
            if outside:
                return ExpectedNumber(None), f"{outside} scores are not probabilities from 0 to 1"
        difference = loss_difference(loss, baseline.state, baseline.binned)
        return expected_loss(loss, labels, difference, estimation.parameters.confidence), None

    return number


_NUMBERS: Mapping[str, tuple[Computation, str]] = {
    "accuracy": (_rate(RATES["accuracy"]), "accuracy"),
    "precision": (_rate(RATES["precision"]), "precision"),
    "recall": (_rate(RATES["recall"]), "recall"),
    "f1": (_rate(RATES["f1"]), "F1"),
    "auc_roc": (_area, "area under the ROC curve"),
    "logloss": (_loss(LOG_LOSS), "mean of −ln(probability of the label)"),
    "brier": (_loss(BRIER), "mean squared error of the probabilities"),
}
"""Computations of the metrics, and their names in descriptions."""


def _of_all_rows(computation: Computation) -> Callable[[Estimation], MetricResult]:
    def metric(estimation: Estimation) -> MetricResult:
        number, note = computation(estimation, estimation.labels)
        return estimation.result(number, estimation.labels, reason=note)

    return metric


def _minus_realised(name: str, computation: Computation) -> Callable[[Estimation], MetricResult]:
    def metric(estimation: Estimation) -> MetricResult:
        number, note = computation(estimation, estimation.labels_of_labelled)
        realised = compute(name, estimation.state, estimation.parameters)
        if number.value is None or realised.number is None:
            return estimation.result(
                ExpectedNumber(None), estimation.labels_of_labelled, reason=note or realised.reason
            )
        return difference_result(
            estimation,
            number.value - float(realised.number),
            number.variance,
            bound=number.bound + realised.bound,
            note=note,
        )

    return metric


def _positives(estimation: Estimation) -> MetricResult:
    """Return the expected minus the realised proportion of positive labels of the labelled rows."""
    labels, rows = estimation.labels_of_labelled, estimation.state.labelled
    number = (float(labels.positives.sum()) - estimation.state.true) / rows
    return difference_result(estimation, number, labels.variance(np.full(len(labels.rows), 1 / rows)))


def _expected(
    name: str, metric: Callable[[Estimation], MetricResult], description: str, of: str
) -> ExpectedMetric:
    parameters = ("threshold",) if of in RATES else ()
    return ExpectedMetric(name, ("binary",), metric, description, parameters)


_DIFFERENCE = "expected_minus_realised"
EXPECTED_METRICS = (
    *(
        _expected(f"expected_{name}", _of_all_rows(computation), f"expected {noun}", name)
        for name, (computation, noun) in _NUMBERS.items()
    ),
    *(
        _expected(
            f"{_DIFFERENCE}_{name}",
            _minus_realised(name, computation),
            f"expected minus realised {noun}, of the labelled rows",
            name,
        )
        for name, (computation, noun) in _NUMBERS.items()
    ),
    _expected(
        f"{_DIFFERENCE}_positives",
        _positives,
        "expected minus realised proportion of positive labels, of the labelled rows",
        "positives",
    ),
)
"""Metrics that are expected without labels, and comparisons with realised metrics."""
METRICS: Mapping[str, ExpectedMetric] = {each.name: each for each in EXPECTED_METRICS}
"""The same by name."""


def expect(
    name: str,
    state: Binary,
    baseline: Binary | LabelledBaseline,
    parameters: Parameters | Mapping[str, Any] | None = None,
    minimum_baseline: int | None = None,
) -> MetricResult:
    """
    Return the result of a metric that is expected without labels.

    The interval contains the metric of the labels that these rows will have with the probability
    :attr:`.Parameters.confidence`, if the share of positive labels at each score is the same as in the
        baseline.

    :param name: One of :data:`METRICS`.
    :param state: State of the rows, labelled or not.
    :param baseline: State of rows with labels. With a :class:`.LabelledBaseline` the calibration of several
        metrics is fitted once.
    :param parameters: Parameters of the metric, as :class:`.Parameters` or in JSON form.
    :param minimum_baseline: Number of labels of the baseline below which the result is not reliable. Default:
        :data:`~.expected_results.MINIMUM_BASELINE`.
    :raises aporia_provider.errors.ValidationError: if a parameter is invalid or missing.
    """
    parsed = parameters if isinstance(parameters, Parameters) else Parameters.read(parameters or {})
    labelled = baseline if isinstance(baseline, LabelledBaseline) else LabelledBaseline(baseline)
    if not labelled.state.labelled:
        return without_labels(insufficient("the baseline has no labels"), state)
    if name.startswith(_DIFFERENCE) and not state.labelled:
        return insufficient("no row is labelled")
    if not state.labelled + state.unlabelled.rows:
        return undefined("there are no predictions with a score")
    needed = MINIMUM_BASELINE if minimum_baseline is None else minimum_baseline
    result: MetricResult = METRICS[name].compute(Estimation(state, labelled, parsed, needed))
    return result
