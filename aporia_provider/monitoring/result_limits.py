"""Limits beyond which an answer is shown, but is not fit to decide by."""

from __future__ import annotations

from typing import Final

MOST_LEFT_OUT: Final = 0.05
"""Share of the rows with a value that an answer may leave out because it cannot use them."""
WIDEST_BOUND: Final = 0.05
"""Bound of a quantity that lies between 0 and 1, such as a rate, an area under a curve or a distance."""
WIDEST_UNBOUNDED: Final = 0.1
"""
Bound of a distance that may be greater than 1: the population stability index, or a Wasserstein distance in
standard deviations. It is the usual threshold of both.
"""
