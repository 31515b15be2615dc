"""Performance of predictions whose labels are in the actuals dataset."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from aporia_provider.backend.registration.profile_plans import performance_plan, with_baseline
from aporia_provider.backend.store.buckets import Interval, described, whole_buckets
from aporia_provider.backend.sync.context import Checkpoint, Result, SyncContext
from aporia_provider.backend.sync.fingerprints import performance_fingerprint
from aporia_provider.backend.sync.reading.dataset_table import ConnectedTable
from aporia_provider.datasets import ACTUALS, SERVING
from aporia_provider.engine.dataframes.labels import IdRange, labelled_buckets, tied, with_latest_labels
from aporia_provider.engine.error_messages import BehindCheckpointError, StatisticsError
from aporia_provider.errors import NotFoundError, ValidationError
from aporia_provider.lake.log.changes import Changes
from aporia_provider.monitoring.profiles.plan import ROWS, ProfilePlan
from aporia_provider.monitoring.profiles.profile import Profile

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

log = logging.getLogger(__name__)

_SECOND = 1_000_000
_GONE = "gone from the disk"


def sync_performance(context: SyncContext, checkpoint: Checkpoint) -> Result | None:
    """
    Compare predictions with their labels in all buckets where either have changed.

    A commit of labels affects the buckets of the labelled predictions. Labels that arrive before their
    predictions are used once the predictions arrive.

    :param context: Context of the sync.
    :param checkpoint: Checkpoint of the last sync.
    :return: None if the version has no predictions to compare, or one of the datasets is not readable.
    :raises aporia_provider.errors.AporiaError: if one of the tables cannot be read.
    """
    if not {SERVING, ACTUALS} <= context.snapshot.readable:
        return None
    comparison = _Comparison(context, checkpoint)
    if not comparison.outcomes:
        return None
    known = performance_fingerprint(context.snapshot, comparison.outcomes)
    now = Checkpoint(known, context.positions(SERVING, ACTUALS))
    predicted, labelled = (
        context.table(role).log.changes(checkpoint.positions.get(role)) for role in (SERVING, ACTUALS)
    )
    if checkpoint.fingerprint != now.fingerprint and not predicted.whole:
        predicted = Changes("what is compared, or how, has changed", whole=True)
    reason = f"predictions: {predicted.reason}; labels: {labelled.reason}"
    if not predicted.any and not labelled.any:
        return Result(now, reason)
    intervals, untimed = comparison.touched(predicted, labelled)
    if comparison.lost is not None:
        reason += f"; removed labels are {comparison.lost}, so all are compared"
    if intervals == () and not untimed:
        log.info("performance: %s; no prediction is touched", reason)
        return Result(now, reason)
    log.info("performance: %s; reading %s", reason, described(intervals, untimed))
    ids = comparison.ids(intervals, untimed)
    states = comparison.states(intervals, untimed, ids)
    return Result(now, reason, states, intervals, untimed, extent=comparison.extent(intervals, ids))


class _Comparison:
    """
    Comparison of the predictions of a version with their labels.

    ``lost`` is the reason why removed labels cannot be determined; None if they can, or if none were removed.
    """

    lost: str | None = None

    def __init__(self, context: SyncContext, checkpoint: Checkpoint) -> None:
        self._context, self._checkpoint = context, checkpoint
        self._serving, self._actuals = context.table(SERVING), context.table(ACTUALS)
        self._plan, self._labels = performance_plan(
            self._serving.dataset, self._actuals.dataset, context.snapshot.schema
        )
        self.outcomes = with_baseline(self._plan.outcomes, context.snapshot.baseline.grids)

    def touched(self, predicted: Changes, labelled: Changes) -> tuple[tuple[Interval, ...] | None, bool]:
        """
        Return the buckets to recompute (None for all), and whether to recompute rows without a timestamp.
        """
        if predicted.whole or labelled.whole:
            return None, True
        buckets = self._labelled(labelled) if labelled.any else []
        if buckets is None:
            return None, True
        seconds = self._context.snapshot.seconds
        spans = [(bucket * _SECOND, (bucket + seconds) * _SECOND) for bucket in buckets if bucket is not None]
        intervals = whole_buckets([*predicted.intervals, *spans], seconds)
        return tuple(intervals), predicted.untimed or None in buckets

    def _labelled(self, changes: Changes) -> list[int | None] | None:
        """
        Return the buckets of predictions whose labels changed; None if they can no longer be determined.
        """
        found = self._labelled_at(None, changes)
        if not changes.removed:
            return found
        try:
            return found + self._labelled_at(self._checkpoint.positions[ACTUALS].version, changes)
        except StatisticsError:
            # The files exist; a retry reads them without statistics.
            raise
        except (NotFoundError, ValidationError) as error:
            # Removed labels are read from the previous version, whose files or log may be deleted.
            behind = isinstance(error, BehindCheckpointError)
            self.lost = "behind a checkpoint, where the engine does not read" if behind else _GONE
            log.info("removed labels are %s: %s", self.lost, error.message)
            return None

    def _labelled_at(self, version: int | None, changes: Changes) -> list[int | None]:
        serving, actuals = self._serving.dataset, self._actuals.dataset
        intervals = whole_buckets(changes.intervals, 1)
        changed = self._rows(self._actuals, (), intervals, changes.untimed, version)
        predictions = self._rows(self._serving, ())
        with self._serving.frames.reading(), self._actuals.frames.reading():
            return labelled_buckets(
                predictions,
                (serving.id_column, serving.timestamp_column),
                changed,
                actuals.id_column,
                self._context.snapshot.seconds,
            )

    def ids(self, intervals: Sequence[Interval] | None, untimed: bool) -> IdRange | None:
        """Return the range of the ids of predictions in some buckets; None for all buckets."""
        if intervals is None:
            return None
        return self._serving.ids(self._context.spark, intervals, untimed)

    def states(self, intervals: Sequence[Interval] | None, untimed: bool, ids: IdRange | None) -> Profile:
        """Return the states of the predictions in some buckets, whose ids are in the given range."""
        dataset, snapshot = self._serving.dataset, self._context.snapshot
        given = self._actuals.dataset
        rows = with_latest_labels(
            self._rows(self._serving, self._plan.columns.values(), intervals, untimed),
            dataset.id_column,
            self._known_labels(ids),
            (given.id_column, given.timestamp_column),
            self._labels,
        )
        added = {name: name for label in self._labels for name in (label, tied(label))}
        columns = {**self._plan.columns, **added}
        with self._actuals.frames.reading():
            plan = ProfilePlan(snapshot.period, (), self.outcomes)
            states = self._serving.profile(rows, columns, plan, self.extent(intervals, ids))
        return {place: state for place, state in states.items() if place[1] != ROWS}

    def _known_labels(self, ids: IdRange | None) -> DataFrame:
        rows = self._actuals.frames.with_ids(self._context.spark, self._labels.values(), ids)
        self._actuals.check(rows, self._context.snapshot.schema)
        return rows

    def _rows(
        self,
        table: ConnectedTable,
        columns: Iterable[str],
        intervals: Sequence[Interval] | None = None,
        untimed: bool = True,
        version: int | None = None,
    ) -> DataFrame:
        rows = table.frames.during(self._context.spark, columns, intervals, untimed, version)
        if version is None:
            table.check(rows, self._context.snapshot.schema)
        return rows

    def extent(self, intervals: Sequence[Interval] | None, ids: IdRange | None) -> tuple[int, int] | None:
        """Return the number and total size in bytes of the files that were read."""
        found = self._serving.log.extent(intervals), self._actuals.log.extent_of_ids(ids)
        if found[0] is None or found[1] is None:
            return None
        return found[0][0] + found[1][0], found[0][1] + found[1][1]
