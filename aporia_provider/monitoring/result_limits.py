"""Limits beyond which a result is shown, but marked as unreliable."""

from __future__ import annotations

from typing import Final

MOST_LEFT_OUT: Final = 0.05
"""Maximum proportion of the rows with a value that may be left out because they cannot be used."""
WIDEST_BOUND: Final = 0.05
"""Maximum bound of a quantity between 0 and 1, such as a rate, an area under a curve or a distance."""
WIDEST_UNBOUNDED: Final = 0.1
"""
Maximum bound of a distance that may be greater than 1: the population stability index, or a Wasserstein
distance in standard deviations. It is the usual alert threshold of both.
"""
