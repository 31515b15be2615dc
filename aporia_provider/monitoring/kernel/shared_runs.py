"""Rows of parts that may overlap, in the order in which the kernel reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from aporia_provider.monitoring.kernel.bucket_runs import RADIX, BucketRuns, RunsPointer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = NDArray[np.bool_]

MOST_IN_GROUP = 63
"""Maximum number of parts in a group: each has a bit of a 64-bit integer."""

# Costs of a run, and of each slot that it is added to, as numbers of rows.
_RUN, _SLOT = 12, 4
_SAMPLE = 1 << 13
"""Number of rows from which groups are chosen."""


@dataclass(frozen=True)
class SharedRuns:
    """
    Runs of rows. All rows of a run belong to the same slots.

    :param pointer: The runs.
    :param target_ends: Where the slots of each run end.
    :param targets: Slots of all runs.
    """

    pointer: RunsPointer
    target_ends: NDArray[np.int64]
    targets: NDArray[np.int32]


@dataclass(frozen=True)
class PartRuns:
    """
    Runs of the rows of each bucket and part. Rows of several parts are in several runs.

    :param rows: Rows in the order of the runs.
    :param runs: The runs, with the bucket of each.
    :param places: Index of the bucket of each run among all buckets.
    :param parts: Number of the part of each run.
    """

    rows: NDArray[np.int32]
    runs: BucketRuns
    places: NDArray[np.intp]
    parts: NDArray[np.intp]


@dataclass(frozen=True)
class BucketParts:
    """
    Rows of the same buckets, and the parts that they belong to.

    :param runs: Runs of the buckets.
    :param parts: For each part, whether each row of the batch belongs to it.
    """

    runs: BucketRuns
    parts: Sequence[Rows]

    def by_part(self) -> PartRuns:
        """Return the runs of each bucket and part."""
        rows, ends = _rows(self.runs), self.runs.ends - self.runs.first
        orders, counts = [], np.zeros((len(self.parts), len(ends)), dtype=np.int64)
        for number, part in enumerate(self.parts):
            selected = part[rows]
            orders.append(rows[selected])
            counts[number] = np.diff(np.concatenate(([0], np.cumsum(selected)))[ends], prepend=0)
        order = np.concatenate(orders) if orders else np.empty(0, dtype=np.int32)
        parts, places = np.nonzero(counts)
        buckets = tuple(self.runs.buckets[index] for index in places.tolist())
        runs = BucketRuns(order, buckets, np.cumsum(counts[parts, places], dtype=np.int64))
        return PartRuns(order, runs, places, parts)

    def groups(self) -> list[list[int]]:
        """
        Return groups of parts whose runs are few, so that rows need not be read once for each part.

        A part is added to the group for which this costs least, or to a new group.
        """
        groups: list[_Group] = []
        rows = _rows(self.runs)
        sample = rows[:: 1 + len(rows) // _SAMPLE]
        for number, whole_part in enumerate(self.parts):
            part = whole_part[sample]
            alone = self._group([number], part.astype(np.uint64))
            best, least = None, alone.cost
            for index, group in enumerate(groups):
                if len(group.numbers) < MOST_IN_GROUP:
                    bit = np.uint64(len(group.numbers))
                    joined = self._group([*group.numbers, number], group.bits | part.astype(np.uint64) << bit)
                    if joined.cost - group.cost <= least:
                        best, least = (index, joined), joined.cost - group.cost
            if best is None:
                groups.append(alone)
            else:
                groups[best[0]] = best[1]
        return [group.numbers for group in groups]

    def shared(self, groups: Sequence[Sequence[int]], slots: NDArray[np.int32]) -> Iterator[SharedRuns]:
        """
        Yield the runs of each group.

        :param groups: Numbers of parts.
        :param slots: Slot by bucket, as in the runs, and part.
        """
        rows = _rows(self.runs)
        buckets = np.repeat(np.arange(len(self.runs.buckets)), self.runs.lengths)
        for numbers in groups:
            bits = self._bits(numbers)[rows]
            yield _shared(rows[bits > 0], buckets[bits > 0], bits[bits > 0], slots[:, list(numbers)])

    def _bits(self, numbers: Sequence[int]) -> NDArray[np.uint64]:
        bits = np.zeros(len(self.parts[0]), dtype=np.uint64)
        for index, number in enumerate(numbers):
            bits |= self.parts[number].astype(np.uint64) << np.uint64(index)
        return bits

    def _group(self, numbers: list[int], bits: NDArray[np.uint64]) -> _Group:
        counted = pa.array(bits).value_counts()
        values, counts = counted.field("values").to_numpy(), counted.field("counts").to_numpy()
        runs, members = int((values > 0).sum()), int(_belongs(values, len(numbers)).sum())
        of_runs = len(self.runs.buckets) * (_RUN * runs + _SLOT * members)
        rows = counts[values > 0].sum() * int(self.runs.lengths.sum()) / max(1, len(bits))
        return _Group(numbers, bits, float(rows) + of_runs)


@dataclass(frozen=True)
class _Group:
    numbers: list[int]
    bits: NDArray[np.uint64]
    cost: float


def _rows(runs: BucketRuns) -> NDArray[np.int32]:
    last = int(runs.ends[-1]) if len(runs.ends) else 0
    if runs.order is None:
        return np.arange(runs.first, last, dtype=np.int32)
    return runs.order[runs.first : last]


def _shared(
    rows: NDArray[np.int32], buckets: NDArray[np.intp], bits: NDArray[np.uint64], slots: NDArray[np.int32]
) -> SharedRuns:
    encoded = pa.array(bits).dictionary_encode()
    combinations = encoded.dictionary.to_numpy()
    # Numbers of the pairs of a bucket and a combination of parts.
    pairs = buckets * len(combinations) + encoded.indices.to_numpy()
    few = len(slots) * len(combinations) < RADIX
    order = pairs.astype(np.uint16 if few else np.int64).argsort(kind="stable")
    ordered = pairs[order]
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], len(ordered) > 0)) + 1
    places, codes = np.divmod(ordered[ends - 1], max(1, len(combinations)))
    members = _belongs(combinations, slots.shape[1])[codes]
    runs, parts = np.nonzero(members)
    read = BucketRuns(rows[order], (None,) * len(ends), ends.astype(np.int64))
    return SharedRuns(
        read.at(np.empty(0, dtype=np.int32)),
        np.cumsum(members.sum(axis=1), dtype=np.int64),
        slots[places[runs], parts],
    )


def _belongs(combinations: NDArray[np.uint64], parts: int) -> NDArray[np.bool_]:
    """Return which parts each combination has."""
    bits: NDArray[np.uint64] = combinations[:, None] >> np.arange(parts, dtype=np.uint64) & np.uint64(1)
    return bits.astype(np.bool_)
