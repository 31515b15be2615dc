"""Conversion of distances to answers of drift metrics."""

from __future__ import annotations

from dataclasses import replace

from aporia_provider.monitoring.drift.chi_squared import ChiSquared
from aporia_provider.monitoring.drift.distance_result import Distance, NotEnough
from aporia_provider.monitoring.result import Answer


def of_distance(outcome: Distance | NotEnough) -> Answer:
    """Return the answer of a drift metric. If the distance is not reliable, it is only in ``shown``."""
    if isinstance(outcome, Distance):
        found = _measured(outcome)
        return _only_shown(found, _VAGUE.format(outcome.bound)) if outcome.vague else found
    if outcome.distance is not None:
        return _only_shown(_measured(outcome.distance), outcome.reason)
    samples, baseline = outcome.samples, outcome.baseline_samples
    return Answer(None, "insufficient_data", samples, baseline, reason=outcome.reason)


def _measured(distance: Distance) -> Answer:
    return Answer(
        distance.value,
        samples=distance.samples,
        baseline_samples=distance.baseline_samples,
        noise=distance.noise,
        excess=distance.excess,
        bound=distance.bound,
        p_value=distance.p_value if isinstance(distance, ChiSquared) else None,
    )


def _only_shown(found: Answer, reason: str) -> Answer:
    return replace(found, value=None, status="insufficient_data", shown=found.value, reason=reason)


_VAGUE = (
    "the value may be off by {:.3g}, since the bins are too coarse for these values: choose a baseline that "
    "was counted on the same bins, or make the bins anew from more values by a sync of the baseline's "
    "dataset with full=True"
)
