"""State of multi-label classification: histograms of scores by label, and counts by row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from aporia_provider.monitoring.performance.confusion import Confusion, ThresholdConfusion, confusion_at
from aporia_provider.monitoring.performance.inputs.class_names import examples
from aporia_provider.monitoring.performance.inputs.column_values import renumber
from aporia_provider.monitoring.performance.inputs.label_sets import label_scores, label_truths
from aporia_provider.monitoring.performance.inputs.nested_values import Named
from aporia_provider.monitoring.performance.options import Options
from aporia_provider.monitoring.performance.states.histogram_bins import HistogramBins, equal_width_bins
from aporia_provider.monitoring.performance.states.performance_state import (
    PerformanceState,
    of_one_length,
    usable_rows,
)
from aporia_provider.monitoring.performance.states.state_parts import HISTOGRAM, at_most, by_name
from aporia_provider.monitoring.states.exact_sums import exact_sum
from aporia_provider.monitoring.states.state import SUM, TALLY, TOTAL, Rule, part

BINS = 100
"""Number of bins, such that thresholds of up to two decimals are on an edge."""
MOST_LABELS = 1000
"""Maximum number of labels, since more histograms would be too large to store for each bucket."""

_ABSENT = -1.0  # Score of a label that a row does not contain: below every threshold.

Histograms = dict[str, tuple[int, ...]]


def _are_few(named: Mapping[str, Any]) -> bool:
    return len(named) <= MOST_LABELS


HISTOGRAMS: Rule[Histograms | None] = at_most(by_name(HISTOGRAM), _are_few)
"""Histograms by label; None if there are more than :data:`MOST_LABELS` labels."""
SKIPPED: Rule[dict[str, int] | None] = at_most(TALLY, _are_few)
"""Counts by label; None if there are more than :data:`MOST_LABELS` labels."""


@dataclass(frozen=True)
class MultiLabel(PerformanceState):
    """
    State of multi-label classification.

    A label that a row does not contain is neither predicted nor true in it. A label whose score or truth
    value is null, NaN or infinite is skipped in the row. Attributes by label are None if there are too many
    labels.

    :param positives: Labelled rows in which the label is true, by label and bin of its score.
    :param negatives: Labelled rows that contain the label where it is not true, by label and bin of its
        score.
    :param skipped: Labelled rows in which the label is skipped, by label.
    :param matched: Labelled rows whose predicted labels equal the true ones.
    :param named: Labelled rows in which a label is true or predicted.
    :param overlap: Sum of ``2 · |true and predicted| / (|true| + |predicted|)`` over these rows.
    :param overlap_squares: Sum of the squares of these terms.
    :param wrong_squares: Sum of the squares of the number of labels of a row that are predicted incorrectly.
    """

    kind: ClassVar[str] = "multi-label-performance"

    positives: Histograms | None = part(HISTOGRAMS)
    negatives: Histograms | None = part(HISTOGRAMS)
    skipped: dict[str, int] | None = part(SKIPPED)
    matched: int = part(TOTAL)
    named: int = part(TOTAL)
    overlap: Fraction = part(SUM)
    overlap_squares: Fraction = part(SUM)
    wrong_squares: int = part(TOTAL)

    @classmethod
    def of(cls, predictions: Any, labels: Any, options: Options = Options()) -> Self:  # noqa: B008
        """
        Return the state of a batch of rows.

        :param predictions: Dicts of labels to scores, or arrays of predicted labels.
        :param labels: Dicts of labels to booleans or 0 and 1, or arrays of true labels.
        """
        of_one_length(predictions, labels)
        prediction, label = label_scores(predictions), label_truths(labels)
        comparable = usable_rows(prediction.given, label.given, prediction.given, label.given)
        pairs = _pairs(prediction, label, comparable.usable)
        return cls(
            made_with={"threshold": float(options.threshold)},
            **comparable.counts,
            **_by_label(pairs),
            **_by_row(pairs, comparable.usable, options.threshold),
        )

    @property
    def bins(self) -> HistogramBins:
        """Bins of the histograms."""
        return equal_width_bins(0.0, 1.0, BINS)

    @property
    def threshold(self) -> float:
        """Threshold at which the labels of a row were counted as predicted, for counts of rows."""
        return float(self.made_with.get("threshold", Options().threshold))

    @property
    def too_many(self) -> str | None:
        """Message if there are too many labels to compare them; None otherwise."""
        if None not in (self.positives, self.negatives, self.skipped):
            return None
        return f"there are more than {MOST_LABELS} labels, too many to compare each"

    @property
    def doubt(self) -> str | None:
        """Message if no predicted label is ever true and no true label is ever predicted; None otherwise."""
        true = set(self.positives or ())
        scored = {name for name, counts in (self.negatives or {}).items() if sum(counts[1:])}
        if not true or not scored or true & scored or any(sum(counts[1:]) for counts in self._true_counts()):
            return None
        return (
            f"no label of the predictions ({examples(scored)}) is one of the labels ({examples(true)}): "
            "use the same names for both"
        )

    def _true_counts(self) -> Iterable[tuple[int, ...]]:
        return (self.positives or {}).values()

    def confusions(self, threshold: float) -> dict[str, ThresholdConfusion]:
        """
        Return the confusion counts of each label that was not skipped in all rows.

        They are invalid if there are too many labels.
        """
        names = sorted({*(self.positives or ()), *(self.negatives or ())})
        return {name: self._cut(name, threshold) for name in names}

    def _cut(self, name: str, threshold: float) -> ThresholdConfusion:
        positives, negatives = ((side or {}).get(name, ()) for side in (self.positives, self.negatives))
        confusion = confusion_at(positives, negatives, self.bins, threshold)
        unnamed = self.labelled - (self.skipped or {}).get(name, 0) - confusion.counts.total
        unnamed_rows = Confusion(0, 0, 0, unnamed)
        return ThresholdConfusion(
            confusion.counts + unnamed_rows, tuple(corner + unnamed_rows for corner in confusion.corners)
        )


@dataclass(frozen=True)
class _Pairs:
    rows: NDArray[np.int64]
    codes: NDArray[np.int64]
    names: list[str]
    scores: NDArray[np.float64]  # NaN if the pair is skipped.
    true: NDArray[np.bool_]


def _pairs(prediction: Named, label: Named, usable: NDArray[np.bool_]) -> _Pairs:
    table, names = renumber([*prediction.names, *label.names])
    scores = _last(prediction, table[: len(prediction.names)], len(names), usable)
    truths = _last(label, table[len(prediction.names) :], len(names), usable)
    same = np.array_equal(scores[0], truths[0])
    keys = scores[0] if same else np.union1d(scores[0], truths[0])
    score, truth = _spread(keys, *scores, _ABSENT), _spread(keys, *truths, 0.0)
    rows, codes = np.divmod(keys, max(len(names), 1))
    return _Pairs(rows, codes, names, np.where(np.isnan(truth), np.nan, score), truth == 1)


def _last(
    entries: Named, table: NDArray[np.int64], names: int, usable: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the distinct keys of pairs of row and name in ascending order, and the last value of each."""
    in_usable_row = usable[entries.rows]
    keys, values = (
        (entries.rows * names + table[entries.codes])[in_usable_row],
        entries.values.values[in_usable_row],
    )
    if (np.diff(keys) > 0).all():
        return keys, values
    unique, indices = np.unique(keys[::-1], return_index=True)
    return unique, values[::-1][indices]


