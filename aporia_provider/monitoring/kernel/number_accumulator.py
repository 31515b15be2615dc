"""Numeric states by slot, computed by the kernel."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from aporia_provider.monitoring.kernel.arrow_columns import ColumnPointer, pointer
from aporia_provider.monitoring.kernel.bucket_runs import RunsPointer
from aporia_provider.monitoring.kernel.shared_runs import SharedRuns
from aporia_provider.monitoring.kernel.slots import with_slots
from aporia_provider.monitoring.states.exact_sums import fraction_of_units
from aporia_provider.monitoring.states.number_state import NumericState

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aporia_provider.monitoring.bins.field_bins import NumericBins

_CELLS, _MOST_STEPS = 2048, 9
_SUMS, _LIMBS = ("negative_sum", "positive_sum", "squares", "below", "above"), 34
_STATE = np.dtype(
    [
        *((name, "<i8") for name in ("nulls", "nans", "positive_infinities", "negative_infinities")),
        *((name, "<i8") for name in ("zeros", "finite")),
        *((name, "<f8") for name in ("least", "greatest")),
        ("sums", "<u8", (len(_SUMS), _LIMBS)),
    ]
)
"""``State`` of ``number_states.c``."""


class GridPointer(ctypes.Structure):
    """Bins: ``Grid`` of ``number_states.c``."""

    _fields_ = (
        ("edges", ctypes.c_void_p),
        ("starts", ctypes.c_void_p),
        *((name, ctypes.c_int64) for name in ("count", "steps", "shift")),
        *((name, ctypes.c_double) for name in ("first", "last", "scale", "centre", "unit")),
    )
    held: Any


def _grid_pointer(library: ctypes.CDLL, bins: NumericBins | None) -> GridPointer:
    if bins is None:
        return GridPointer(count=0, centre=0.0, unit=1.0)
    edges = np.append(bins.edges, np.full(1 << _MOST_STEPS, np.inf))
    starts = np.zeros(_CELLS, dtype=np.uint16)
    grid_pointer = GridPointer(
        pointer(edges), pointer(starts), len(bins.edges), centre=bins.centre, unit=bins.unit
    )
    grid_pointer.held = (edges, starts)
    library.aporia_prepare_grid(ctypes.byref(grid_pointer))
    return grid_pointer


class NumberAccumulator:
    """
    Numeric states of one field by slot.

    :param library: The kernel.
    :param bins: Bins of the field; None if not known.
    """

    def __init__(self, library: ctypes.CDLL, bins: NumericBins | None) -> None:
        self._library = library
        self._bins = _grid_pointer(library, bins)
        self._states = np.zeros(0, dtype=_STATE)
        self._counts = np.zeros((0, _bin_count(bins)), dtype=np.int64)

    @property
    def slot_bytes(self) -> int:
        """Memory of a slot."""
        return int(_STATE.itemsize + self._counts.itemsize * self._counts.shape[1])

    def reserve(self, slots: int) -> None:
        """Provide at least the given number of slots."""
        self._states, self._counts = with_slots(self._states, slots), with_slots(self._counts, slots)

    def add(self, column: ColumnPointer, runs: RunsPointer) -> None:
        """Add rows."""
        self._library.aporia_add_numbers(
            *map(ctypes.byref, (column, runs, self._bins)),
            *(array.ctypes.data_as(ctypes.c_void_p) for array in (self._states, self._counts)),
        )

    def add_to_several(self, column: ColumnPointer, runs: SharedRuns) -> None:
        """Add rows that belong to several slots."""
        memory = np.zeros(1, dtype=_STATE), np.zeros(self._counts.shape[1], dtype=np.int64)
        arrays = (self._states, self._counts, runs.target_ends, runs.targets, *memory)
        self._library.aporia_add_numbers_to_several(
            *map(ctypes.byref, (column, runs.pointer, self._bins)),
            *(array.ctypes.data_as(ctypes.c_void_p) for array in arrays),
        )

    def take(self, slots: int) -> Iterator[tuple[int, NumericState]]:
        """Yield the states of the slots that have rows, and free all of them."""
        for slot in range(min(slots, len(self._states))):
            state = self._state(slot)
            if state.rows:
                yield slot, state
        self._states, self._counts = self._states[:0].copy(), self._counts[:0].copy()

    def _state(self, slot: int) -> NumericState:
        attributes: dict[str, Any] = dict(zip(_STATE.names or (), self._states[slot].tolist(), strict=True))
        sums, finite = attributes.pop("sums"), attributes.pop("finite")
        counted = ("nulls", "nans", "positive_infinities", "negative_infinities")
        attributes["rows"] = finite + sum(attributes[name] for name in counted)
        if not finite:
            return NumericState(**{name: attributes[name] for name in ("rows", *counted)})
        if self._bins.count:
            attributes["counts"] = tuple(self._counts[slot].tolist())
        return NumericState(**attributes, **_fractions(sums))


def _bin_count(bins: NumericBins | None) -> int:
    return len(bins.edges) + 1 if bins else 1


def _fractions(sums: NDArray[np.uint64]) -> dict[str, Any]:
    fractions = {
        name: fraction_of_units(int.from_bytes(limbs.tobytes(), "little"))
        for name, limbs in zip(_SUMS, sums, strict=True)
    }
    return {**fractions, "negative_sum": -fractions["negative_sum"]}
