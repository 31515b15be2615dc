"""Whether probabilities are what they say."""

from __future__ import annotations

from dataclasses import dataclass

from aporia_provider.monitoring.performance.binary import BINS, Binary
from aporia_provider.monitoring.performance.options import Options
from aporia_provider.monitoring.performance.parameters import Parameters
from aporia_provider.monitoring.performance.values import Value, conclude

GROUPS = 10
"""Groups of scores, of one width."""
_HALF_BIN = 0.5 / BINS


@dataclass(frozen=True)
class Group:
    """
    Labelled rows whose scores are near each other.

    :param low: Least score.
    :param high: Where the next group begins; the last includes 1.
    :param rows: How many there are.
    :param score: Their mean score, to half the width of a bin (0.0005).
    :param share: Share of them whose label is true.
    """

    low: float
    high: float
    rows: int
    score: float
    share: float


def calibration(state: Binary) -> list[Group]:
    """
    The reliability diagram: groups of scores that have rows, in their order.

    Empty if the scores are not probabilities, or not binned from 0 to 1.
    """
    if _reason(state):
        return []
    positives, negatives = state.positives or (0,) * (BINS + 3), state.negatives or (0,) * (BINS + 3)
    groups = (_group(number, positives, negatives) for number in range(GROUPS))
    return [group for group in groups if group.rows]


def _group(number: int, positives: tuple[int, ...], negatives: tuple[int, ...]) -> Group:
    width = BINS // GROUPS
    first = number * width + 1
    bins = range(first, first + width + (number == GROUPS - 1))
    true = sum(positives[place] for place in bins)
    rows = true + sum(negatives[place] for place in bins)
    scores = sum(_middle(place) * (positives[place] + negatives[place]) for place in bins)
    low, high = number / GROUPS, (number + 1) / GROUPS
    return Group(low, high, rows, scores / rows if rows else 0.0, true / rows if rows else 0.0)


def _middle(place: int) -> float:
    return min((place - 0.5) / BINS, 1.0)


def calibration_error(state: Binary, parameters: Parameters) -> Value:
    """
    Expected calibration error: mean of |score - share of true labels| over the groups, weighted by rows.

    Naeini, Cooper and Hauskrecht, *Obtaining well calibrated probabilities using Bayesian binning*,
    AAAI 2015.
    """
    reason = _reason(state)
    if reason:
        return conclude(state, parameters, None, reason=reason)
    total = sum(group.rows * abs(group.score - group.share) for group in calibration(state))
    return conclude(state, parameters, total / state.labelled, bound=_HALF_BIN)


def calibration_bias(state: Binary, parameters: Parameters) -> Value:
    """Mean score less the share of true labels: how much too often the model says yes."""
    if state.outside:
        return conclude(state, parameters, None, reason=_reason(state))
    return conclude(state, parameters, (state.scores - state.true) / state.labelled)


def _reason(state: Binary) -> str | None:
    if state.outside:
        return f"{state.outside} scores are no probabilities from 0 to 1"
    edges = state.made_with.get("edges", Options().edges)
    return None if tuple(edges) == (0.0, 1.0) else "the scores are not binned from 0 to 1"