def _spread(
    keys: NDArray[np.int64], keys_with_value: NDArray[np.int64], values: NDArray[np.float64], otherwise: float
) -> NDArray[np.float64]:
    spread = np.full(len(keys), otherwise)
    spread[np.searchsorted(keys, keys_with_value)] = values
    return spread


def _by_label(pairs: _Pairs) -> dict[str, Any]:
    scored = ~np.isnan(pairs.scores)
    bins = equal_width_bins(0.0, 1.0, BINS)
    indices = bins.indices(pairs.scores[scored])
    codes, true = pairs.codes[scored], pairs.true[scored]
    counts = np.bincount(pairs.codes[~scored], minlength=len(pairs.names)).tolist()
    skipped = {name: count for name, count in sorted(zip(pairs.names, counts, strict=True)) if count}
    return {
        "positives": _histograms(codes[true], indices[true], pairs.names, bins.count),
        "negatives": _histograms(codes[~true], indices[~true], pairs.names, bins.count),
        "skipped": skipped if _are_few(skipped) else None,
    }


def _histograms(
    codes: NDArray[np.int64], bins: NDArray[np.int64], names: Sequence[str], count: int
) -> Histograms | None:
    used = np.unique(codes)
    if len(used) > MOST_LABELS:
        return None
    table = np.bincount(np.searchsorted(used, codes) * count + bins, minlength=len(used) * count)
    rows = zip(used.tolist(), table.reshape(len(used), count).tolist(), strict=True)
    return dict(sorted((names[code], tuple(row)) for code, row in rows))


def _by_row(pairs: _Pairs, usable: NDArray[np.bool_], threshold: float) -> dict[str, Any]:
    scored = ~np.isnan(pairs.scores)
    rows, true = pairs.rows[scored], pairs.true[scored]
    predicted = pairs.scores[scored] >= threshold
    both, wrong, either = (
        np.bincount(rows[chosen], minlength=len(usable))
        for chosen in (true & predicted, true != predicted, true | predicted)
    )
    named = either > 0
    overlaps = 2 * both[named] / (2 * both[named] + wrong[named])
    return {
        "matched": int(np.count_nonzero(usable & (wrong == 0))),
        "named": int(np.count_nonzero(named)),
        "overlap": exact_sum(overlaps),
        "overlap_squares": exact_sum(overlaps**2),
        "wrong_squares": int(wrong @ wrong),
        "squared": int(np.count_nonzero(usable)),
    }
