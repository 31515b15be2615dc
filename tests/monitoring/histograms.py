"""Histograms made from raw values, as a state has them, and values to draw."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from aporia_provider.monitoring.bins.field_bins import NumericBins
from aporia_provider.monitoring.drift.distance_result import Distance, InsufficientData
from aporia_provider.monitoring.drift.rebinning import NumericHistogram

steps = st.integers(-6, 20).map(lambda number: number / 4)
samples = st.lists(steps, min_size=1, max_size=40).map(np.array)
edges = st.lists(st.integers(0, 16).map(lambda number: number / 4), min_size=2, max_size=6, unique=True)
any_bins = edges.map(lambda given: NumericBins(tuple(sorted(given)), (), 0.0))
families = st.sampled_from(
    [
        lambda rng, size: rng.normal(size=size),
        lambda rng, size: rng.normal(0.3, 1.5, size),
        lambda rng, size: rng.lognormal(sigma=3, size=size),
        lambda rng, size: rng.integers(18, 90, size).astype(float),
        lambda rng, size: np.maximum(0, rng.normal(-0.5, size=size)),
        lambda rng, size: rng.integers(0, 2, size).astype(float),
        lambda rng, size: np.full(size, 0.5),
    ]
)
drawn = st.builds(
    lambda family, seed, size: family(np.random.default_rng(seed), size),
    families,
    st.integers(0, 2**32),
    st.integers(1, 600),
)
sides = st.tuples(drawn, drawn) | st.tuples(samples, samples)


def bins_of(values: ArrayLike) -> NumericBins:
    bins = NumericBins.of(np.asarray(values, dtype=np.float64))
    assert bins is not None
    return bins


def histogram(values: ArrayLike, bins: NumericBins | None = None) -> NumericHistogram:
    """On the values' own bins if there is none."""
    values = np.asarray(values, dtype=np.float64)
    bins = bins or bins_of(values)
    edges = np.array(bins.edges)
    counts = np.bincount(np.searchsorted(edges, values, "right"), minlength=len(edges) + 1)
    below, above = values[values < edges[0]], values[values >= edges[-1]]
    sums = float((edges[0] - below).sum()), float((above - edges[-1]).sum())
    ends = (float(values.min()), float(values.max())) if values.size else (None, None)
    return NumericHistogram(bins, tuple(counts.tolist()), *sums, *ends)


def sure(outcome: Distance | InsufficientData) -> Distance:
    assert isinstance(outcome, Distance)
    return outcome
