"""Counts of the values that are not counted individually."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aporia_provider.monitoring.states.packed_integers import packed, unpacked
from aporia_provider.monitoring.states.packed_numbers import pack_integers, unpack_integers
from aporia_provider.monitoring.states.sketches import (
    HashSample,
    dump_hashes,
    pack_sample,
    read_hashes,
    unpack_sample,
)
from aporia_provider.monitoring.states.state import COUNTS, Rule

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CELL_BITS = 11
CELLS: Final = 1 << _CELL_BITS
"""Number of cells."""


@dataclass(frozen=True)
class Tail:
    """
    Counts of values by cell of their hash, and a sample of the values.

    The first bits of a hash determine the cell, the last bits whether the value is in the sample.

    :param sample: Counts by hash of all values or of a sample.
    :param cells: Counts of 2048 cells; empty if the sample contains all values.
    """

    sample: HashSample = field(default_factory=HashSample)
    cells: tuple[int, ...] = ()

    @classmethod
    def of(cls, hashes: NDArray[np.int64], counts: NDArray[np.int64]) -> Tail:
        """
        Return the counts of values.

        :param hashes: 64-bit hashes of the values.
        :param counts: Number of occurrences of each value.
        """
        if not len(hashes):
            return cls()
        sample = HashSample.of(hashes, counts)
        return cls(sample, tuple(_summed(hashes, counts).tolist()) if sample.level else ())

    def __add__(self, other: Tail) -> Tail:
        sample = self.sample + other.sample
        if not sample.level:
            return Tail(sample)
        return Tail(sample, COUNTS.add(self._all_cells(), other._all_cells()))

    @property
    def rows(self) -> int:
        """Number of values."""
        return sum(self.cells) if self.sample.level else sum(self.sample.counts)

    def bins(self, number: int) -> NDArray[np.int64]:
        """
        Return the counts of bins with an equal number of cells.

        :param number: Number of bins: a power of two, at most 2048.
        """
        cells = np.array(self._all_cells() or (0,) * CELLS, dtype=np.int64)
        added: NDArray[np.int64] = cells.reshape(number, -1).sum(axis=1)
        return added

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form for the database."""
        cells = {"cells": packed(self.cells)} if self.cells else {}
        return {**dump_hashes(self.sample), **cells}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Tail:
        """Return the counts from the result of :meth:`to_json`."""
        return cls(read_hashes(stored), unpacked(stored["cells"]) if "cells" in stored else ())

    def to_packed(self) -> list[Any]:
        """Return the compact form for the database."""
        return [pack_sample(self.sample), *([pack_integers(self.cells)] if self.cells else [])]

    @classmethod
    def from_packed(cls, stored: Sequence[Any]) -> Tail:
        """Return the counts from the result of :meth:`to_packed`."""
        sample, *cells = stored
        return cls(unpack_sample(sample), unpack_integers(cells[0]) if cells else ())

    def _all_cells(self) -> tuple[int, ...]:
        if self.sample.level or not self.sample.hashes:
            return self.cells
        hashes, counts = (np.array(part, dtype=np.int64) for part in (self.sample.hashes, self.sample.counts))
        return tuple(_summed(hashes, counts).tolist())


def cell(hashes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the cells of hashes."""
    return (hashes.view(np.uint64) >> np.uint64(64 - _CELL_BITS)).astype(np.int64)


def _summed(hashes: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    cells = np.zeros(CELLS, dtype=np.int64)
    np.add.at(cells, cell(hashes), counts)
    return cells


TAIL: Rule[Tail] = Rule(Tail, operator.add, Tail.to_json, Tail.from_json, Tail.to_packed, Tail.from_packed)
"""Counts of the values that are not counted individually."""
