"""Profiles in the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Select, delete, false, func, insert, or_, select
from sqlalchemy.orm import Session

from aporia_provider.backend.deadlines import check_deadline
from aporia_provider.backend.store.baselines import Baseline, dump_origins, load_origins
from aporia_provider.backend.store.buckets import Interval
from aporia_provider.backend.store.lookups import upsert
from aporia_provider.backend.store.sync_tables import GridRow, ProfileRow
from aporia_provider.backend.store.tables import utc_now
from aporia_provider.monitoring.profiles.plan import dump_grids, load_grids
from aporia_provider.monitoring.profiles.profile import Profile
from aporia_provider.monitoring.states.state import State, read_state

_AT_ONCE = 500


def replace_profile(
    session: Session,
    dataset_key: int,
    part: str,
    states: Profile,
    intervals: Sequence[Interval] | None,
    untimed: bool,
) -> None:
    """
    Put the states of recomputed buckets in the place of those that were there.

    :param states: The new ones.
    :param intervals: The buckets that were recomputed; None for all.
    :param untimed: Whether the rows without a time were recomputed.
    """
    old = delete(ProfileRow).filter_by(dataset_key=dataset_key, part=part)
    if intervals is not None:
        within = [ProfileRow.bucket.between(start, end - 1) for start, end in intervals]
        old = old.where(or_(*within, *([ProfileRow.bucket.is_(None)] if untimed else []), false()))
    session.execute(old)
    of = {"dataset_key": dataset_key, "part": part}
    rows = [
        {**of, "field": key, "bucket": bucket, "state": state.settled().to_json()}
        for (bucket, key), state in states.items()
    ]
    for start in range(0, len(rows), _AT_ONCE):
        session.execute(insert(ProfileRow), rows[start : start + _AT_ONCE])


def is_stored(session: Session, dataset_key: int, part: str, states: Profile) -> bool:
    """Whether exactly these states are there already."""
    query = select(ProfileRow.bucket, ProfileRow.field, ProfileRow.state)
    rows = session.execute(query.filter_by(dataset_key=dataset_key, part=part))
    known = {(bucket, field): state for bucket, field, state in rows}
    return known.keys() == states.keys() and all(
        read_state(known[place]) == state.settled() for place, state in states.items()
    )


def read_profile(
    session: Session,
    dataset_key: int,
    part: str | None,
    fields: Sequence[str] | None = None,
    start: int | None = None,
    end: int | None = None,
) -> Iterator[tuple[int | None, str, State]]:
    """
    Read states, in the order of buckets.

    :param part: The part of the dataset that they belong to; None for both.
    :param fields: Keys of fields; None for all.
    :param start: First second; with it or ``end``, rows without a time are left out.
    :param end: First second that does not belong to it any more.
    :return: Bucket, key, state.
    """
    query = select(ProfileRow.bucket, ProfileRow.field, ProfileRow.state).filter_by(dataset_key=dataset_key)
    if part is not None:
        query = query.filter_by(part=part)
    if fields is not None:
        query = query.where(ProfileRow.field.in_(fields))
    query = _between(query, start, end).order_by(ProfileRow.bucket, ProfileRow.field)
    for bucket, field, stored in session.execute(query, execution_options={"yield_per": _AT_ONCE}):
        check_deadline()
        yield bucket, field, read_state(stored)


def outline_of(
    session: Session, dataset_key: int, field: str, start: int | None, end: int | None
) -> tuple[int | None, int | None, int]:
    """The first and the last bucket of a field in a range, and how many states it has there."""
    bucket = ProfileRow.bucket
    numbers: Any = select(func.min(bucket), func.max(bucket), func.count(ProfileRow.key))
    query = numbers.where(ProfileRow.dataset_key == dataset_key, ProfileRow.field == field)
    first, last, states = session.execute(_between(query, start, end)).one()
    return first, last, states


def store_baseline(session: Session, version_key: int, baseline: Baseline) -> None:
    """Keep the grids of a version instead of those that were there."""
    values = {
        "role": baseline.role,
        "grids": dump_grids(baseline.grids),
        "origins": dump_origins(baseline.origins),
        "created_at": utc_now(),
    }
    upsert(session, GridRow, {"version_key": version_key}, values)


def read_baseline(session: Session, version_key: int) -> Baseline:
    """The grids of a version; none if it was never synced."""
    row = session.scalar(select(GridRow).filter_by(version_key=version_key))
    if row is None:
        return Baseline()
    return Baseline(row.role, load_grids(row.grids), load_origins(row.origins))


def _between(query: Select[Any], start: int | None, end: int | None) -> Select[Any]:
    if start is not None:
        query = query.where(ProfileRow.bucket >= start)
    return query if end is None else query.where(ProfileRow.bucket < end)
