"""State of sums of rows and of their products, for the covariances of the sums."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from aporia_provider.monitoring.states.packed_numbers import pack_fractions, unpack_fractions
from aporia_provider.monitoring.states.state import TOTAL, Rule, State, part, total_sums


def _add(one: Sequence[Fraction], other: Sequence[Fraction]) -> tuple[Fraction, ...]:
    if not one or not other:
        return tuple(one or other)
    if len(one) != len(other):
        raise ValueError(f"{len(one)} and {len(other)} sums cannot be added")
    return tuple(map(operator.add, one, other))


_SUMS: Rule[tuple[Fraction, ...]] = Rule(
    tuple,
    _add,
    lambda sums: list(map(str, sums)),
    lambda texts: tuple(map(Fraction, texts)),
    pack_fractions,
    unpack_fractions,
    total_sums,
)


@dataclass(frozen=True)
class SumsState(State):
    """
    Sums of numbers that each row has, and of the products of two of them.

    :param rows: Number of rows.
    :param sums: The sums.
    :param products: Sums of the products of the numbers ``i`` and ``j``, for all ``i`` and all ``j`` from
        ``i`` on, in this order.
    """

    kind: ClassVar[str] = "sums"

    rows: int = part(TOTAL)
    sums: tuple[Fraction, ...] = part(_SUMS)
    products: tuple[Fraction, ...] = part(_SUMS)

    def covariance(self, one: int, other: int) -> Fraction:
        """
        Return the covariance of two numbers of a row, with the number of rows less 1 as divisor.

        :param one: Position of a number.
        :param other: Position of a number. There are at least two rows.
        """
        first, second = sorted((one, other))
        count = len(self.sums)
        place = first * count - first * (first - 1) // 2 + second - first
        deviations = self.products[place] - self.sums[first] * self.sums[second] / self.rows
        return deviations / (self.rows - 1)
