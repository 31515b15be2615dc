"""State of multiclass classification: a confusion matrix, and histograms of scores by class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow.types as kinds
from numpy.typing import NDArray

from aporia_provider.monitoring.performance.confusion import Confusion, ThresholdConfusion
from aporia_provider.monitoring.performance.inputs.class_names import examples, name_of_number
from aporia_provider.monitoring.performance.inputs.column_values import (
    Classes,
    classes,
    is_number,
    plain,
    renumber,
)
from aporia_provider.monitoring.performance.inputs.invalid_pairs import NO_SCORE
from aporia_provider.monitoring.performance.inputs.nested_values import Named
from aporia_provider.monitoring.performance.inputs.top_class import class_scores, has_scores, top_class
from aporia_provider.monitoring.performance.options import Options
from aporia_provider.monitoring.performance.states.class_scores import SCORED, Counts, counted
from aporia_provider.monitoring.performance.states.performance_state import (
    PerformanceState,
    UsableRows,
    of_one_length,
    usable_pairs,
)
from aporia_provider.monitoring.performance.states.state_parts import at_most, by_name
from aporia_provider.monitoring.states.state import SUM, TALLY, TOTAL, Rule, part
from aporia_provider.truth_values import truth_value_of

MOST_CLASSES = 1000
"""Maximum number of classes, since a larger matrix would be too large to store for each bucket."""

Matrix = dict[str, dict[str, int]]
_MATRIX: Rule[Matrix] = by_name(TALLY)


def _names(matrix: Mapping[str, Mapping[str, int]]) -> list[str]:
    return sorted({*matrix, *(name for row in matrix.values() for name in row)})


def _is_small(matrix: Matrix) -> bool:
    return len(_names(matrix)) <= MOST_CLASSES


CONFUSION: Rule[Matrix | None] = at_most(_MATRIX, _is_small)
"""Counts by label, then by prediction; None if there are more than :data:`MOST_CLASSES` classes."""


@dataclass(frozen=True)
class Multiclass(PerformanceState):
    """
    State of multiclass classification.

    :param confusion: Labelled rows by label, then by predicted class; None if there are too many classes.
    :param positives: For predictions with scores: labelled rows by class and bin of its score
        (:data:`~.class_scores.BINS`) where the class is the label; None if there are too many classes.
    :param negatives: The same where the class is not the label.
    :param outside: Labelled rows with a score outside [0, 1].
    :param log_loss: Sum of -ln(score of the label), clipped at 2**-52.
    :param log_loss_squares: Sum of the squares of the terms of :attr:`log_loss`.
    """

    kind: ClassVar[str] = "multiclass-performance"

    confusion: Matrix | None = part(CONFUSION)
    positives: Counts | None = part(SCORED)
    negatives: Counts | None = part(SCORED)
    outside: int = part(TOTAL)
    log_loss: Fraction = part(SUM)
    log_loss_squares: Fraction = part(SUM)

    @classmethod
    def of(cls, predictions: Any, labels: Any, options: Options = Options()) -> Self:  # noqa: B008
        """
        Return the state of a batch of rows.

        :param predictions: Classes (text, booleans, numbers), or dicts of classes to scores or vectors of
            scores (:attr:`Options.classes`), of which the class with the greatest score is predicted, the
            first one of equals.
        :param labels: Classes.
        :raises aporia_provider.errors.ValidationError: for other types.
        """
        predictions, labels = plain(predictions), plain(labels)
        of_one_length(predictions, labels)
        named_as = _naming(predictions.type, labels.type)
        label = _renamed(classes(labels), named_as)
        scores = _scores(predictions, options, named_as)
        prediction = _renamed(classes(predictions), named_as) if scores is None else top_class(scores)
        comparable = usable_pairs(
            prediction, label, () if scores is None else [(NO_SCORE, _unscored(prediction))]
        )
        return cls(
            made_with={"classes": list(options.classes), "scored": scores is not None},
            **comparable.counts,
            confusion=_confusion(prediction, label, comparable),
            **(
                {"squared": comparable.counts["labelled"]}
                if scores is None
                else counted(scores, label, comparable.usable)
            ),
        )

    @property
    def too_many(self) -> str | None:
        """Message if there are too many classes to compare them; None otherwise."""
        if self.confusion is not None:
            return None
        return f"there are more than {MOST_CLASSES} classes, too many to compare them"

    @property
    def doubt(self) -> str | None:
        """Message if no class of the predictions occurs in the labels; None otherwise."""
        labels, predicted = self._vocabularies()
        if not labels or not predicted or labels & predicted:
            return None
        return (
            f"no class of the predictions ({examples(predicted)}) is a class of the labels "
            f"({examples(labels)}): use the same names for both"
        )

    def _vocabularies(self) -> tuple[set[str], set[str]]:
        matrix = self.confusion or {}
        scored = {*(self.positives or ()), *(self.negatives or ())}
        return set(matrix), scored | {name for row in matrix.values() for name in row}

    @property
    def scored(self) -> bool:
        """Whether predictions have scores of classes."""
        return bool(self.made_with.get("scored"))

    def confusions(self) -> dict[str, ThresholdConfusion]:
        """Return the confusion counts of each class against all others; empty if there are too many."""
        matrix = self.confusion or {}
        predicted: dict[str, int] = reduce(TALLY.add, matrix.values(), {})
        return {
            name: ThresholdConfusion(self._against(name, matrix.get(name, {}), predicted.get(name, 0)))
            for name in _names(matrix)
        }

    def _against(self, name: str, row: Mapping[str, int], predicted: int) -> Confusion:
        tp, true = row.get(name, 0), sum(row.values())
        return Confusion(tp, predicted - tp, true - tp, self.labelled - predicted - true + tp)


def _naming(predictions: Any, labels: Any) -> Callable[[str], str]:
    """Return a function that normalizes class names which columns of the two types write differently."""
    if kinds.is_boolean(predictions) != kinds.is_boolean(labels):
        return truth_value_of  # Compared with booleans, "True" and 1 are booleans.
    if is_number(predictions) != is_number(labels):
        return name_of_number  # Compared with numbers, "1.0" is a number.
    return str


def _scores(predictions: Any, options: Options, named_as: Callable[[str], str]) -> Named | None:
    if not has_scores(predictions.type):
        return None
    return class_scores(predictions, options.classes, named_as)


def _renamed(read: Classes, named_as: Callable[[str], str]) -> Classes:
    table, names = renumber([named_as(name) for name in read.names])
    return Classes(np.append(table, -1)[read.codes], names, read.given)


def _unscored(read: Classes) -> NDArray[np.bool_]:
    unscored: NDArray[np.bool_] = read.given & ~read.usable
    return unscored


def _confusion(prediction: Classes, label: Classes, comparable: UsableRows) -> Matrix | None:
    table, names = renumber([*label.names, *prediction.names])
    rows = table[comparable.of(label.codes)]
    columns = table[comparable.of(prediction.codes) + len(label.names)]
    pairs, counts = np.unique(rows * len(names) + columns, return_counts=True)
    matrix: Matrix = {}
    for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
        row, column = divmod(pair, len(names))
        matrix.setdefault(names[row], {})[names[column]] = count
    if not _is_small(matrix):
        return None
    return {name: dict(sorted(row.items())) for name, row in sorted(matrix.items())}
