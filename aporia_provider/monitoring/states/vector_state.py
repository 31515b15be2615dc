"""State of vectors and flattened tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from aporia_provider.monitoring.bins.field_bins import NumericBins
from aporia_provider.monitoring.states.exact_sums import exact_sum
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.states.packed_numbers import pack_fractions, unpack_fractions
from aporia_provider.monitoring.states.state import TOTAL, Rule, State, nested, part, total_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

Sums = tuple[Fraction, ...]


def _add(one: Sums, other: Sums) -> Sums:
    if not one or not other:
        return one or other
    return tuple(left + right for left, right in zip(one, other, strict=True))


_SUMS: Rule[Sums] = Rule(
    tuple,
    _add,
    lambda sums: [str(item) for item in sums],
    lambda stored: tuple(map(Fraction, stored)),
    pack_fractions,
    unpack_fractions,
    total_sums,
)


@dataclass(frozen=True)
class VectorBins:
    """
    Dimension and bins of the vectors of a baseline.

    :param dimension: Number of components.
    :param norm: Bins of the Euclidean norms.
    """

    dimension: int
    norm: NumericBins | None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form for the database."""
        return {"dimension": self.dimension, "norm": self.norm and self.norm.to_json()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> VectorBins:
        """Return the bins from the result of :meth:`to_json`."""
        norm = stored["norm"]
        return cls(stored["dimension"], norm and NumericBins.from_json(norm))


@dataclass(frozen=True)
class VectorState(State):
    """
    State of vectors.

    :param rows: Number of rows, including those without a vector.
    :param nulls: Number of nulls.
    :param dimension_errors: Number of vectors that have another dimension than the bins, or a component that
        is missing or not finite. The attributes below exclude them.
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
        cls, numbers: NDArray[np.float64], lengths: NDArray[Any], nulls: int, bins: VectorBins | None
    ) -> VectorState:
        """
        Return the state of vectors.

        :param numbers: Components of all vectors, one vector after another; NaN for nulls.
        :param lengths: Number of components of each vector.
        :param nulls: Number of rows whose vector is null.
        :param bins: Expected dimension and bins. Without it, only rows are counted.
        """
        rows = len(lengths) + nulls
        if bins is None:
            return cls(rows=rows, nulls=nulls)
        proper = _matrix(numbers, lengths, bins.dimension)
        return cls(
            rows=rows,
            nulls=nulls,
            dimension_errors=len(lengths) - len(proper),
            sums=tuple(exact_sum(column) for column in np.ascontiguousarray(proper.T)) if len(proper) else (),
            norm=NumericState.of(norms(proper), 0, bins.norm),
        )

    @property
    def vectors(self) -> int:
        """Number of valid vectors."""
        return self.norm.rows


def norms(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Euclidean norms of rows; infinite if a square overflows."""
    with np.errstate(over="ignore"):
        lengths: NDArray[np.float64] = np.sqrt((matrix * matrix).sum(axis=1))
    return lengths


def _matrix(numbers: NDArray[np.float64], lengths: NDArray[Any], dimension: int) -> NDArray[np.float64]:
    right = lengths == dimension
    chosen = numbers[np.repeat(right, lengths)].reshape(-1, dimension)
    matrix: NDArray[np.float64] = chosen[np.isfinite(chosen).all(axis=1)]
    return matrix
