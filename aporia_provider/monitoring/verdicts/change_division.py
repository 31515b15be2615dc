"""Division of the change of a mean between two periods by the parts of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Mean:
    """
    A mean of some rows.

    :param total: Sum of the terms.
    :param weight: Number of the rows, or sum of their weights.
    """

    total: float
    weight: float

    @property
    def mean(self) -> float | None:
        """The mean; None without rows."""
        return self.total / self.weight if self.weight else None


@dataclass(frozen=True)
class Contribution:
    """
    Part of a change.

    :param mix: Part due to another proportion of the rows.
    :param own: Part due to another mean of these rows.
    """

    mix: float
    own: float

    @property
    def total(self) -> float:
        """Sum of both."""
        return self.mix + self.own


def contribution(whole: tuple[Mean, Mean], part: tuple[Mean, Mean]) -> Contribution:
    """
    Return the contribution of a part of the rows to the change of the mean of all rows.

    With the proportion w and the mean m of the part, and the mean M of all rows, the contributions
    (w₁ - w₀)(m₀ - M₀) and w₁(m₁ - m₀) of the parts add up to M₁ - M₀, if each row belongs to one part
    (Kitagawa, *Components of a difference between two rates*, J. Amer. Statist. Assoc. 50, 1955). If a part
    has no rows in a period, its mean is taken as unchanged.

    :param whole: All rows of the earlier and of the later period.
    :param part: The rows of the part in both.
    """
    before, after = (part[index].mean for index in range(2))
    shares = [part[index].weight / whole[index].weight for index in range(2)]
    first = before if before is not None else after
    then = after if after is not None else before
    if first is None or then is None:
        return Contribution(0.0, 0.0)
    base = whole[0].total / whole[0].weight
    return Contribution((shares[1] - shares[0]) * (first - base), shares[1] * (then - first))


def rest(whole: Mean, parts: Sequence[Mean]) -> Mean | None:
    """
    Return the rows that belong to no part; None if the parts have more rows than there are.

    :param whole: All rows.
    :param parts: Parts of them.
    """
    weight = whole.weight - sum(part.weight for part in parts)
    if weight < 0:
        return None
    return Mean(whole.total - sum(part.total for part in parts) if weight else 0.0, weight)
