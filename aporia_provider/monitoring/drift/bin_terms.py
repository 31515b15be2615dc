"""
Terms of distances between two distributions: what each bin contributes.

In the formulas, p and q are the proportions of a bin in the baseline and in the current data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from aporia_provider.monitoring.drift.rebinning import Floats

FLOOR: Final = 1e-4
"""Smallest proportion in the population stability index."""

Term = Callable[[Floats, Floats], Floats]


def hellinger_terms(p: Floats, q: Floats) -> Floats:
    """Return terms whose sum is the square of the Hellinger distance."""
    terms: Floats = np.square(np.sqrt(p) - np.sqrt(q)) / 2
    return terms


def stability_terms(p: Floats, q: Floats) -> Floats:
    """Return terms whose sum is the population stability index; the proportions have to be positive."""
    return (q - p) * np.log(q / p)


def jensen_shannon_terms(p: Floats, q: Floats) -> Floats:
    """Return terms whose sum is the Jensen-Shannon divergence in bits, the square of the distance."""
    terms = _relative_entropy(p, (p + q) / 2) + _relative_entropy(q, (p + q) / 2)
    return np.maximum(0.0, terms / (2 * math.log(2)))


def variation_terms(p: Floats, q: Floats) -> Floats:
    """Return terms whose sum is the total variation."""
    return np.abs(p - q) / 2


def _relative_entropy(p: Floats, q: Floats) -> Floats:
    return p * np.log(np.divide(p, q, out=np.ones_like(p), where=p > 0))


TERMS: Mapping[str, Term] = {
    "js_distance": jensen_shannon_terms,
    "hellinger_distance": hellinger_terms,
    "psi": stability_terms,
    "total_variation": variation_terms,
}
"""Terms by name of the distance."""
SQUARED = ("js_distance", "hellinger_distance")
"""Distances whose terms add up to their square."""


def contributions(distance: str, baseline: Floats, current: Floats) -> Floats:
    """
    Return the share of each bin in a distance, or in its square for those in :data:`SQUARED`.

    The shares add up to 1, unless the distance is 0: then all are 0.

    :param distance: One of :data:`TERMS`.
    :param baseline: Counts of the baseline; at least one is positive.
    :param current: Counts of the same bins in the current data; at least one is positive.
    """
    p, q = baseline / baseline.sum(), current / current.sum()
    if distance == "psi":
        p, q = np.maximum(p, FLOOR), np.maximum(q, FLOOR)
    terms = TERMS[distance](p, q)
    total = terms.sum()
    return terms / total if total > 0 else np.zeros_like(terms)
