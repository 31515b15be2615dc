"""Parts of counts."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

MAX_DENOMINATOR: Final = 1_000_000


def as_fraction(share: float) -> Fraction:
    """Return a share as a fraction with a small denominator, so that products of exact sums stay small."""
    return Fraction(share).limit_denominator(MAX_DENOMINATOR)


def taken(counts: Sequence[int], number: int) -> list[int]:
    """
    Return how much of each count is taken, in proportion to the counts (largest remainders).

    :param counts: The counts.
    :param number: Sum of the taken counts. If it is greater than the sum of the counts, all are taken.
    """
    total = sum(counts)
    number = min(number, total)
    if not total:
        return [0] * len(counts)
    parts = [count * number // total for count in counts]
    remainders = sorted(range(len(counts)), key=lambda index: -(counts[index] * number % total))
    for index in remainders[: number - sum(parts)]:
        parts[index] += 1
    return parts


def without(counts: Sequence[int], number: int) -> tuple[int, ...]:
    """Return what remains of counts, see :func:`taken`."""
    return tuple(count - part for count, part in zip(counts, taken(counts, number), strict=True))
