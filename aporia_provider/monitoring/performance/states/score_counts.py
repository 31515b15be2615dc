"""State of the scores of rows without labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from aporia_provider.monitoring.performance.states.state_parts import HISTOGRAM, nothing_if_zero
from aporia_provider.monitoring.states.state import TOTAL, State, part


@dataclass(frozen=True)
class ScoreCounts(State):
    """
    Scores of rows without a usable label, from which the performance is estimated before labels arrive.

    :param rows: Number of rows with a finite score.
    :param counts: Rows by bin of their score (see :class:`~.histogram_bins.HistogramBins`).
    :param decided: Rows whose score is exactly 0 or 1.
    :param outside: Rows whose score is outside [0, 1].
    """

    kind: ClassVar[str] = "score-counts"

    rows: int = part(TOTAL)
    counts: tuple[int, ...] = part(HISTOGRAM)
    decided: int = part(TOTAL)
    outside: int = part(TOTAL)

    @classmethod
    def of(cls, scores: NDArray[np.float64], counts: NDArray[np.int64]) -> Self:
        """
        Return the state of finite scores.

        :param scores: The scores.
        :param counts: Their number in each bin.
        """
        return cls(
            rows=len(scores),
            counts=nothing_if_zero(counts.tolist()),
            decided=int(np.count_nonzero((scores == 0) | (scores == 1))),
            outside=int(np.count_nonzero((scores < 0) | (scores > 1))),
        )
