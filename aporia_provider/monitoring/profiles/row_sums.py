"""Sums of numbers of the rows, and of products of them, computed while the rows are profiled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from aporia_provider.monitoring.arrow import as_microseconds, doubles, plain, readable
from aporia_provider.monitoring.profiles.plan import (
    TIME,
    ProfilePlan,
    RowCondition,
    RowNumberPlan,
    SumsPlan,
)
from aporia_provider.monitoring.segments.conditions import parse_condition
from aporia_provider.monitoring.segments.evaluation import ConditionRows
from aporia_provider.monitoring.states.exact_sums import exact_sum
from aporia_provider.monitoring.states.state import State
from aporia_provider.monitoring.states.sums_state import SumsState

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

SUMS = "sums"
"""Key of the states, after the prefix of the plan."""
_LARGEST = float(np.finfo(np.float64).max)


class RowSums:
    """
    The sums of a profile.

    :param plan: The plan.
    """

    def __init__(self, plan: ProfilePlan) -> None:
        self._plan = plan
        self._states: dict[tuple[int | None, str], State] = {}

    def observed(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield batches, whose rows are added to the sums."""
        for batch in batches:
            if self._plan.sums and batch.num_rows:
                self._add(batch)
            yield batch

    @property
    def states(self) -> dict[tuple[int | None, str], State]:
        """The states by bucket and key."""
        return self._states

    def _add(self, batch: pa.RecordBatch) -> None:
        columns = {name: plain(batch.column(name)) for name in _columns(self._plan.sums)}
        read, places = ConditionRows(columns), list(_buckets(batch, self._plan.seconds))
        for sums in self._plan.sums:
            belongs = _rows(read, sums.rows, batch.num_rows)
            numbers = [_numbers(each, columns, read, batch.num_rows) for each in sums.numbers]
            for bucket, rows in places:
                selected = rows[belongs[rows]]
                if len(selected):
                    place, state = (bucket, f"{sums.prefix}{SUMS}"), _state(numbers, selected)
                    known = self._states.get(place)
                    self._states[place] = state if known is None else known + state


def _columns(plans: Iterable[SumsPlan]) -> list[str]:
    names: list[str] = []
    for sums in plans:
        conditions = [sums.rows, *(number.filter for number in sums.numbers)]
        names += [column for condition in conditions for _, column, _ in condition.columns]
        names += [number.column for number in sums.numbers if number.column]
    return list(dict.fromkeys(names))


def _buckets(batch: pa.RecordBatch, seconds: int) -> Iterator[tuple[int | None, NDArray[np.int64]]]:
    """Yield the positions of the rows of each bucket."""
    times = as_microseconds(plain(batch.column(TIME)))
    known = times.is_valid().to_numpy(zero_copy_only=False)
    if not known.all():
        yield None, np.flatnonzero(~known)
    places = np.flatnonzero(known)
    numbers = times.drop_null().to_numpy() // (seconds * 1_000_000)
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    starts = [0, *(np.flatnonzero(np.diff(ordered)) + 1).tolist(), len(ordered)]
    for start, end in pairwise(starts):
        if end > start:
            yield int(ordered[start]) * seconds, places[order[start:end]]


def _rows(read: ConditionRows, condition: RowCondition, count: int) -> NDArray[np.bool_]:
    if not condition.text:
        return np.ones(count, dtype=np.bool_)
    fields = {name: (column, type_) for name, column, type_ in condition.columns}
    rows: NDArray[np.bool_] = read.rows(parse_condition(condition.text), fields)
    return rows


def _numbers(
    plan: RowNumberPlan, columns: Mapping[str, pa.Array], read: ConditionRows, count: int
) -> Numbers:
    """Return the number of each row; it is 0 in rows that the filter leaves out."""
    kept = _rows(read, plan.filter, count)
    if plan.kind == "rows":
        return kept.astype(np.float64)
    array = readable(columns[plan.column], plan.type)
    if plan.kind in ("present", "missing") and plan.type != "numeric":
        present = array.is_valid().to_numpy(zero_copy_only=False)
        wanted: Numbers = (kept & (present == (plan.kind == "present"))).astype(np.float64)
        return wanted
    values = np.full(count, np.nan)
    values[array.is_valid().to_numpy(zero_copy_only=False)] = doubles(array.drop_null())
    numbers: Numbers = np.where(kept, _OF_NUMBERS[plan.kind](values), 0.0)
    return numbers


def _finite(values: Numbers) -> Numbers:
    return np.where(np.isfinite(values), values, 0.0)


def _bounded(values: Numbers) -> Numbers:
    return np.clip(values, -_LARGEST, _LARGEST)


def _square(values: Numbers) -> Numbers:
    with np.errstate(over="ignore"):
        return _bounded(_finite(values) ** 2)


_OF_NUMBERS: dict[str, Any] = {
    "value": _finite,
    "absolute": lambda values: np.abs(_finite(values)),
    "square": _square,
    "finite": lambda values: np.isfinite(values).astype(np.float64),
    "present": lambda values: (~np.isnan(values)).astype(np.float64),
    "missing": lambda values: np.isnan(values).astype(np.float64),
    "zero": lambda values: (values == 0).astype(np.float64),
}


def _state(numbers: list[Numbers], rows: NDArray[np.int64]) -> SumsState:
    selected = [number[rows] for number in numbers]
    products = []
    with np.errstate(over="ignore"):
        for place, one in enumerate(selected):
            products += [exact_sum(_bounded(one * other)) for other in selected[place:]]
    return SumsState(len(rows), tuple(map(exact_sum, selected)), tuple(products))
