"""P-values of the drift of the fields of a model, ranked among the past of all of them."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aporia_provider.monitoring.verdicts.drift_statistics import DriftStatistics, drift_statistics
from aporia_provider.monitoring.verdicts.false_discovery import adjusted_p_values
from aporia_provider.monitoring.verdicts.fitted_tails import ParetoTail
from aporia_provider.monitoring.verdicts.null_sample import NullSample
from aporia_provider.monitoring.verdicts.promised_rate import SPENT, pooled_buckets
from aporia_provider.monitoring.verdicts.seasonal_past import Flags, Floats, Integers, season_codes

_RUNS: Final = (1, 2)  # Numbers of consecutive buckets of the statistics.
_FEWEST_IN_POOL: Final = 50


class DriftPool:
    """
    Statistics of the fields of a model in all buckets.

    :param counts: Counts of each field, one row for each bucket, one column for each bin.
    :param importance: Importance of each field.
    :param seasons: Season of each bucket.
    :param buckets_a_year: Number of buckets in a year.
    :raises ValueError: if the numbers of buckets differ.
    """

    def __init__(
        self,
        counts: Mapping[str, NDArray[np.int64]],
        importance: Sequence[float],
        seasons: Sequence[Hashable],
        buckets_a_year: float,
    ) -> None:
        self._counts = dict(counts)
        self._importance = np.array(importance, dtype=np.float64)
        self._codes = season_codes(seasons)
        self._in_a_year = pooled_buckets(buckets_a_year)
        self.rows = {name: row for row, name in enumerate(counts)}
        self._included = np.ones((len(self.rows), len(seasons)), dtype=np.bool_)
        self._ratios = np.full(self._included.shape, np.nan)
        self.statistics = {name: self._compute(name) for name in counts}

    def exclude(self, name: str, buckets: Collection[int]) -> None:
        """Remove buckets of a field from its references and from the pool."""
        self._included[self.rows[name], list(buckets)] = False
        self.statistics[name] = self._compute(name)

    def excludes(self, name: str, bucket: int) -> bool:
        """Return whether a bucket of a field is excluded."""
        return bucket >= 0 and not self._included[self.rows[name], bucket]

    def p_values(self, bucket: int) -> tuple[Floats, Floats] | None:
        """
        Return the p-values of the fields in a bucket; None if there are too few buckets before.

        :return: P-values of the bucket alone, and of both statistics, adjusted for all fields and for the
            alerts that are not acknowledged. NaN for a field that cannot be compared.
        """
        pools = [self._pool(bucket, run) for run in _RUNS]
        if min(map(len, pools)) < _FEWEST_IN_POOL:
            return None
        each = [
            NullSample.of(pool, ParetoTail).p_values(self._minima(bucket, bucket + 1, run)[:, -1])
            for pool, run in zip(pools, _RUNS, strict=True)
        ]
        smallest = np.min([self._adjusted(p) for p in each], axis=0)
        factor = len(_RUNS) / SPENT * (1 + self._open_alarms(bucket))
        return each[0], np.where(np.isfinite(smallest), np.minimum(smallest * factor, 1.0), np.nan)

    def _compute(self, name: str) -> DriftStatistics:
        counts = self._counts[name]
        if len(counts) != len(self._codes):
            raise ValueError(
                f"{name} has the counts of {len(counts)} buckets, and there are {len(self._codes)} seasons"
            )
        statistics = drift_statistics(counts, self._codes, self._included[self.rows[name]])
        self._ratios[self.rows[name]] = statistics.ratio
        return statistics

    def _adjusted(self, p_values: Floats) -> Floats:
        is_known = np.isfinite(p_values)
        adjusted = np.full_like(p_values, np.inf)
        adjusted[is_known] = adjusted_p_values(p_values[is_known], self._importance[is_known])
        return adjusted

    def _pool(self, bucket: int, run: int) -> Floats:
        """Return the statistics of all fields whose buckets are before a bucket."""
        start, end = max(bucket - self._in_a_year, run - 1), bucket - run + 1
        if end <= start:
            return np.array([])
        values = np.where(self._all_included(start, end, run), self._minima(start, end, run), np.nan)
        return values[np.isfinite(values)]

    def _minima(self, start: int, end: int, run: int) -> Floats:
        """Return the least ratio of each run whose last bucket is from ``start`` to ``end - 1``."""
        minima = self._ratios[:, start:end]
        for back in range(1, run):
            minima = np.minimum(minima, self._ratios[:, start - back : end - back])
        return minima

    def _all_included(self, start: int, end: int, run: int) -> Flags:
        included = self._included[:, start:end]
        for back in range(1, run):
            included = included & self._included[:, start - back : end - back]
        return included

    def _open_alarms(self, bucket: int) -> int:
        """
        Return how many alarms of the last year have ended, but are not acknowledged.

        Their statistics are not in the pool, so without them the fitted tail is too light. Each alarm would
        make the next one more likely.
        """
        alarmed: Integers = (
            (~self._included[:, max(0, bucket - self._in_a_year) : bucket]).any(axis=0).astype(int)
        )
        return int((np.diff(alarmed, append=alarmed[-1:]) < 0).sum())
