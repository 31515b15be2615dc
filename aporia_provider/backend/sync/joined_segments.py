"""Segments whose states a sync computes together with the states of all rows, or separately."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aporia_provider.backend.registration.version_segments import VersionSegment
from aporia_provider.backend.sync.context import Checkpoint

if TYPE_CHECKING:
    from aporia_provider.backend.sync.sync_store import StoredPart


@dataclass(frozen=True)
class JoinedSegments:
    """
    Segments whose states a sync computes in the same scan as others.

    :param current: Segments with the checkpoint of all rows, whose changed buckets are therefore the same.
    :param all: All segments, which are computed if all rows are read in any case.
    :param whole: Whether the states of all rows are computed as well.
    """

    current: tuple[VersionSegment, ...] = ()
    all: tuple[VersionSegment, ...] = ()
    whole: bool = True

    @classmethod
    def of(cls, checkpoint: Checkpoint, parts: Iterable[StoredPart]) -> JoinedSegments:
        """Return the segments that are computed together with all rows since a checkpoint."""
        segments = [(part.segment, part.checkpoint) for part in parts if part.segment is not None]
        current = tuple(
            segment for segment, segment_checkpoint in segments if segment_checkpoint == checkpoint
        )
        return cls(current, tuple(segment for segment, _ in segments))

    @classmethod
    def alone(cls, parts: Iterable[StoredPart]) -> JoinedSegments:
        """Return segments that are computed from all rows, without the states of all rows."""
        segments = tuple(part.segment for part in parts if part.segment is not None)
        return cls(segments, segments, whole=False)

    def computed(self, *, all_rows: bool) -> tuple[VersionSegment, ...]:
        """
        Return the segments to compute.

        :param all_rows: Whether all rows are read.
        """
        return self.all if all_rows else self.current

    def keys(self, *, all_rows: bool) -> frozenset[int]:
        """Return the keys of the segments to compute."""
        return frozenset(segment.key for segment in self.computed(all_rows=all_rows))


NO_SEGMENTS = JoinedSegments()
