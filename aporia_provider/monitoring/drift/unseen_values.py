"""How many values a baseline lacks, where there are too many to keep them all."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aporia_provider.monitoring.drift.category_histograms import CategoryHistogram
from aporia_provider.monitoring.drift.rebinning import Floats
from aporia_provider.monitoring.intervals import Interval, exactly, greatest_count, interval, normal
from aporia_provider.monitoring.states.sketches import HashSample
from aporia_provider.monitoring.states.value_tail import CELLS, cell

_RARE = 2  # Occurrences of a value that Good's estimate and its error take account of.
_USUAL = 4.0  # Times the mean of the cells.


@dataclass(frozen=True)
class Vocabulary:
    """
    How many of the values of two sides are new to the baseline.

    A current value is new if the baseline lacks it. Without drift, the share of the values to be expected to
    be new is that of the baseline's values that occur in it once (Good, *The population frequencies of
    species and the estimation of population parameters*, Biometrika 40, 1953). So a value of the baseline is
    taken as new if no other is the same.

    :param own: The counts of categories compared one by one, of the baseline and of the current side.
    :param samples: How many values there are, of the baseline and of the current side.
    :param new: How many of them are new and have no category of their own. Neither number has an error unless
        it was estimated from a sample of the distinct values.
    :param twice: How many distinct values of the baseline occur in it twice and have no category of their
        own.
    """

    own: tuple[Floats, Floats]
    samples: tuple[int, int]
    new: tuple[Interval, Interval]
    twice: float

    @property
    def expected(self) -> Interval:
        """
        The share of new values without drift, among those that have no category of their own.

        It lies within three standard errors of the baseline's share. For ``m`` rows of the baseline, ``n``
        current ones, and ``k`` distinct values that occur in the baseline once and ``t`` that do twice, the
        share has a variance of ``(k (1 - k/m) + 2 t) / m**2`` about the probability of a new value (Esty, *A
        normal limit law for a nonparametric estimator of the coverage of a random sample*, Ann. Statist. 11,
        1983), and the share that is found in the current rows is binomial about that probability. Where rare
        values have categories of their own, these are counted as well, in all rows.
        """
        (before, now), own, once, twice = self._rest, self.own[0], self.new[0], self.twice
        if not before or (own <= _RARE).any():
            once, twice = once + exactly(float((own == 1).sum())), twice + float((own == 2).sum())
            before, now = map(float, self.samples)
        share = min(1.0, once.value / max(1.0, before))
        errors = (once * (1 / max(1.0, before))).with_errors(
            interval(share, max(1.0, before)),
            interval(share, max(1.0, now)),
            normal(share, math.sqrt(2 * twice) / max(1.0, before)),
        )
        scale = now / max(1.0, self._rest[1])
        low, value, high = (min(1.0, max(0.0, scale * end)) for end in (errors.low, share, errors.high))
        return Interval(value, low, high)

    @property
    def found(self) -> Interval:
        """The share of new values among the current ones without a category of their own."""
        return self.new[1] * (1 / self._rest[1] if self._rest[1] else 0.0)

    @property
    def surprising(self) -> bool:
        """Whether more values are new than is to be expected, beyond the errors of the estimates."""
        return self.found.low > self.expected.high

    @property
    def rest_share(self) -> float:
        """The share of the current values that have no category of their own."""
        return self._rest[1] / max(1, self.samples[1])

    @property
    def pairs(self) -> tuple[tuple[Floats, Floats], ...]:
        """
        The counts of both sides: own categories, values of the baseline's vocabulary, and others.

        The vocabulary has the values that were seen before, and as many new ones as are to be expected with
        them. The first pair is the best estimate; the second is as near, and the third as far, as they can
        be.
        """
        expected, new = self.expected, self.new[1]
        return (
            self._pair(expected.value, new.value),
            self._pair(expected.high, new.low),
            self._pair(expected.low, new.high),
        )

    @property
    def _rest(self) -> tuple[float, float]:
        one, other = (count - float(own.sum()) for own, count in zip(self.own, self.samples, strict=True))
        return one, other

    def _pair(self, expected: float, new: float) -> tuple[Floats, Floats]:
        rest, current = self._rest
        seen = max(0.0, current - new)
        within = min(current, seen / (1 - expected)) if expected < 1 else current
        one, other = self.own
        return np.append(one, [rest, 0.0]), np.append(other, [within, current - within])


def vocabulary(baseline: CategoryHistogram, current: CategoryHistogram, own: list[str]) -> Vocabulary:
    """
    Estimate how many values are new.

    :param baseline: The baseline; both sides list the same categories.
    :param current: The current side.
    :param own: The categories that are compared one by one.
    """
    rest = [text for text in baseline.counts if text not in set(own)]
    once, twice = (sum(baseline.counts[text] == times for text in rest) for times in (1, 2))
    lacking = sum(current.counts[text] for text in rest if not baseline.counts[text])
    one, other = (
        np.array([side.counts[text] for text in own], dtype=np.float64) for side in (baseline, current)
    )
    singles = _singles(baseline)
    return Vocabulary(
        (one, other),
        (baseline.samples, current.samples),
        (singles + exactly(once), _lacking(baseline, current, singles.value) + exactly(lacking)),
        twice + (baseline.tail.sample.counts.count(2) << baseline.tail.sample.level),
    )


def _light(side: CategoryHistogram) -> NDArray[np.bool_]:
    """
    The cells of a tail whose counts are usual.

    A sample of the values would miss a frequent one, or count it several times over, so that cells with a
    frequent value are estimated in another way.
    """
    cells = side.tail.bins(CELLS)
    return cells <= greatest_count(_USUAL * float(cells.mean()))


def _in_light(side: CategoryHistogram, level: int) -> tuple[HashSample, NDArray[np.bool_]]:
    """The sample of the values at a level, and which of them are in light cells."""
    sample = side.tail.sample.at(max(level, side.tail.sample.level))
    return sample, _light(side)[cell(np.array(sample.hashes, dtype=np.int64))]


def _singles(baseline: CategoryHistogram) -> Interval:
    """How many values of the baseline's tail occur once; there are as many in a cell that is not light."""
    sample, inside = _in_light(baseline, 0)
    counts, light = np.array(sample.counts, dtype=np.float64), _light(baseline)
    if not sample.level:
        return exactly(float((counts == 1).sum()))
    share = _share(np.ones(int(inside.sum())), counts[inside] == 1, counts[inside], sample.level)
    return share * (float(baseline.tail.bins(CELLS)[light].sum()) * CELLS / max(1, int(light.sum())))


