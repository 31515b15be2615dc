"""The bins in which the distributions of a field are compared, with their names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np

from aporia_provider.monitoring.drift.boolean_spellings import in_one_spelling
from aporia_provider.monitoring.drift.category_histograms import (
    CategoryHistogram,
    frequent_ones,
    hashed,
    listed_by_both,
    one_by_one,
)
from aporia_provider.monitoring.drift.field_drift import (
    ComparedState,
    category_histogram,
    numeric_histogram,
)
from aporia_provider.monitoring.drift.rebinning import Floats, NumericHistogram, counts_between
from aporia_provider.monitoring.drift.unseen_values import estimate_new_values
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.states.text_hashes import text_hashes
from aporia_provider.monitoring.states.value_state import ValueState

BY_HASH = "values that are not frequent are compared in bins by their hashes, which are shown together"
ESTIMATED = "the two sides were counted in different bins, so the counts of one are estimated"


@dataclass(frozen=True, eq=False)
class ComparedBins:
    """
    Counts of two distributions in the same bins.

    :param names: Name of each bin: a category, or an interval of numbers; None for values without a name.
    :param ends: For numbers, lower and upper end of each bin; infinite for the outer ones. Empty for
        categories.
    :param baseline: Counts of the baseline.
    :param current: Counts of the current data.
    :param note: How the values are compared; None if there is nothing to note.
    """

    names: tuple[str | None, ...]
    ends: tuple[tuple[float, float], ...]
    baseline: Floats
    current: Floats
    note: str | None = None

    @classmethod
    def of(cls, baseline: ComparedState, current: ComparedState) -> Self | None:
        """
        Return the bins that distances of bins compare.

        :param baseline: The baseline.
        :param current: The current data.
        :return: None if a side has no values, or the field has no bins.
        :raises aporia_provider.errors.ValidationError: if the sides have different types.
        """
        if baseline.state is None or current.state is None:
            return None
        if isinstance(current.state, NumericState):
            sides = numeric_histogram(baseline), numeric_histogram(current)
            if sides[0] is None or sides[1] is None or not (sides[0].samples and sides[1].samples):
                return None
            return cls._of_numbers(sides[0], sides[1])
        if isinstance(current.state, ValueState):
            histograms = category_histogram(baseline), category_histogram(current)
            histograms = in_one_spelling(*histograms) or histograms
            if not (histograms[0].samples and histograms[1].samples):
                return None
            return cls._of_categories(*histograms)
        return None

    @classmethod
    def _of_numbers(cls, baseline: NumericHistogram, current: NumericHistogram) -> Self:
        counts = [counts_between(side, baseline.bins.boundaries) for side in (baseline, current)]
        ends = tuple(pairwise((-math.inf, *baseline.bins.shown_boundaries, math.inf)))
        is_exact = counts[0].exact and counts[1].exact
        digits = _digits(baseline.bins.shown_boundaries)
        names = tuple(_interval(low, high, digits) for low, high in ends)
        return cls(names, ends, counts[0].value, counts[1].value, None if is_exact else ESTIMATED)

    @classmethod
    def _of_categories(cls, baseline: CategoryHistogram, current: CategoryHistogram) -> Self:
        if one_by_one(baseline, current) is not None:
            return cls._one_by_one(baseline, current)
        frequent = [text for text in frequent_ones(baseline) if text in current.counts]
        counts = hashed(*listed_by_both(baseline, current), frequent)
        names = (*frequent, *[None] * (len(counts[0]) - len(frequent)))
        return cls(names, (), *counts, BY_HASH)

    @classmethod
    def _one_by_one(cls, baseline: CategoryHistogram, current: CategoryHistogram) -> Self:
        listed = list(dict.fromkeys([*baseline.counts, *current.counts]))
        texts = dict(zip(text_hashes(listed).tolist(), listed, strict=True))
        sides = baseline.by_hash(), current.by_hash()
        values = sorted(sides[0].keys() | sides[1].keys())
        one, other = (np.array([side.get(value, 0) for value in values], dtype=np.float64) for side in sides)
        return cls(tuple(texts.get(value) for value in values), (), one, other)


def _digits(boundaries: Sequence[float]) -> int:
    """Return the number of significant digits, at least 3, that distinguishes different boundaries."""
    different = len(set(boundaries))
    enough = (digits for digits in range(3, 17) if len({f"{b:.{digits}g}" for b in boundaries}) == different)
    return next(enough, 17)


def _interval(low: float, high: float, digits: int) -> str:
    first, last = (f"{end:.{digits}g}" for end in (low, high))
    if low == high:
        return first
    if math.isinf(low):
        return f"below {last}"
    if math.isinf(high):
        return f"{first} and above"
    return f"{first} to {last}"


def new_value_share(baseline: ComparedState, current: ComparedState) -> tuple[float, float, float] | None:
    """
    Return the share of the current values that the baseline does not have, with bounds.

    Of a numeric field, these are the values outside of the range from the first to the last edge of the bins,
    which is the range of the data that the bins were made from.

    :param baseline: The baseline.
    :param current: The current data.
    :return: The share, its lower and its upper bound; None if a side has no values, or the field has no bins.
    """
    if baseline.state is None or current.state is None:
        return None
    if isinstance(current.state, NumericState):
        histogram = numeric_histogram(current)
        if histogram is None or not histogram.samples:
            return None
        share = (histogram.counts[0] + histogram.counts[-1]) / histogram.samples
        return share, share, share
    if not isinstance(current.state, ValueState):
        return None
    sides = category_histogram(baseline), category_histogram(current)
    sides = in_one_spelling(*sides) or sides
    if not (sides[0].samples and sides[1].samples):
        return None
    estimate = estimate_new_values(*listed_by_both(*sides), []).found
    return estimate.value, estimate.low, estimate.high
