"""Comparison of categorical fields with any number of distinct values, with notes for the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

from aporia_provider.monitoring.confidence.interval import Interval
from aporia_provider.monitoring.drift.category_histograms import (
    CategoryHistogram,
    frequent_ones,
    hashed,
    listed_by_both,
    one_by_one,
)
from aporia_provider.monitoring.drift.distance_result import Distance, InsufficientData
from aporia_provider.monitoring.drift.rebinning import Floats
from aporia_provider.monitoring.drift.unseen_values import NewValueEstimate, estimate_new_values
from aporia_provider.monitoring.result_limits import WIDEST_BOUND

Measure = Callable[[Floats, Floats], Distance | InsufficientData]

_WIDEST = 0.5  # Maximum width of the interval for the proportion of new values.


@dataclass(frozen=True)
class Comparison:
    """
    Result of a comparison.

    :param outcome: The distance, or the reason why there is none.
    :param reason: Note for the user.
    :param shown: The distance if it is not reliable, because it is uncertain whether more values are new than
        expected.
    """

    outcome: Distance | InsufficientData
    reason: str | None = None
    shown: Distance | None = None


def compare(
    measure: Measure,
    baseline: CategoryHistogram,
    current: CategoryHistogram,
    *,
    new_values: bool = True,
) -> Comparison:
    """
    Compare two histograms with a distance of bins.

    Up to 512 distinct values are compared one by one, if all their counts are known. Otherwise, the frequent
    values are compared one by one, and the others in bins by their hashes. A hash bin contains many values,
    so the distance is less than between the values themselves. The other values are compared in two bins
    instead, values in the baseline's vocabulary and all others (see
    :attr:`~aporia_provider.monitoring.drift.unseen_values.NewValueEstimate.pairs`), if significantly more
    values than expected are new to the baseline, and if the distance minus its noise and bound is greater
    than with hash bins. Its bound includes the errors of the estimates.

    :param measure: The distance.
    :param baseline: Histogram of the baseline.
    :param current: Histogram of the current data.
    :param new_values: Whether to use the two bins for new values. A statistical test requires bins that do
        not depend on the baseline.
    """
    value_counts = one_by_one(baseline, current)
    if value_counts is not None:
        return Comparison(measure(*value_counts), _apart(value_counts, baseline, current))
    many = _Many.of(baseline, current)
    distance = measure(*many.bins)
    if not new_values or isinstance(distance, InsufficientData):
        return Comparison(distance, many.by_hash)
    by_words = _by_vocabulary(measure, many.words)
    if by_words is not None and _clear(by_words) > _clear(distance):
        return _unknown(by_words, many.by_words) if _vague(by_words) else Comparison(by_words, many.by_words)
    if not many.words.surprising and _width(many.words) > _WIDEST:
        return _unknown(distance, many.by_hash)
    return Comparison(distance, many.by_hash)


@dataclass(frozen=True)
class _Many:
    """
    Two histograms with too many distinct values to compare one by one.

    :param sides: Histograms of the baseline and of the current data, which list the same categories.
    :param own: Categories that are compared one by one.
    :param bins: For both sides, counts of these categories, then of the hash bins of all other values.
    :param words: Estimate of the new values among the values that are not compared one by one.
    """

    sides: tuple[CategoryHistogram, CategoryHistogram]
    own: list[str]
    bins: tuple[Floats, Floats]
    words: NewValueEstimate

    @classmethod
    def of(cls, baseline: CategoryHistogram, current: CategoryHistogram) -> Self:
        single_values = [text for text in frequent_ones(baseline) if text in current.counts]
        sides = listed_by_both(baseline, current)
        return cls(
            sides, single_values, hashed(*sides, single_values), estimate_new_values(*sides, single_values)
        )

    @property
    def by_hash(self) -> str:
        """Note for a comparison by hash."""
        return self._described(f"in {len(self.bins[0]) - len(self.own)} bins by their hashes")

    @property
    def by_words(self) -> str:
        """Note for a comparison by new values."""
        description = self._described(
            "in two bins: the baseline's values with the expected number of new values, "
            "and all new values beyond that number"
        )
        return "; ".join(filter(None, (description, _apart(self.words.pairs[0], *self.sides))))

    def _described(self, others: str) -> str:
        compared_singly = f"{len(self.own)} frequent values are compared one by one, the others"
        method = f"{compared_singly if self.own else 'all values are compared'} {others}"
        return f"{_sizes(*self.sides)}; {_new(self.words)}; {method}"


def _by_vocabulary(measure: Measure, words: NewValueEstimate) -> Distance | None:
    """
    Return the distance of the two bins for new values.

    None if the number of new values is not significantly greater than expected.
    """
    if not words.surprising:
        return None
    best, *ends = (measure(*pair) for pair in words.pairs)
    if isinstance(best, InsufficientData):
        return None
    others = [end.value for end in ends if not isinstance(end, InsufficientData)]
    return replace(best, bound=max((abs(end - best.value) for end in others), default=0.0))


def _clear(distance: Distance | InsufficientData) -> float:
    """Return the distance minus its noise and its bound."""
    return (
        -1.0 if isinstance(distance, InsufficientData) else distance.value - distance.noise - distance.bound
    )


def _width(words: NewValueEstimate) -> float:
    return (words.found.high - words.found.low) * words.rest_share


def _vague(distance: Distance) -> bool:
    return distance.bound > WIDEST_BOUND and 2 * distance.bound > distance.value


def _unknown(distance: Distance, description: str) -> Comparison:
    reason = "it is uncertain whether there are more new values than without drift: use a longer period"
    return Comparison(
        InsufficientData(reason, distance.samples, distance.baseline_samples), description, distance
    )


def _apart(
    pair: tuple[Floats, Floats], baseline: CategoryHistogram, current: CategoryHistogram
) -> str | None:
    """Return a note if the two sides have no value in common."""
    if not (pair[0].any() and pair[1].any()) or (pair[0] * pair[1]).any():
        return None
    return (
        "the two sides have no value in common: the baseline has, for example,"
        f" {baseline.example!r}, the range {current.example!r}"
    )


def _sizes(baseline: CategoryHistogram, current: CategoryHistogram) -> str:
    one, other = (
        f"{'' if side.complete else 'about '}{side.distinct} distinct values" for side in (baseline, current)
    )
    return f"{one} in the baseline, {other} in the range"


def _new(words: NewValueEstimate) -> str:
    observed, expected = (_percent(share * words.rest_share) for share in (words.found, words.expected))
    return f"{observed} of the range's values are not in the baseline, {expected} are expected without drift"


def _percent(share: Interval) -> str:
    if share.low == share.high:
        return f"{share.value:.1%}"
    return f"{share.value:.1%} (between {share.low:.1%} and {share.high:.1%})"
