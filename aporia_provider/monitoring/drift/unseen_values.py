"""Estimation of the number of new values in fields with too many distinct values to store."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aporia_provider.monitoring.confidence.interval import Interval, exactly
from aporia_provider.monitoring.drift.category_histograms import CategoryHistogram
from aporia_provider.monitoring.drift.rebinning import Floats
from aporia_provider.monitoring.intervals import greatest_count, interval, normal
from aporia_provider.monitoring.states.sketches import HashSample
from aporia_provider.monitoring.states.value_tail import CELLS, cell

_RARE = 2  # Good's estimate and its error use values with at most this number of occurrences.
_USUAL = 4.0  # Multiple of the mean count of the cells up to which a count is usual.


@dataclass(frozen=True)
class NewValueEstimate:
    """
    Estimate of the values that are new to the baseline.

    A current value is new if the baseline does not contain it. Without drift, the expected proportion of new
    values is the proportion of the baseline's values that occur in it once (Good, *The population frequencies
    of species and the estimation of population parameters*, Biometrika 40, 1953). Therefore, a value that
    occurs once in the baseline is called new as well.

    :param own: Counts of the categories compared one by one, of the baseline and of the current data.
    :param samples: Numbers of values, of the baseline and of the current data.
    :param new: Numbers of new values in all other categories, of the baseline and of the current data. They
        have an error only if they were estimated from a sample of the distinct values.
    :param twice: Number of distinct values in all other categories that occur twice in the baseline.
    """

    own: tuple[Floats, Floats]
    samples: tuple[int, int]
    new: tuple[Interval, Interval]
    twice: float

    @property
    def expected(self) -> Interval:
        """
        Expected proportion of new values without drift, among values not compared one by one.

        The interval is three standard errors around the baseline's proportion. For ``m`` rows of the
        baseline, ``n`` current rows, ``k`` distinct values that occur once in the baseline and ``t`` that
        occur twice, the variance of the proportion about the probability of a new value is ``(k (1 - k/m) + 2
        t) / m**2`` (Esty, *A normal limit law for a nonparametric estimator of the coverage of a random
        sample*, Ann. Statist. 11, 1983), and the proportion in the current rows is binomial about that
        probability. If rare values are compared one by one, the probability is estimated from all rows,
        including theirs.
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
        """Proportion of new values among the current values not compared one by one."""
        return self.new[1] * (1 / self._rest[1] if self._rest[1] else 0.0)

    @property
    def surprising(self) -> bool:
        """Whether significantly more values are new than expected."""
        return self.found.low > self.expected.high

    @property
    def rest_share(self) -> float:
        """Proportion of the current values not compared one by one."""
        return self._rest[1] / max(1, self.samples[1])

    @property
    def pairs(self) -> tuple[tuple[Floats, Floats], ...]:
        """
        Pairs of counts of both sides: each own category, values in the baseline's vocabulary, all others.

        The vocabulary consists of the values of the baseline and as many new values as expected. The first
        pair is the best estimate. Within the errors of the estimates, the counts of the two sides are most
        similar in the second pair, and least similar in the third.
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


def estimate_new_values(
    baseline: CategoryHistogram, current: CategoryHistogram, categories: list[str]
) -> NewValueEstimate:
    """
    Return an estimate of the new values.

    :param baseline: Histogram of the baseline; both histograms list the same categories.
    :param current: Histogram of the current data.
    :param categories: Categories that are compared one by one.
    """
    uncompared = [text for text in baseline.counts if text not in set(categories)]
    once, twice = (sum(baseline.counts[text] == times for text in uncompared) for times in (1, 2))
    lacking = sum(current.counts[text] for text in uncompared if not baseline.counts[text])
    one, other = (
        np.array([side.counts[text] for text in categories], dtype=np.float64) for side in (baseline, current)
    )
    singles = _singles(baseline)
    return NewValueEstimate(
        (one, other),
        (baseline.samples, current.samples),
        (singles + exactly(once), _lacking(baseline, current, singles.value) + exactly(lacking)),
        twice + (baseline.tail.sample.counts.count(2) << baseline.tail.sample.level),
    )


def _light(side: CategoryHistogram) -> NDArray[np.bool_]:
    """
    Return which cells of a tail are light, that is, have a usual count.

    The other cells are heavy: they contain a frequent value. A sample of the distinct values may miss a
    frequent value or weight it too much, so heavy cells are estimated separately.
    """
    cells = side.tail.bins(CELLS)
    return cells <= greatest_count(_USUAL * float(cells.mean()))


def _in_light(side: CategoryHistogram, level: int) -> tuple[HashSample, NDArray[np.bool_]]:
    """Return the sample of the distinct values at a level, and which of them are in light cells."""
    sample = side.tail.sample.at(max(level, side.tail.sample.level))
    return sample, _light(side)[cell(np.array(sample.hashes, dtype=np.int64))]


def _singles(baseline: CategoryHistogram) -> Interval:
    """Estimate the number of values of the baseline's tail that occur once, extrapolated from light cells."""
    sample, inside = _in_light(baseline, 0)
    counts, light = np.array(sample.counts, dtype=np.float64), _light(baseline)
    if not sample.level:
        return exactly(float((counts == 1).sum()))
    share = _share(np.ones(int(inside.sum())), counts[inside] == 1, counts[inside], sample.level)
    return share * (float(baseline.tail.bins(CELLS)[light].sum()) * CELLS / max(1, int(light.sum())))