def _lacking(baseline: CategoryHistogram, current: CategoryHistogram, singles: float) -> Interval:
    """
    How many values of the current tail the baseline lacks.

    :param singles: How many values of the baseline's tail occur once.
    """
    known = np.array(baseline.tail.sample.hashes, dtype=np.int64)
    sample, inside = _in_light(current, baseline.tail.sample.level)
    counts, new = np.array(sample.counts, dtype=np.float64), ~np.isin(sample.hashes, known)
    if not sample.level:
        return exactly(float(counts[new].sum()))
    share = _share(counts[inside], new[inside], counts[inside], sample.level)
    light, cells = _light(current), current.tail.bins(CELLS)
    rare = share * float(cells[light].sum())
    expected = singles / max(1, baseline.unlisted)
    replaced = max(0.0, share.value - expected) / (1 - expected) if expected < 1 else 0.0
    return rare + _of_heavy(baseline, current, rare.value / max(1, int(light.sum())), replaced)


def _of_heavy(
    baseline: CategoryHistogram, current: CategoryHistogram, usual: float, replaced: float
) -> Interval:
    """
    How many of the values in cells that are not light are new.

    A value occurs in the baseline at most as often as all values of its cell do. What a cell has more than
    that in proportion, and more than a Poisson variable of that mean has within three standard errors, is
    counted as new. Of the rest as much is new as is usual in a cell, or as the share that was replaced of the
    values in light cells; it may be any part of it.

    :param usual: How many new values a light cell has on average.
    :param replaced: The share of the values in light cells that are new beyond what is to be expected.
    """
    heavy, scale = ~_light(current), current.samples / max(1, baseline.samples)
    total = exactly(0)
    for count, before in zip(current.tail.bins(CELLS)[heavy], baseline.tail.bins(CELLS)[heavy], strict=True):
        doubtful = min(float(count), greatest_count(float(before) * scale))
        certain = float(count) - doubtful
        rest = max(min(usual, doubtful), replaced * doubtful)
        total += Interval(certain + rest, certain, float(count))
    return total


def _share(weights: Floats, chosen: NDArray[np.bool_], counts: Floats, level: int) -> Interval:
    """
    The share of the occurrences of values that are of some kind, from a sample of the distinct values.

    The estimate is the ratio of two sums over the sample. Its variance (Cochran, *Sampling Techniques*, 1977,
    section 2.11) says how many independent values the sample is worth, at most what the weights allow for.

    :param weights: How many occurrences of each value in the sample are of the kind if the value is.
    :param chosen: Which values are.
    :param counts: How often each value occurs.
    :param level: The level of the sample; at level 0 it is the population.
    """
    if not len(counts):
        return Interval(0.0, 0.0, float(level > 0))
    found, all_, rows = (float(part.sum()) for part in (weights[chosen], weights, counts))
    if not level:
        return exactly(found / rows)
    residuals = weights * chosen - counts * (found / rows)
    worth = all_**2 / float((weights**2).sum())
    if 0 < found < all_ and residuals.any():
        worth = min(worth, found * (all_ - found) / float((residuals**2).sum()))
    return interval(found / all_, worth / (1 - 0.5**level)) * (all_ / rows)
