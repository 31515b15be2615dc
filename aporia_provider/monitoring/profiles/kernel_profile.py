"""
Computation of profiles by the kernel.

The kernel adds numbers, texts and ids to states in its own memory, whatever the order of the rows. All other
columns are processed by bucket, as without the kernel.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator, Mapping
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
from aporia_provider.monitoring.kernel.text_accumulator import TextAccumulator, countable
from aporia_provider.monitoring.profiles.field_states import NUMERIC, field_states
from aporia_provider.monitoring.profiles.gathering import gathered
from aporia_provider.monitoring.profiles.numpy_profile import Bucket, Profile, add, outcome_states
from aporia_provider.monitoring.profiles.plan import ID, ROWS, TIME, Bins, FieldPlan, ProfilePlan

if TYPE_CHECKING:
    from numpy.typing import NDArray

_Accumulator = IdAccumulator | NumberAccumulator | TextAccumulator

_TEXTS = ("categorical", "string", "boolean")
_BYTES = 96 << 20
"""Maximum size of the states in the memory of the kernel."""


def kernel_profile(batches: Iterable[pa.RecordBatch], plan: ProfilePlan, library: ctypes.CDLL) -> Profile:
    """
    Return the states of rows, see :func:`~aporia_provider.monitoring.profiles.profile.profile`.

    :param library: The kernel.
    """
    computation = _Computation(plan, library)
    remaining, buckets = iter(batches), 0
    while (rows := gathered(remaining, buckets)) is not None:
        buckets = computation.add(rows)
    computation.take_all()
    return computation.states


class _Computation:
    """
    The states of a profile: those in the memory of the kernel, by slot, and those that were taken from it.

    A slot belongs to a bucket until all states are taken.
    """

    def __init__(self, plan: ProfilePlan, library: ctypes.CDLL) -> None:
        self._plan = plan
        self._slots: dict[Bucket, int] = {}
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
        runs = BucketRuns.of(rows.column(TIME), self._plan.seconds)
        numbers, texts = self._number_columns(rows), self._text_codes(rows)
        most = self.most_slots
        for window in runs.windows(most):
            self._add_to_slots(rows, window, numbers, texts)
        others = [field for field in self._plan.fields if field.key not in numbers and field.key not in texts]
        if others or self._plan.outcomes:
            self._add_by_bucket(rows, runs, others)
        elif len(runs.buckets) <= most:
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
        buckets = list(self._slots)
        for slot, state in self._all[key].take(len(buckets)):
            add(self.states, (buckets[slot], key), state)

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
        slots = self._slots_of(window.buckets)
        runs = window.at(slots)
        self._ids.add(rows.column(ID), runs, slots, window.lengths)
        for key, column in numbers.items():
            self._numbers[key].add(column, runs)
        for key, codes in texts.items():
            self._texts[key].add(codes, runs)

    def _slots_of(self, buckets: tuple[Bucket, ...]) -> NDArray[np.int32]:
        if len(self._slots.keys() | buckets) > self.most_slots:
            self.take_all()
        slots = [self._slots.setdefault(bucket, len(self._slots)) for bucket in buckets]
        for accumulator in self._all.values():
            accumulator.reserve(len(self._slots))
        return np.array(slots, dtype=np.int32)

    def _add_by_bucket(self, rows: pa.RecordBatch, runs: BucketRuns, fields: list[FieldPlan]) -> None:
        for bucket, part in _parts(rows.select(_columns(self._plan, fields)), runs):
            for field in fields:
                for key, state in field_states(field, part.column(field.column), self._plan.bins):
                    add(self.states, (bucket, key), state)
            for key, state in outcome_states(part, self._plan.outcomes):
                add(self.states, (bucket, key), state)


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
