"""Verdicts on drift by its effect, where there is too little history for a promised rate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

from aporia_provider.monitoring.verdicts.outcome import Outcome

RELEVANT_EFFECT: Final = 0.2
"""Effect in two consecutive buckets from which on the outcome is ``fail``. A PSI of 0.2 is often called
significant."""

GREAT_EFFECT: Final = 1.0
"""Effect from which on the outcome is ``fail`` after one bucket. It is the effect of a shift by one standard
deviation."""

_ONCE: Final = "the effect is relevant, but not yet in two consecutive buckets"


@dataclass(frozen=True)
class Effect:
    """
    Effect of a drift in one bucket: a squared distance minus its expected value without drift.

    The distance is eight times the squared Hellinger distance, which is close to the PSI if it is small.

    :param value: The effect; NaN if the bucket cannot be compared.
    :param degrees: Degrees of freedom of the distance without drift.
    :param noise: Expected distance without drift, for one degree of freedom.
    """

    value: float
    degrees: int
    noise: float

    def unlikely(self, level: float) -> float:
        """Return the effect that sampling alone exceeds with a probability of ``level``."""
        return (_chi_squared_quantile(self.degrees, level) - self.degrees) * self.noise


def judge_effect(current: Effect, previous: Effect | None, level: float) -> tuple[Outcome, float, str | None]:
    """
    Judge a drift by its effect in a bucket and in the bucket before it.

    :param current: Effect in the bucket.
    :param previous: Effect in the bucket before.
    :param level: Probability with which sampling alone may be taken for a drift.
    :return: The outcome, the effect from which on it is ``fail``, and what qualifies it.
    """
    unlikely = current.unlikely(level)
    if unlikely > RELEVANT_EFFECT and current.value < max(unlikely, GREAT_EFFECT):
        return "insufficient", unlikely, "sampling alone could explain a relevant effect"
    remains = previous is not None and previous.value >= max(RELEVANT_EFFECT, previous.unlikely(level))
    threshold = max(RELEVANT_EFFECT if remains else GREAT_EFFECT, unlikely)
    if current.value >= threshold:
        return "fail", threshold, None
    once = current.value >= RELEVANT_EFFECT
    return (
        "pass",
        threshold,
        "the effect is relevant, but not yet in two consecutive buckets" if once else None,
    )


def _chi_squared_quantile(degrees: int, level: float) -> float:
    """Return what chi squared exceeds with a probability of ``level`` (Wilson and Hilferty, 1931)."""
    if not degrees:
        return 0.0
    variance = 2 / (9 * degrees)
    return degrees * max(1 - variance + NormalDist().inv_cdf(1 - level) * math.sqrt(variance), 0.0) ** 3
