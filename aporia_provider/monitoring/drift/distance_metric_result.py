"""Conversion of distances to results of drift metrics."""

from __future__ import annotations

from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.drift.chi_squared import ChiSquared
from aporia_provider.monitoring.drift.distance_result import Distance, InsufficientData
from aporia_provider.monitoring.result import unreliable


def distance_metric_result(outcome: Distance | InsufficientData) -> MetricResult:
    """Return the result of a drift metric. If the distance is not reliable, it is only in ``shown``."""
    if isinstance(outcome, Distance):
        result = _measured(outcome)
        return unreliable(result, _VAGUE.format(outcome.bound)) if outcome.is_unreliable else result
    if outcome.distance is not None:
        return unreliable(_measured(outcome.distance), outcome.reason)
    samples, baseline = outcome.samples, outcome.baseline_samples
    return MetricResult(None, "insufficient_data", samples, baseline, reason=outcome.reason)


def _measured(distance: Distance) -> MetricResult:
    return MetricResult(
        distance.value,
        samples=distance.samples,
        baseline_samples=distance.baseline_samples,
        noise=distance.noise,
        excess=distance.excess,
        bound=distance.bound,
        p_value=distance.p_value if isinstance(distance, ChiSquared) else None,
    )


_VAGUE = (
    "the value may be wrong by {:.3g}, since the bins are too coarse for these values: use a baseline that "
    "was counted in the same bins, or rebuild the bins from more values with a sync of the baseline's "
    "dataset with full=True"
)
