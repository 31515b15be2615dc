"""Comparisons of categorical fields, whatever the number of their values, with what to know about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

from aporia_provider.monitoring.drift.category_histograms import (
    CategoryHistogram,
    frequent_ones,
    hashed,
    listed_by_both,
    one_by_one,
)
from aporia_provider.monitoring.drift.distance_result import Distance, NotEnough
from aporia_provider.monitoring.drift.rebinning import Floats
from aporia_provider.monitoring.drift.unseen_values import Vocabulary, vocabulary
from aporia_provider.monitoring.intervals import Interval
from aporia_provider.monitoring.result_limits import WIDEST_BOUND

Measure = Callable[[Floats, Floats], Distance | NotEnough]

_WIDEST = 0.5  # Of the interval for the share of new values.


@dataclass(frozen=True)
class Comparison:
    """
    What comparing two sides comes to.

    :param outcome: The distance, or why there is none.
    :param reason: What to know about it.
    :param shown: The distance where it is not fit to decide by, because it is uncertain whether more values
        are new than is to be expected.
    """

    outcome: Distance | NotEnough
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
    Compare two sides by a distance of bins.

    Up to 512 distinct values are compared one by one, if all are known. Of more, the frequent ones are, and
    the others in bins by their hashes. Such a bin has many values, so that the distance is less than that of
    the values themselves. Where more values are new to the baseline than is to be expected, beyond the errors
    of the estimates, and that makes a greater distance above its noise and bound, the other values are
    compared in two bins instead: those of the baseline's vocabulary, and the others, see
    :class:`~aporia_provider.monitoring.drift.unseen_values.Vocabulary`. The bound allows for these errors.

    :param measure: The distance.
    :param baseline: The baseline.
    :param current: The current side.
    :param new_values: Whether to take account of new values; a test has to be made of bins that do not depend
        on the baseline.
    """
    each = one_by_one(baseline, current)
    if each is not None:
        return Comparison(measure(*each), _apart(each, baseline, current))
    many = _Many.of(baseline, current)
    found = measure(*many.bins)
    if not new_values or isinstance(found, NotEnough):
        return Comparison(found, many.by_hash)
    by_words = _by_vocabulary(measure, many.words)
    if by_words is not None and _clear(by_words) > _clear(found):
        return _unknown(by_words, many.by_words) if _vague(by_words) else Comparison(by_words, many.by_words)
    if not many.words.surprising and _width(many.words) > _WIDEST:
        return _unknown(found, many.by_hash)
    return Comparison(found, many.by_hash)


@dataclass(frozen=True)
class _Many:
    """
    Two sides that have too many distinct values to be compared one by one.

    :param sides: The baseline and the current side, which list the same categories.
    :param own: The categories that are compared one by one.
    :param bins: The counts of these, and of the others in bins by their hashes.
    :param words: How many of the others are new.
    """

    sides: tuple[CategoryHistogram, CategoryHistogram]
    own: list[str]
    bins: tuple[Floats, Floats]
    words: Vocabulary

    @classmethod
    def of(cls, baseline: CategoryHistogram, current: CategoryHistogram) -> Self:
        own = [text for text in frequent_ones(baseline) if text in current.counts]
        sides = listed_by_both(baseline, current)
        return cls(sides, own, hashed(*sides, own), vocabulary(*sides, own))

    @property
    def by_hash(self) -> str:
        """What to know of a comparison by hash."""
        return self._described(f"in {len(self.bins[0]) - len(self.own)} bins by their hashes")

    @property
    def by_words(self) -> str:
        """What to know of a comparison by new values."""
        description = self._described(
            "in two bins: those of the baseline's vocabulary, and new ones beyond what is to be expected"
        )
        return "; ".join(filter(None, (description, _apart(self.words.pairs[0], *self.sides))))

    def _described(self, others: str) -> str:
        own = f"{len(self.own)} frequent values are compared one by one, the others"
        how = f"{own if self.own else 'values are compared'} {others}"
        return f"{_sizes(*self.sides)}; {_new(self.words)}; {how}"


def _by_vocabulary(measure: Measure, words: Vocabulary) -> Distance | None:
    """The distance by new values, if there are more than is to be expected."""
    if not words.surprising:
        return None
    best, *ends = (measure(*pair) for pair in words.pairs)
    if isinstance(best, NotEnough):
        return None
    others = [end.value for end in ends if not isinstance(end, NotEnough)]
    return replace(best, bound=max((abs(end - best.value) for end in others), default=0.0))


def _clear(found: Distance | NotEnough) -> float:
    """The distance minus its noise and its bound."""
    return -1.0 if isinstance(found, NotEnough) else found.value - found.noise - found.bound


def _width(words: Vocabulary) -> float:
    return (words.found.high - words.found.low) * words.rest_share


def _vague(found: Distance) -> bool:
    return found.bound > WIDEST_BOUND and 2 * found.bound > found.value


def _unknown(found: Distance, why: str) -> Comparison:
    reason = "it is uncertain whether more values are new than without drift: take a longer period"
    return Comparison(NotEnough(reason, found.samples, found.baseline_samples), why, found)


def _apart(
    pair: tuple[Floats, Floats], baseline: CategoryHistogram, current: CategoryHistogram
) -> str | None:
    """A note on sides that have nothing in common."""
    if not (pair[0].any() and pair[1].any()) or (pair[0] * pair[1]).any():
        return None
    return (
        "no value was found on both sides: the baseline has, for example,"
        f" {baseline.example!r}, the range {current.example!r}"
    )


def _sizes(baseline: CategoryHistogram, current: CategoryHistogram) -> str:
    one, other = (
        f"{'' if side.complete else 'about '}{side.distinct} distinct values" for side in (baseline, current)
    )
    return f"{one} in the baseline, {other} in the range"


def _new(words: Vocabulary) -> str:
    found, expected = (_percent(share * words.rest_share) for share in (words.found, words.expected))
    return (
        f"{found} of the range's values are new to the baseline, {expected} are to be expected without drift"
    )


def _percent(share: Interval) -> str:
    if share.low == share.high:
        return f"{share.value:.1%}"
    return f"{share.value:.1%} (between {share.low:.1%} and {share.high:.1%})"