def _lacking(baseline: CategoryHistogram, current: CategoryHistogram, singles: float) -> Interval:
    """
    Estimate the number of values of the current tail that are not in the baseline.

    :param singles: Number of values of the baseline's tail that occur once.
    """
    baseline_hashes = np.array(baseline.tail.sample.hashes, dtype=np.int64)
    sample, inside = _in_light(current, baseline.tail.sample.level)
    counts, new = np.array(sample.counts, dtype=np.float64), ~np.isin(sample.hashes, baseline_hashes)
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
    Estimate the number of new values in heavy cells.

    A value occurs in the baseline at most as often as all values of its cell. The expected current count of a
    cell is therefore at most its count in the baseline, scaled to the number of current values. The excess of
    the current count over the upper limit (three standard errors) of a Poisson variable with this mean is
    new. Of the remainder, the estimate counts as many values as new as an average light cell has, or the
    proportion ``replaced`` if that is more; the interval extends from none to all of the remainder.

    :param usual: Mean number of new values in a light cell.
    :param replaced: Proportion of the values in light cells that are new beyond the expected number.
    """
    heavy, scale = ~_light(current), current.samples / max(1, baseline.samples)
    total = exactly(0)
    for count, before in zip(current.tail.bins(CELLS)[heavy], baseline.tail.bins(CELLS)[heavy], strict=True):
        doubtful = min(float(count), greatest_count(float(before) * scale))
        certain = float(count) - doubtful
        estimated = max(min(usual, doubtful), replaced * doubtful)
        total += Interval(certain + estimated, certain, float(count))
    return total


def _share(weights: Floats, chosen: NDArray[np.bool_], counts: Floats, level: int) -> Interval:
    """
    Estimate a proportion of occurrences from a sample of the distinct values.

    The estimate is the ratio of two sums over the sample. Its variance (Cochran, *Sampling Techniques*, 1977,
    section 2.11) determines the effective sample size, which is at most the effective size of the weights.

    :param weights: Number of occurrences of each sampled value that belong to the numerator if the value is
        chosen.
    :param chosen: Which values are chosen.
    :param counts: Number of occurrences of each value.
    :param level: Level of the sample; at level 0 it is the population.
    """
    if not len(counts):
        return Interval(0.0, 0.0, float(level > 0))
    numerator, all_, rows = (float(addends.sum()) for addends in (weights[chosen], weights, counts))
    if not level:
        return exactly(numerator / rows)
    residuals = weights * chosen - counts * (numerator / rows)
    worth = all_**2 / float((weights**2).sum())
    if 0 < numerator < all_ and residuals.any():
        worth = min(worth, numerator * (all_ - numerator) / float((residuals**2).sum()))
    return interval(numerator / all_, worth / (1 - 0.5**level)) * (all_ / rows)
