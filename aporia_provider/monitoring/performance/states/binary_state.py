"""State of binary classification: two histograms of scores, and exact sums."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from aporia_provider.monitoring.performance.inputs.column_values import (
    Numbers,
    classes,
    is_number,
    numbers,
    plain,
    truths,
)
from aporia_provider.monitoring.performance.inputs.invalid_pairs import NO_TRUTH, UNDECLARED, Fault
from aporia_provider.monitoring.performance.options import Options
from aporia_provider.monitoring.performance.parameters import CLIP
from aporia_provider.monitoring.performance.states.histogram_bins import (
    HistogramBins,
    histogram_bins,
    nonempty_bins,
)
from aporia_provider.monitoring.performance.states.performance_state import (
    PerformanceState,
    of_one_length,
    usable_pairs,
)
from aporia_provider.monitoring.performance.states.score_counts import ScoreCounts
from aporia_provider.monitoring.performance.states.state_parts import (
    EDGES,
    HISTOGRAM,
    NAMED_SUMS,
    named_sums,
    nothing_if_zero,
)
from aporia_provider.monitoring.portable_math import log
from aporia_provider.monitoring.states.exact_sums import exact_sum
from aporia_provider.monitoring.states.state import SUM, TOTAL, nested, part

BINS = 1000
"""Number of bins, such that thresholds of up to three decimals are on an edge."""
_AT_ONCE = 1 << 14  # Slices of this length fit into the processor's cache.

Scores = NDArray[np.float64]
Truths = NDArray[np.bool_]


@dataclass(frozen=True)
class Histograms:
    """
    Labelled rows by bin of their score.

    :param bins: The bins.
    :param positives: Rows whose label is true.
    :param negatives: Rows whose label is false.
    :param unlabelled: Rows with a score and without a usable label.
    """

    bins: HistogramBins
    positives: tuple[int, ...]
    negatives: tuple[int, ...]
    unlabelled: tuple[int, ...]


@dataclass(frozen=True)
class Binary(PerformanceState):
    """
    State of binary classification.

    A decision (``true``, ``1``, the positive class) is the score 1 or 0.

    :param positives: Labelled rows whose label is true, by bin of their score (see :class:`HistogramBins`).
    :param negatives: Labelled rows whose label is false, by bin of their score.
    :param edges: For bins of unequal width, edges of the bins that have rows, by index. So a state contains
        its bins, and its size is bounded by its number of rows.
    :param decided: Labelled rows whose score is exactly 0 or 1.
    :param outside: Labelled rows whose score is outside [0, 1], so not a probability.
    :param scores: Sum of the scores that are probabilities.
    :param log_loss: Sum of -ln(probability of the label), clipped at 2**-52 (Good, *Rational decisions*, J.
        R. Stat. Soc. B 14, 1952).
    :param brier: Sum of (score - label)² (Brier, *Verification of forecasts expressed in terms of
        probability*, Monthly Weather Review 78, 1950).
    :param squares: Sums of the squares of the terms of :attr:`log_loss` and :attr:`brier`, by name.
    :param unlabelled: Rows with a score and without a usable label, in the same bins.
    """

    kind: ClassVar[str] = "binary-performance"

    positives: tuple[int, ...] = part(HISTOGRAM)
    negatives: tuple[int, ...] = part(HISTOGRAM)
    edges: dict[int, float] = part(EDGES)
    decided: int = part(TOTAL)
    outside: int = part(TOTAL)
    scores: Fraction = part(SUM)
    log_loss: Fraction = part(SUM)
    brier: Fraction = part(SUM)
    squares: dict[str, Fraction] = part(NAMED_SUMS)
    unlabelled: ScoreCounts = part(nested(ScoreCounts))

    @classmethod
    def of(cls, predictions: Any, labels: Any, options: Options = Options()) -> Self:  # noqa: B008
        """
        Return the state of a batch of rows.

        :param predictions: Scores (numbers, see :attr:`Options.scored`), or decisions (booleans, text).
        :param labels: Booleans, 0 and 1, text that means true or false, or classes
            (:attr:`Options.positive`).
        """
        of_one_length(predictions, labels)
        predictions, labels = plain(predictions), plain(labels)
        scored = options.scored and is_number(predictions.type)
        prediction = numbers(predictions) if scored else _truths(predictions, options)
        label = _truths(labels, options)
        sides = [(labels, label), *(() if scored else [(predictions, prediction)])]
        comparable = usable_pairs(prediction, label, _unread(sides, options))
        scores, true = comparable.of(prediction.values), comparable.of(label.values) == 1
        unlabelled = prediction.values[prediction.usable & ~comparable.usable]
        return cls(
            made_with=_settings(options),
            **comparable.counts,
            **_histograms(scores, true, unlabelled, options),
            **_sums(scores, true),
        )

    @property
    def histograms(self) -> Histograms:
        """Bins and their counts. For bins of unequal width, adjacent empty bins are merged."""
        bins, sources = self._bins_and_sources
        sides = (self.positives, self.negatives, self.unlabelled.counts)
        return Histograms(bins, *(_taken(side, sources) for side in sides))

    @property
    def bins(self) -> HistogramBins:
        """Bins of :attr:`histograms`."""
        return self._bins_and_sources[0]

    @property
    def _bins_and_sources(self) -> tuple[HistogramBins, Sequence[int | None]]:
        """Return the bins, and the places of their counts in the stored ones."""
        low, high = self.made_with.get("edges", Options().edges)
        if self.made_with.get("bins") is None:
            bins = histogram_bins((low, high), BINS)
            return bins, range(bins.count)
        counts = self.positives or self.negatives or self.unlabelled.counts
        return nonempty_bins(self.edges, low, high, len(counts))

    @property
    def true(self) -> int:
        """Number of labelled rows whose label is true."""
        return sum(self.positives)

    @property
    def false(self) -> int:
        """Number of labelled rows whose label is false."""
        return sum(self.negatives)


def _settings(options: Options) -> dict[str, Any]:
    chosen = {"positive": options.positive, "negative": options.negative, "scored": options.scored}
    return {"edges": [float(options.edges[0]), float(options.edges[-1])], "bins": options.bins, **chosen}


def _taken(counts: Sequence[int], sources: Sequence[int | None]) -> tuple[int, ...]:
    if not counts:
        return (0,) * len(sources)
    if sources == range(len(counts)):
        return tuple(counts)
    return tuple(counts[source] if source is not None else 0 for source in sources)


def _truths(array: Any, options: Options) -> Numbers:
    return truths(array, options.positive, options.negative)


def _unread(sides: Iterable[tuple[Any, Numbers]], options: Options) -> Iterator[Fault]:
    """Yield the rows whose class is neither true nor false."""
    fault = NO_TRUTH if options.positive is None else UNDECLARED
    for array, read in sides:
        yield fault, classes(array).usable & ~read.usable


def _slices(scores: Scores, true: Truths) -> Iterator[tuple[Scores, Truths]]:
    for start in range(0, len(scores), _AT_ONCE):
        yield scores[start : start + _AT_ONCE], true[start : start + _AT_ONCE]


def _histograms(scores: Scores, true: Truths, unlabelled: Scores, options: Options) -> dict[str, Any]:
    bins = histogram_bins(options.edges, BINS)
    positives, negatives, others = (bins.counts(some) for some in (scores[true], scores[~true], unlabelled))
    return {
        "positives": nothing_if_zero(positives.tolist()),
        "negatives": nothing_if_zero(negatives.tolist()),
        "unlabelled": ScoreCounts.of(unlabelled, others),
        "edges": bins.near(positives + negatives + others) if options.bins else {},
        "decided": int(np.count_nonzero((scores == 0) | (scores == 1))),
    }


def _sums(scores: Scores, true: Truths) -> dict[str, Any]:
    labelled = len(scores)
    inside = (scores >= 0) & (scores <= 1)
    outside = labelled - int(np.count_nonzero(inside))
    if outside:
        scores, true = scores[inside], true[inside]
    sums = {"scores": Fraction(), "log_loss": Fraction(), "brier": Fraction()}
    squares: dict[str, Fraction] = {}
    for some, are_true in _slices(scores, true):
        losses = -log(np.clip(np.where(are_true, some, 1 - some), CLIP, 1 - CLIP))
        errors = (some - are_true) ** 2
        sums["scores"] += exact_sum(some)
        sums["log_loss"] += exact_sum(losses)
        sums["brier"] += exact_sum(errors)
        squares = NAMED_SUMS.add(squares, named_sums(log_loss=losses**2, brier=errors**2))
    return {"outside": outside, **sums, "squares": squares, "squared": labelled}
