"""The state and the metrics of multiclass classification: a confusion matrix."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow.types as kinds
from numpy.typing import NDArray

from aporia_provider.meanings import meaning
from aporia_provider.monitoring.performance.confusion import (
    CELLS,
    RATES,
    Confusion,
    Cut,
    Rate,
    averaged,
    pick,
)
from aporia_provider.monitoring.performance.faults import NO_SCORE
from aporia_provider.monitoring.performance.labelled import Judged, Labelled, judge_readings, of_one_length
from aporia_provider.monitoring.performance.options import Options
from aporia_provider.monitoring.performance.parameters import Parameters
from aporia_provider.monitoring.performance.parts import at_most, by_name
from aporia_provider.monitoring.performance.readings import Classes, classes, plain, renumber
from aporia_provider.monitoring.performance.top_class import has_scores, top_class
from aporia_provider.monitoring.performance.values import Value, conclude, unless
from aporia_provider.monitoring.states import TALLY, Rule, part

MOST_CLASSES = 1000
"""More would make a matrix too large to keep for each bucket."""

Matrix = dict[str, dict[str, int]]
_MATRIX: Rule[Matrix] = by_name(TALLY)


def _names(matrix: Mapping[str, Mapping[str, int]]) -> list[str]:
    return sorted({*matrix, *(name for row in matrix.values() for name in row)})


def _is_small(matrix: Matrix) -> bool:
    return len(_names(matrix)) <= MOST_CLASSES


CONFUSION: Rule[Matrix | None] = at_most(_MATRIX, _is_small)
"""Counts by label, then by prediction; ``None`` if there are more than :data:`MOST_CLASSES` classes."""


@dataclass(frozen=True)
class Multiclass(Labelled):
    """
    What was predicted, by what was true.

    :param confusion: Labelled rows by label, then by predicted class; ``None`` if there are too many classes
        to keep it.
    """

    kind: ClassVar[str] = "multiclass-performance"

    confusion: Matrix | None = part(CONFUSION)

    @classmethod
    def of(cls, predictions: Any, labels: Any, options: Options = Options()) -> Self:  # noqa: B008
        """
        Make the state of a batch of rows.

        :param predictions: Classes (text, booleans, numbers), dicts of class to score, or vectors of scores
            (:attr:`Options.classes`): the class with the greatest score, the first of equals.
        :param labels: Classes.
        :raises aporia_provider.errors.ValidationError: for other types.
        """
        predictions, labels = plain(predictions), plain(labels)
        of_one_length(predictions, labels)
        scored = has_scores(predictions.type)
        prediction = top_class(predictions, options.classes) if scored else classes(predictions)
        label = classes(labels)
        if kinds.is_boolean(labels.type) != kinds.is_boolean(predictions.type):
            # Beside booleans, "True" and 1 are booleans too.
            prediction, label = _meant(prediction), _meant(label)
        judged = judge_readings(prediction, label, [(NO_SCORE, _unscored(prediction))] if scored else ())
        return cls(
            made_with={"classes": list(options.classes)},
            **judged.counts,
            confusion=_confusion(prediction, label, judged),
        )

    @property
    def too_many(self) -> str | None:
        """That there are too many classes to tell them apart, if so."""
        if self.confusion is not None:
            return None
        return f"there are more than {MOST_CLASSES} classes, too many to compare them"

    def cuts(self) -> dict[str, Cut]:
        """The confusion of each class against all others; of none if there are too many."""
        matrix = self.confusion or {}
        predicted: dict[str, int] = reduce(TALLY.add, matrix.values(), {})
        return {
            name: Cut(self._against(name, matrix.get(name, {}), predicted.get(name, 0)))
            for name in _names(matrix)
        }

    def _against(self, name: str, row: Mapping[str, int], predicted: int) -> Confusion:
        tp, true = row.get(name, 0), sum(row.values())
        return Confusion(tp, predicted - tp, true - tp, self.labelled - predicted - true + tp)


def _meant(read: Classes) -> Classes:
    table, names = renumber([meaning(name) for name in read.names])
    return Classes(np.append(table, -1)[read.codes], names, read.given)


def _unscored(read: Classes) -> NDArray[np.bool_]:
    unscored: NDArray[np.bool_] = read.given & ~read.usable
    return unscored


def _confusion(prediction: Classes, label: Classes, judged: Judged) -> Matrix | None:
    table, names = renumber([*label.names, *prediction.names])
    rows = table[judged.of(label.codes)]
    columns = table[judged.of(prediction.codes) + len(label.names)]
    pairs, counts = np.unique(rows * len(names) + columns, return_counts=True)
    matrix: Matrix = {}
    for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
        row, column = divmod(pair, len(names))
        matrix.setdefault(names[row], {})[names[column]] = count
    if not _is_small(matrix):
        return None
    return {name: dict(sorted(row.items())) for name, row in sorted(matrix.items())}


def averaged_metric(rate: Rate) -> Callable[[Multiclass, Parameters], Value]:
    """A rate averaged over classes (:attr:`Parameters.average`), or of one of them."""

    def metric(state: Multiclass, parameters: Parameters) -> Value:
        if parameters.class_name is not None and parameters.average is None:
            return of_class(rate)(state, parameters)
        answer = averaged(rate, state.cuts(), parameters.average or "macro")
        return conclude(state, parameters, answer.number, bound=answer.bound, reason=answer.reason)

    return metric


def of_class(rate: Rate) -> Callable[[Multiclass, Parameters], Value]:
    """A rate of one class against all others."""

    def metric(state: Multiclass, parameters: Parameters) -> Value:
        number = rate.of(pick(parameters.class_name, state.cuts(), "class").counts)
        return conclude(state, parameters, number, reason=None if number is not None else rate.undefined)

    return metric


def _cell(name: str) -> Callable[[Multiclass, Parameters], Value]:
    def metric(state: Multiclass, parameters: Parameters) -> Value:
        counts = pick(parameters.class_name, state.cuts(), "class").counts
        return conclude(state, parameters, getattr(counts, name))

    return metric


def _accuracy(state: Multiclass, parameters: Parameters) -> Value:
    """Share of the labelled rows whose class was predicted."""
    hits = sum(row.get(name, 0) for name, row in (state.confusion or {}).items())
    return conclude(state, parameters, hits / state.labelled)


_METRICS: Mapping[str, Callable[[Multiclass, Parameters], Value]] = {
    "accuracy": _accuracy,
    **{name: averaged_metric(rate) for name, rate in RATES.items() if name != "accuracy"},
    **{f"{name}_per_class": of_class(rate) for name, rate in RATES.items()},
    **{f"{cell}_count_per_class": _cell(cell) for cell in CELLS},
    **{f"{cell}_count": _cell(cell) for cell in CELLS},
}
METRICS = {name: unless(lambda state: state.too_many, metric) for name, metric in _METRICS.items()}
"""Metrics of multiclass classification by name."""
