"""Performance of predictions whose labels are in the actuals dataset."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from aporia_provider.backend.registration.profile_plans import performance_plan, with_baseline
from aporia_provider.backend.registration.version_segments import term_plans
from aporia_provider.backend.store.buckets import Interval, describe_intervals, whole_buckets
from aporia_provider.backend.store.segment_keys import without_prefix
from aporia_provider.backend.sync.changed_buckets import ChangedBuckets
from aporia_provider.backend.sync.context import Checkpoint, Result, SyncContext
from aporia_provider.backend.sync.fingerprints import performance_fingerprint
from aporia_provider.backend.sync.joined_segments import NO_SEGMENTS, JoinedSegments
from aporia_provider.backend.sync.reading.dataset_table import ConnectedTable
from aporia_provider.datasets import ACTUALS, SERVING
from aporia_provider.engine.dataframes.labels import IdRange, labelled_buckets, tie_column, with_latest_labels
from aporia_provider.engine.error_messages import BeforeCheckpointError, StatisticsError
from aporia_provider.errors import NotFoundError, ValidationError
from aporia_provider.lake.log.changes import Changes
from aporia_provider.monitoring.profiles.plan import ROWS, ProfilePlan, SegmentTermPlan
from aporia_provider.monitoring.profiles.profile import Profile

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

log = logging.getLogger(__name__)

_SECOND = 1_000_000
_BEFORE_CHECKPOINT = "in a version before a checkpoint, which the engine cannot read"
_DELETED = "deleted from storage"


def sync_performance(
    context: SyncContext, checkpoint: Checkpoint, segments: JoinedSegments = NO_SEGMENTS
) -> Result | None:
    """
    Compare predictions with their labels in all buckets where either have changed.

    A commit of labels affects the buckets of the labelled predictions. Labels that arrive before their
    predictions are used once the predictions arrive.

    :param context: Context of the sync.
    :param checkpoint: Checkpoint of the last sync.
    :param segments: Segments to compare as well.
    :return: None if the version has no predictions to compare, or one of the datasets is not readable.
    :raises aporia_provider.errors.AporiaError: if one of the tables cannot be read.
    """
    if not {SERVING, ACTUALS} <= context.snapshot.readable_roles:
        return None
    comparison = _Comparison(context, checkpoint)
    if not comparison.outcomes:
        return None
    fingerprint = performance_fingerprint(context.snapshot, comparison.outcomes)
    new_checkpoint = Checkpoint(fingerprint, context.positions(SERVING, ACTUALS))
    predicted, labelled = (
        context.table(role).log.changes(checkpoint.positions.get(role)) for role in (SERVING, ACTUALS)
    )
    if checkpoint.fingerprint != new_checkpoint.fingerprint and not predicted.entire_table:
        predicted = Changes("the schema, a dataset or the comparison method has changed", entire_table=True)
    reason = f"predictions: {predicted.reason}; labels: {labelled.reason}"
    if not predicted.has_changes and not labelled.has_changes:
        return Result(new_checkpoint, reason, segments=segments.keys(all_rows=False))
    buckets, null_timestamps = comparison.changed_buckets(predicted, labelled)
    intervals = buckets.intervals
    if comparison.unavailable is not None:
        reason += f"; removed labels are {comparison.unavailable}, so all are compared"
    if intervals == () and not null_timestamps:
        log.info("performance metrics: changes found: %s; no prediction is affected", reason)
        keys = segments.keys(all_rows=False)
        return Result(new_checkpoint, reason, late_buckets=buckets.late, segments=keys)
    time_ranges = describe_intervals(intervals, null_timestamps)
    log.info("performance metrics: changes found: %s; predictions to be read: %s", reason, time_ranges)
    ids = comparison.id_range(intervals, null_timestamps)
    all_rows = intervals is None
    states = comparison.states(intervals, null_timestamps, ids, segments, all_rows=all_rows)
    return Result(
        new_checkpoint,
        reason,
        states,
        intervals,
        null_timestamps,
        extent=comparison.extent(intervals, ids),
        cutoffs=buckets.cutoffs,
        late_buckets=buckets.late,
        segments=segments.keys(all_rows=all_rows),
        whole=segments.whole,
    )


class _Comparison:
    """
    Comparison of the predictions of a version with their labels.

    ``unavailable`` is the reason why removed labels cannot be determined; None if they can, or if none were
    removed.
    """

    unavailable: str | None = None

    def __init__(self, context: SyncContext, checkpoint: Checkpoint) -> None:
        self._context, self._checkpoint = context, checkpoint
        self._serving, self._actuals = context.table(SERVING), context.table(ACTUALS)
        self._plan, self._labels = performance_plan(
            self._serving.dataset, self._actuals.dataset, context.snapshot.schema
        )
        self.outcomes = with_baseline(self._plan.outcomes, context.snapshot.baseline.bins)

    def changed_buckets(self, predicted: Changes, labelled: Changes) -> tuple[ChangedBuckets, bool]:
        """Return the buckets to recompute, and whether to recompute rows without a timestamp."""
        snapshot = self._context.snapshot
        every = ChangedBuckets.of(snapshot, SERVING, None), True
        if predicted.entire_table or labelled.entire_table:
            return every
        buckets = self._buckets_of_labels(labelled) if labelled.has_changes else []
        if buckets is None:
            return every
        seconds = snapshot.bucket_seconds
        spans = [(bucket * _SECOND, (bucket + seconds) * _SECOND) for bucket in buckets if bucket is not None]
        changed = ChangedBuckets.of(snapshot, SERVING, [*predicted.intervals, *spans])
        return changed, predicted.null_timestamps or None in buckets

    def _buckets_of_labels(self, changes: Changes) -> list[int | None] | None:
        """
        Return the buckets of predictions whose labels changed; None if they can no longer be determined.
        """
        buckets = self._buckets_of_labels_at(None, changes)
        if not changes.removed:
            return buckets
        try:
            return buckets + self._buckets_of_labels_at(self._checkpoint.positions[ACTUALS].version, changes)
        except StatisticsError:
            # The files exist; a retry reads them without statistics.
            raise
        except (NotFoundError, ValidationError) as error:
            # Removed labels are read from the previous version, whose files or log may be deleted.
            behind_checkpoint = isinstance(error, BeforeCheckpointError)
            self.unavailable = _BEFORE_CHECKPOINT if behind_checkpoint else _DELETED
            log.info("removed labels are %s: %s", self.unavailable, error.message)
            return None

    def _buckets_of_labels_at(self, version: int | None, changes: Changes) -> list[int | None]:
        serving, actuals = self._serving.dataset, self._actuals.dataset
        intervals = whole_buckets(changes.intervals, 1)
        changed = self._rows(self._actuals, (), intervals, changes.null_timestamps, version)
        predictions = self._rows(self._serving, ())
        with self._serving.rows.read_errors(), self._actuals.rows.read_errors():
            return labelled_buckets(
                predictions,
                (serving.id_column, serving.timestamp_column),
                changed,
                actuals.id_column,
                self._context.snapshot.bucket_seconds,
            )

    def id_range(self, intervals: Sequence[Interval] | None, null_timestamps: bool) -> IdRange | None:
        """Return the range of the ids of predictions in some buckets; None for all buckets."""
        if intervals is None:
            return None
        return self._serving.id_range(self._context.spark, intervals, null_timestamps)

    def states(
        self,
        intervals: Sequence[Interval] | None,
        null_timestamps: bool,
        ids: IdRange | None,
        segments: JoinedSegments,
        *,
        all_rows: bool,
    ) -> Profile:
        """Return the states of the predictions in some buckets, whose ids are in the given range."""
        dataset, snapshot = self._serving.dataset, self._context.snapshot
        actuals = self._actuals.dataset
        label_columns = {name: name for label in self._labels for name in (label, tie_column(label))}
        terms = term_plans(segments.computed(all_rows=all_rows), self._plan.term_columns)
        own_columns = {**self._plan.columns, **self._term_columns(terms)}
        columns = {**own_columns, **label_columns}
        predictions = self._rows(self._serving, own_columns.values(), intervals, null_timestamps)
        label_rows = self._label_rows(ids)
        with self._actuals.rows.read_errors():
            rows = with_latest_labels(
                predictions,
                dataset.id_column,
                label_rows,
                (actuals.id_column, actuals.timestamp_column),
                self._labels,
            )
            plan = ProfilePlan(snapshot.period, (), self.outcomes, segments=terms, whole=segments.whole)
            states = self._serving.profile(rows, columns, plan, self.extent(intervals, ids))
        return {key: state for key, state in states.items() if without_prefix(key[1]) != ROWS}

    def _term_columns(self, terms: Iterable[SegmentTermPlan]) -> dict[str, str]:
        """Return the columns of the predictions that conditions name, by their name in the batches."""
        schema = self._context.snapshot.schema
        columns = {
            f"{category}.{name}": column for category, name, column in self._serving.dataset.columns(schema)
        }
        used = {name for term in terms for _, name, _ in term.columns}
        planned = self._plan.term_columns.items()
        return {column.name: columns[key] for key, column in planned if column.name in used}

    def _label_rows(self, ids: IdRange | None) -> DataFrame:
        rows = self._actuals.rows.with_ids(self._context.spark, self._labels.values(), ids)
        self._actuals.check(rows, self._context.snapshot.schema)
        return rows

    def _rows(
        self,
        table: ConnectedTable,
        columns: Iterable[str],
        intervals: Sequence[Interval] | None = None,
        null_timestamps: bool = True,
        version: int | None = None,
    ) -> DataFrame:
        rows = table.rows.in_intervals(self._context.spark, columns, intervals, null_timestamps, version)
        if version is None:
            table.check(rows, self._context.snapshot.schema)
        return rows

    def extent(self, intervals: Sequence[Interval] | None, ids: IdRange | None) -> tuple[int, int] | None:
        """Return the number and total size in bytes of the files that were read."""
        extents = self._serving.log.extent(intervals), self._actuals.log.extent_of_ids(ids)
        if extents[0] is None or extents[1] is None:
            return None
        return extents[0][0] + extents[1][0], extents[0][1] + extents[1][1]
