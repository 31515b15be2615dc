"""Storage of profiles and baselines."""

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

_BATCH_SIZE = 500


def replace_profile(
    session: Session,
    dataset_key: int,
    part: str,
    states: Profile,
    intervals: Sequence[Interval] | None,
    null_timestamps: bool,
) -> None:
    """
    Replace the stored states of recomputed buckets.

    :param states: New states.
    :param intervals: Recomputed buckets, as half-open intervals in seconds since 1970; None for all.
    :param null_timestamps: Whether the state of rows without a timestamp was recomputed.
    """
    outdated = delete(ProfileRow).filter_by(dataset_key=dataset_key, part=part)
    if intervals is not None:
        in_intervals = [ProfileRow.bucket.between(start, end - 1) for start, end in intervals]
        outdated = outdated.where(
            or_(*in_intervals, *([ProfileRow.bucket.is_(None)] if null_timestamps else []), false())
        )
    session.execute(outdated)
    owner = {"dataset_key": dataset_key, "part": part}
    rows = [
        {**owner, "field": key, "bucket": bucket, "state": state.settled().to_json()}
        for (bucket, key), state in states.items()
    ]
    for start in range(0, len(rows), _BATCH_SIZE):
        session.execute(insert(ProfileRow), rows[start : start + _BATCH_SIZE])


def is_stored(session: Session, dataset_key: int, part: str, states: Profile) -> bool:
    """Return whether exactly these states are already stored."""
    query = select(ProfileRow.bucket, ProfileRow.field, ProfileRow.state)
    rows = session.execute(query.filter_by(dataset_key=dataset_key, part=part))
    stored = {(bucket, field): state for bucket, field, state in rows}
    return stored.keys() == states.keys() and all(
        read_state(stored[key]) == state.settled() for key, state in states.items()
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
    Yield stored states, ordered by bucket.

    :param part: Part of the states, ``fields`` or ``performance``; None for both.
    :param fields: Keys of fields; None for all.
    :param start: Start of the range in seconds since 1970. If it or ``end`` is given, states of rows without
        a timestamp are omitted.
    :param end: End of the range in seconds since 1970, exclusive.
    :return: Bucket, key of the field, and state.
    """
    query = select(ProfileRow.bucket, ProfileRow.field, ProfileRow.state).filter_by(dataset_key=dataset_key)
    if part is not None:
        query = query.filter_by(part=part)
    if fields is not None:
        query = query.where(ProfileRow.field.in_(fields))
    query = _between(query, start, end).order_by(ProfileRow.bucket, ProfileRow.field)
    for bucket, field, stored in session.execute(query, execution_options={"yield_per": _BATCH_SIZE}):
        check_deadline()
        yield bucket, field, read_state(stored)


def summarize_states(
    session: Session, dataset_key: int, field: str, start: int | None, end: int | None
) -> tuple[int | None, int | None, int]:
    """Return the first bucket, the last bucket and the number of states of a field within a range."""
    bucket = ProfileRow.bucket
    numbers: Any = select(func.min(bucket), func.max(bucket), func.count(ProfileRow.key))
    query = numbers.where(ProfileRow.dataset_key == dataset_key, ProfileRow.field == field)
    first, last, states = session.execute(_between(query, start, end)).one()
    return first, last, states


def store_baseline(session: Session, version_key: int, baseline: Baseline) -> None:
    """Replace the stored baseline of a version."""
    values = {
        "role": baseline.role,
        "grids": dump_grids(baseline.grids),
        "origins": dump_origins(baseline.origins),
        "created_at": utc_now(),
    }
    upsert(session, GridRow, {"version_key": version_key}, values)


def read_baseline(session: Session, version_key: int) -> Baseline:
    """Return the baseline of a version; an empty one if the version was never synced."""
    row = session.scalar(select(GridRow).filter_by(version_key=version_key))
    if row is None:
        return Baseline()
    return Baseline(row.role, load_grids(row.grids), load_origins(row.origins))


def _between(query: Select[Any], start: int | None, end: int | None) -> Select[Any]:
    if start is not None:
        query = query.where(ProfileRow.bucket >= start)
    return query if end is None else query.where(ProfileRow.bucket < end)
