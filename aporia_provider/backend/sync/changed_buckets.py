"""Buckets that a sync recomputes."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from aporia_provider.backend.store.buckets import Interval, whole_buckets
from aporia_provider.backend.store.retention_cutoffs import RetentionCutoffs
from aporia_provider.backend.sync.context import VersionSnapshot

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ChangedBuckets:
    """
    Buckets that a sync recomputes.

    :param intervals: Half-open intervals in seconds since 1970; None for all.
    :param cutoffs: Times before which states are dropped; None if they are kept for ever.
    :param late: Number of changed buckets that are not recomputed, because nothing of them is kept.
    """

    intervals: tuple[Interval, ...] | None
    cutoffs: RetentionCutoffs | None = None
    late: int = 0

    @classmethod
    def of(cls, snapshot: VersionSnapshot, role: str, changed: Iterable[Interval] | None) -> ChangedBuckets:
        """
        Return the buckets to recompute for changed times.

        :param snapshot: The version.
        :param role: Role of the dataset.
        :param changed: Half-open intervals in microseconds since 1970; None for all.
        """
        cutoffs, seconds = snapshot.cutoffs(role), snapshot.bucket_seconds
        if changed is None:
            return cls(None, cutoffs)
        intervals = whole_buckets(changed, seconds)
        if cutoffs is None:
            return cls(tuple(intervals))
        late = cutoffs.late(intervals, seconds)
        if late:
            log.warning(
                "%s dataset: %s changed buckets are not recomputed, because the retention of the model keeps "
                "nothing of them",
                role,
                f"{late:,}",
            )
        return cls(cutoffs.whole_sums(intervals), cutoffs, late)
