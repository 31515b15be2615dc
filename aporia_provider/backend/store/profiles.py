"""Storage of profiles and baselines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set

from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.backend.deadlines import check_deadline
from aporia_provider.backend.store.baselines import Baseline, dump_origins, load_origins
from aporia_provider.backend.store.bucket_changes import record_changes
from aporia_provider.backend.store.buckets import Interval
from aporia_provider.backend.store.lookups import upsert
from aporia_provider.backend.store.retained_states import is_retained
from aporia_provider.backend.store.retention_cutoffs import RetentionCutoffs
from aporia_provider.backend.store.state_blocks import BlockLayout, read_buckets
from aporia_provider.backend.store.state_replacement import StateReplacement
from aporia_provider.backend.store.state_sums import is_within, overlapping
from aporia_provider.backend.store.sync_tables import BinsRow, StateBlockRow
from aporia_provider.backend.store.tables import utc_now
from aporia_provider.errors import AporiaError
from aporia_provider.monitoring.profiles.plan import dump_bins, load_bins
from aporia_provider.monitoring.profiles.profile import Profile
from aporia_provider.monitoring.states.state import State

_BATCH_SIZE = 50


def replace_profile(
    session: Session,
    dataset_key: int,
    part: str,
    states: Profile,
    intervals: Sequence[Interval] | None,
    null_timestamps: bool,
    cutoffs: RetentionCutoffs | None = None,
) -> Set[int]:
    """
    Replace the stored states of recomputed buckets and the sums that include them, and record the changes.

    :param states: New states.
    :param intervals: Recomputed buckets, as half-open intervals in seconds since 1970; None for all.
    :param null_timestamps: Whether the state of rows without a timestamp was recomputed.
    :param cutoffs: Times before which states are dropped; None if they are kept for ever. The intervals have
        to be those of :meth:`.RetentionCutoffs.whole_sums`.
    :return: Starts of the buckets whose states have changed, in seconds since 1970.
    """
    replacement = StateReplacement(session, dataset_key, part, cutoffs)
    if intervals is None:
        replacement.replace_all(states)
    else:
        replacement.replace(states, intervals, null_timestamps)
    record_changes(session, dataset_key, part, replacement.changed_buckets)
    return replacement.changed_buckets


def is_stored(
    session: Session, dataset_key: int, part: str, states: Profile, cutoffs: RetentionCutoffs | None = None
) -> bool:
    """
    Return whether exactly these states are already stored.

    :param states: All states of the part.
    :param cutoffs: Times before which states are dropped; None if they are kept for ever.
    """
    if cutoffs is not None:
        return is_retained(session, dataset_key, part, states, cutoffs)
    try:
        stored = {(bucket, field): state for bucket, field, state in read_profile(session, dataset_key, part)}
    except AporiaError:
        # States that cannot be read are replaced.
        return False
    return stored.keys() == states.keys() and all(
        stored[key] == state.settled() for key, state in states.items()
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
    Yield stored states, ordered by field and bucket.

    :param part: Part of the states, ``fields`` or ``performance``; None for both.
    :param fields: Keys of fields; None for all.
    :param start: Start of the range in seconds since 1970. If it or ``end`` is given, states of rows without
        a timestamp are omitted.
    :param end: End of the range in seconds since 1970, exclusive.
    :return: Bucket, key of the field, and state.
    :raises aporia_provider.errors.AporiaError: if stored states cannot be read.
    """
    row = StateBlockRow
    query = select(row.field, row.first, row.states).filter_by(dataset_key=dataset_key)
    query = query.filter_by(span=BlockLayout.of(session, dataset_key).span)
    if part is not None:
        query = query.filter_by(part=part)
    if fields is not None:
        query = query.where(row.field.in_(fields))
    query = overlapping(query, start, end).order_by(row.field, row.first)
    query = query.where(row.states.is_not(None))
    for field, first, stored in session.execute(query, execution_options={"yield_per": _BATCH_SIZE}):
        check_deadline()
        for bucket, state in read_buckets(field, first, stored or b"").items():
            if is_within(bucket, start, end):
                yield bucket, field, state


def store_baseline(session: Session, version_key: int, baseline: Baseline) -> None:
    """Replace the stored baseline of a version."""
    values = {
        "role": baseline.role,
        "grids": dump_bins(baseline.bins),
        "origins": dump_origins(baseline.origins),
        "created_at": utc_now(),
    }
    upsert(session, BinsRow, {"version_key": version_key}, values)


def read_baseline(session: Session, version_key: int) -> Baseline:
    """Return the baseline of a version; an empty one if the version was never synced."""
    row = session.scalar(select(BinsRow).filter_by(version_key=version_key))
    if row is None:
        return Baseline()
    return Baseline(row.role, load_bins(row.grids), load_origins(row.origins))
