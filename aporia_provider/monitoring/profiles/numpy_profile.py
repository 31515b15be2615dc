"""Computation of profiles by numpy and Arrow alone, as on the workers of a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from aporia_provider.monitoring.arrow import as_microseconds
from aporia_provider.monitoring.performance import state_class
from aporia_provider.monitoring.profiles.field_states import field_states
from aporia_provider.monitoring.profiles.gathering import gathered
from aporia_provider.monitoring.profiles.plan import ID, ROWS, TIME, OutcomePlan, ProfilePlan
from aporia_provider.monitoring.profiles.profile_parts import ProfileParts
from aporia_provider.monitoring.profiles.row_sums import RowSums
from aporia_provider.monitoring.states.row_state import RowState
from aporia_provider.monitoring.states.state import State

if TYPE_CHECKING:
    from numpy.typing import NDArray

Bucket = int | None
Profile = dict[tuple[Bucket, str], State]


def numpy_profile(batches: Iterable[pa.RecordBatch], plan: ProfilePlan) -> Profile:
    """Return the states of rows, see :func:`~aporia_provider.monitoring.profiles.profile.profile`."""
    states: Profile = {}
    parts, sums = ProfileParts(plan), RowSums(plan)
    remaining, buckets = sums.observed(batches), 1
    while (table := gathered(remaining, buckets)) is not None:
        rows_by_bucket = list(_buckets(table, plan.seconds))
        for bucket, rows in rows_by_bucket:
            for prefix, selected in _selected(rows, parts):
                for key, state in _states(selected, plan):
                    add(states, (bucket, prefix + key), state)
        buckets = len(rows_by_bucket)
    return {**states, **sums.states}


def _selected(rows: pa.RecordBatch, parts: ProfileParts) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Yield the rows of each part that has any, after the prefix of its keys."""
    if parts.are_whole:
        yield "", rows
        return
    for prefix, belongs in zip(parts.prefixes, parts.rows(rows), strict=True):
        if belongs.all():
            yield prefix, rows
        elif belongs.any():
            yield prefix, rows.take(pa.array(np.flatnonzero(belongs)))


def add(states: Profile, place: tuple[Bucket, str], state: State) -> None:
    """Add a state to the state of its bucket and key."""
    previous = states.get(place)
    states[place] = state if previous is None else previous + state


def _buckets(batch: pa.RecordBatch, seconds: int) -> Iterator[tuple[Bucket, pa.RecordBatch]]:
    times = as_microseconds(batch.column(TIME))
    if times.null_count:
        yield None, batch.filter(pc.is_null(times))
        batch, times = batch.filter(pc.is_valid(times)), times.drop_null()
    if not batch.num_rows:
        return
    numbers = times.to_numpy() // (seconds * 1_000_000)
    if (np.diff(numbers) < 0).any():
        order = np.argsort(numbers, kind="stable")
        batch, numbers = batch.take(pa.array(order)), numbers[order]
    for start, end in _runs(numbers):
        yield int(numbers[start]) * seconds, batch.slice(start, end - start)


def _runs(numbers: NDArray[Any]) -> Iterator[tuple[int, int]]:
    """Return the starts and ends of the runs of equal numbers."""
    changes = (np.flatnonzero(np.diff(numbers)) + 1).tolist()
    return zip([0, *changes], [*changes, len(numbers)], strict=True)


def _states(rows: pa.RecordBatch, plan: ProfilePlan) -> Iterator[tuple[str, State]]:
    ids = rows.column(ID)
    yield ROWS, RowState.of(ids.drop_null().to_numpy(), ids.null_count)
    for field in plan.fields:
        yield from field_states(field, rows.column(field.column), plan.bins)
    yield from outcome_states(rows, plan.outcomes)


def outcome_states(rows: pa.RecordBatch, outcomes: Iterable[OutcomePlan]) -> Iterator[tuple[str, State]]:
    """Yield the states of predictions that have labels, for some rows of a bucket."""
    for outcome in outcomes:
        compared = rows.column(outcome.prediction), rows.column(outcome.label)
        state = state_class(outcome.model_type).of(*compared, outcome.options)
        if outcome.tied is not None:
            state = state.with_ties(_ties(rows.column(outcome.tied), compared[0]))
        yield outcome.key, state


def _ties(tied: pa.Array, predictions: pa.Array) -> int:
    """Return the number of predictions with different labels of the same time."""
    return pc.sum(pc.and_(tied, pc.is_valid(predictions))).as_py() or 0
