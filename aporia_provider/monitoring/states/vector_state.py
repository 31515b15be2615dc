"""The state of vectors and tensors, which are flattened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from aporia_provider.monitoring.grids.grid import NumericGrid
from aporia_provider.monitoring.states.exact_sums import exact_sum
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.states.state import TOTAL, Rule, State, nested, part

if TYPE_CHECKING:
    from numpy.typing import NDArray

Sums = tuple[Fraction, ...]


def _add(one: Sums, other: Sums) -> Sums:
    if not one or not other:
        return one or other
    return tuple(left + right for left, right in zip(one, other, strict=True))


_SUMS: Rule[Sums] = Rule(
    tuple, _add, lambda sums: [str(item) for item in sums], lambda stored: tuple(map(Fraction, stored))
)


@dataclass(frozen=True)
class VectorGrid:
    """
    What a baseline's vectors are like.

    :param dimension: How many numbers a vector has.
    :param norm: Bins of their Euclidean norms.
    """

    dimension: int
    norm: NumericGrid | None

    def to_json(self) -> dict[str, Any]:
        """What the database keeps."""
        return {"dimension": self.dimension, "norm": self.norm and self.norm.to_json()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> VectorGrid:
        """Read what :meth:`to_json` wrote."""
        norm = stored["norm"]
        return cls(stored["dimension"], norm and NumericGrid.from_json(norm))


@dataclass(frozen=True)
class VectorState(State):
    """
    What is kept of vectors.

    :param rows: Rows, whatever is in them.
    :param nulls: Rows without a vector.
    :param dimension_errors: Rows whose vector has another dimension than the grid says, or a number in it
        that is none. They are part of nothing below.
    :param sums: Sum of the vectors, one number for each dimension.
    :param norm: State of the Euclidean norms.
    """

    kind: ClassVar[str] = "vectors"

    rows: int = part(TOTAL)
    nulls: int = part(TOTAL)
    dimension_errors: int = part(TOTAL)
    sums: Sums = part(_SUMS)
    norm: NumericState = part(nested(NumericState))

    @classmethod
    def of(
        cls, numbers: NDArray[np.float64], lengths: NDArray[Any], nulls: int, grid: VectorGrid | None
    ) -> VectorState:
        """
        Make it from vectors.

        :param numbers: The numbers of all vectors, one vector after the other; NaN for a number that is null.
        :param lengths: How many numbers each vector has.
        :param nulls: How many rows have no vector.
        :param grid: What they should be like; without, they are only counted.
        """
        rows = len(lengths) + nulls
        if grid is None:
            return cls(rows=rows, nulls=nulls)
        proper = _matrix(numbers, lengths, grid.dimension)
        return cls(
            rows=rows,
            nulls=nulls,
            dimension_errors=len(lengths) - len(proper),
            sums=tuple(exact_sum(column) for column in np.ascontiguousarray(proper.T)) if len(proper) else (),
            norm=NumericState.of(norms(proper), 0, grid.norm),
        )

    @property
    def vectors(self) -> int:
        """Vectors of the right dimension."""
        return self.norm.rows


def norms(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Euclidean norms of rows; infinite if a float cannot hold the square."""
    with np.errstate(over="ignore"):
        found: NDArray[np.float64] = np.sqrt((matrix * matrix).sum(axis=1))
    return found


def _matrix(numbers: NDArray[np.float64], lengths: NDArray[Any], dimension: int) -> NDArray[np.float64]:
    right = lengths == dimension
    chosen = numbers[np.repeat(right, lengths)].reshape(-1, dimension)
    matrix: NDArray[np.float64] = chosen[np.isfinite(chosen).all(axis=1)]
    return matrix
