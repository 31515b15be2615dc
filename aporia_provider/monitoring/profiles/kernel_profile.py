"""
Computation of profiles by the kernel.

The kernel adds numbers, texts and ids to states in its own memory, whatever the order of the rows. All other
columns are processed by bucket, as without the kernel.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from aporia_provider.monitoring.arrow import readable
from aporia_provider.monitoring.bins.field_bins import CategoryBins, NumericBins
from aporia_provider.monitoring.kernel.arrow_columns import ColumnPointer, number_column
from aporia_provider.monitoring.kernel.bucket_runs import BucketRuns
from aporia_provider.monitoring.kernel.id_accumulator import IdAccumulator
from aporia_provider.monitoring.kernel.number_accumulator import NumberAccumulator
from aporia_provider.monitoring.kernel.shared_runs import BucketParts, PartRuns
from aporia_provider.monitoring.kernel.text_accumulator import TextAccumulator, countable
from aporia_provider.monitoring.profiles.field_states import NUMERIC, field_states
from aporia_provider.monitoring.profiles.gathering import gathered
from aporia_provider.monitoring.profiles.numpy_profile import Bucket, Profile, add, outcome_states
from aporia_provider.monitoring.profiles.plan import ID, ROWS, TIME, Bins, FieldPlan, ProfilePlan
from aporia_provider.monitoring.profiles.profile_parts import ProfileParts
from aporia_provider.monitoring.profiles.row_sums import RowSums

if TYPE_CHECKING:
    from numpy.typing import NDArray

_Place = tuple[Bucket, str]
_Accumulator = IdAccumulator | NumberAccumulator | TextAccumulator

_TEXTS = ("categorical", "string", "boolean")
_CHOOSING = tuple(16**power for power in range(8))
"""Numbers of the batches for which the groups of parts are chosen again."""
_BYTES = 512 << 20
"""Maximum size of the states in the memory of the kernel."""


def kernel_profile(batches: Iterable[pa.RecordBatch], plan: ProfilePlan, library: ctypes.CDLL) -> Profile:
    """
    Return the states of rows, see :func:`~aporia_provider.monitoring.profiles.profile.profile`.

    :param library: The kernel.
    """
    computation, sums = _Computation(plan, library), RowSums(plan)
    # With segments, there are many runs, which are longer if more rows are processed together.
    remaining, buckets = sums.observed(batches), 1 if plan.segments else 0
    while (rows := gathered(remaining, buckets)) is not None:
        buckets = computation.add(rows)
    computation.take_all()
    return {**computation.states, **sums.states}


class _Computation:
    """
    The states of a profile: those in the memory of the kernel, by slot, and those that were taken from it.

    A slot belongs to a bucket and the prefix of a part until all states are taken.
    """

    def __init__(self, plan: ProfilePlan, library: ctypes.CDLL) -> None:
        self._plan = plan
        self._parts = ProfileParts(plan)
        self._groups: list[list[int]] = []
        self._batches = 0
        self._slots: dict[_Place, int] = {}
        self._ids = IdAccumulator(library)
        self._numbers = {
            field.key: NumberAccumulator(library, _numeric(plan.bins, field))
            for field in plan.fields
            if field.type in NUMERIC
        }
        self._texts = {
            field.key: TextAccumulator(library, _categories(plan.bins, field))
            for field in plan.fields
            if field.type in _TEXTS
        }
        self._all: dict[str, _Accumulator] = {ROWS: self._ids, **self._numbers, **self._texts}
        self.states: Profile = {}

    def add(self, rows: pa.RecordBatch) -> int:
        """Add rows; return the number of buckets that were processed one by one."""
        if not self._parts.prefixes:
            return 0
        runs = BucketRuns.of(rows.column(TIME), self._plan.seconds)
        numbers, texts = self._number_columns(rows), self._text_codes(rows)
        most = max(1, self.most_slots // max(1, len(self._parts.prefixes)))
        parts = BucketParts(runs, () if self._parts.are_whole else self._parts.rows(rows))
        for window in runs.windows(most):
            if self._parts.are_whole:
                self._add_to_slots(rows, window, numbers, texts)
            else:
                self._add_parts(rows, replace(parts, runs=window), numbers, texts)
        others = [field for field in self._plan.fields if field.key not in numbers and field.key not in texts]
        if others or self._plan.outcomes:
            self._add_by_bucket(rows, parts, others)
        elif len(runs.buckets) <= most and self._parts.are_whole:
            return 0
        return len(runs.buckets)

    @property
    def most_slots(self) -> int:
        """Number of slots that fit into the memory of the kernel."""
        return max(1, _BYTES // sum(item.slot_bytes for item in self._all.values()))

    def take_all(self) -> None:
        """Take all states from the memory of the kernel."""
        for key in self._all:
            self._take(key)
        self._slots.clear()

    def _take(self, key: str) -> None:
        places = list(self._slots)
        for slot, state in self._all[key].take(len(places)):
            bucket, prefix = places[slot]
            add(self.states, (bucket, prefix + key), state)

    def _number_columns(self, rows: pa.RecordBatch) -> dict[str, ColumnPointer]:
        columns = {}
        for field in self._plan.fields:
            if field.key in self._numbers:
                array = readable(rows.column(field.column), field.type)
                columns[field.key] = number_column(pc.utf8_length(array) if field.type == "text" else array)
        return columns

    def _text_codes(self, rows: pa.RecordBatch) -> dict[str, NDArray[np.int32]]:
        """Return the codes of the fields with texts, except those with too many."""
        codes_by_key = {}
        for field in self._plan.fields:
            if field.key not in self._texts:
                continue
            texts = countable(rows.column(field.column), field.type)
            codes = None if texts is None else self._codes(field.key, texts)
            if codes is not None:
                codes_by_key[field.key] = codes
        return codes_by_key

    def _codes(self, key: str, array: pa.Array) -> NDArray[np.int32] | None:
        codes = self._texts[key].codes(array)
        if codes is None:
            # There may be enough space without the texts of earlier rows.
            self._take(key)
            self._texts[key].forget()
            codes = self._texts[key].codes(array)
            if codes is None:
                self._texts[key].forget()
        return codes

    def _add_to_slots(
        self,
        rows: pa.RecordBatch,
        window: BucketRuns,
        numbers: Mapping[str, ColumnPointer],
        texts: Mapping[str, NDArray[np.int32]],
    ) -> None:
        slots = self._slots_of([(bucket, "") for bucket in window.buckets])
        runs = window.at(slots)
        self._ids.add(rows.column(ID), runs, slots, window.lengths)
        for key, column in numbers.items():
            self._numbers[key].add(column, runs)
        for key, codes in texts.items():
            self._texts[key].add(codes, runs)

    def _add_parts(
        self,
        rows: pa.RecordBatch,
        parts: BucketParts,
        numbers: Mapping[str, ColumnPointer],
        texts: Mapping[str, NDArray[np.int32]],
    ) -> None:
        by_part = parts.by_part()
        slots = self._slots_of(self._places(by_part))
        runs = by_part.runs.at(slots)
        self._ids.add(rows.column(ID), runs, slots, by_part.runs.lengths)
        for key, codes in texts.items():
            self._texts[key].add(codes, runs)
        table = np.zeros((len(parts.runs.buckets), len(parts.parts)), dtype=np.int32)
        table[by_part.places, by_part.parts] = slots
        for shared in parts.shared(self._groups_of(parts), table) if numbers else ():
            for key, column in numbers.items():
                self._numbers[key].add_to_several(column, shared)

    def _places(self, by_part: PartRuns) -> list[_Place]:
        prefixes = [self._parts.prefixes[number] for number in by_part.parts.tolist()]
        return list(zip(by_part.runs.buckets, prefixes, strict=True))

    def _groups_of(self, parts: BucketParts) -> list[list[int]]:
        """Return groups of parts, which are chosen again from time to time."""
        self._batches += 1
        if self._batches in _CHOOSING:
            self._groups = parts.groups()
        return self._groups

    def _slots_of(self, places: list[_Place]) -> NDArray[np.int32]:
        if len(self._slots.keys() | places) > self.most_slots:
            self.take_all()
        slots = [self._slots.setdefault(place, len(self._slots)) for place in places]
        for accumulator in self._all.values():
            accumulator.reserve(len(self._slots))
        return np.array(slots, dtype=np.int32)

    def _add_by_bucket(self, rows: pa.RecordBatch, parts: BucketParts, fields: list[FieldPlan]) -> None:
        for (bucket, prefix), part in self._rows_by_place(rows.select(_columns(self._plan, fields)), parts):
            for field in fields:
                for key, state in field_states(field, part.column(field.column), self._plan.bins):
                    add(self.states, (bucket, prefix + key), state)
            for key, state in outcome_states(part, self._plan.outcomes):
                add(self.states, (bucket, prefix + key), state)

    def _rows_by_place(
        self, rows: pa.RecordBatch, parts: BucketParts
    ) -> Iterator[tuple[_Place, pa.RecordBatch]]:
        if self._parts.are_whole:
            for bucket, part in _parts(rows, parts.runs):
                yield (bucket, ""), part
            return
        by_part = parts.by_part()
        start = 0
        for place, end in zip(self._places(by_part), by_part.runs.ends.tolist(), strict=True):
            yield place, rows.take(pa.array(by_part.rows[start:end]))
            start = end


def _columns(plan: ProfilePlan, fields: Iterable[FieldPlan]) -> list[str]:
    """Return the columns of fields and of all predictions."""
    named: list[Any] = [field.column for field in fields]
    for outcome in plan.outcomes:
        named += [outcome.prediction, outcome.label, outcome.tied]
    return list(dict.fromkeys(filter(None, named)))


def _parts(rows: pa.RecordBatch, runs: BucketRuns) -> Iterator[tuple[Bucket, pa.RecordBatch]]:
    if runs.order is not None:
        rows = rows.take(pa.array(runs.order))
    start = 0
    for bucket, end in zip(runs.buckets, runs.ends.tolist(), strict=True):
        yield bucket, rows.slice(start, end - start)
        start = end


def _numeric(bins: Mapping[str, Bins], field: FieldPlan) -> NumericBins | None:
    return cast("NumericBins | None", bins.get(field.key))


def _categories(bins: Mapping[str, Bins], field: FieldPlan) -> CategoryBins | None:
    return cast("CategoryBins | None", bins.get(field.key))
