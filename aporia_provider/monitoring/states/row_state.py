"""State of rows and their ids, independent of their fields."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from aporia_provider.monitoring.states.sketches import HASHES, HashSample
from aporia_provider.monitoring.states.state import GREATEST, TOTAL, State, part

if TYPE_CHECKING:
    from numpy.typing import NDArray


_KEPT_IDS = 256


@dataclass(frozen=True)
class RowState(State):
    """
    State of rows and their ids.

    :param rows: Number of rows.
    :param null_ids: Number of rows whose id is null.
    :param duplicate_ids: Number of rows whose id occurs in an earlier row of the bucket.
    :param duplicates_variance: Variance of ``duplicate_ids`` if it is an estimate.
    :param id_level: Level of the samples from which ``duplicate_ids`` is estimated, see
        :class:`~aporia_provider.monitoring.states.sketches.HashSample`: 0 if it is exact.
    :param ids: Ids of the rows; in a settled state, a sample of the distinct ids of each bucket.
    """

    kind: ClassVar[str] = "rows"

    rows: int = part(TOTAL)
    null_ids: int = part(TOTAL)
    duplicate_ids: int = part(TOTAL)
    duplicates_variance: int = part(TOTAL)
    id_level: int | None = part(GREATEST)
    ids: HashSample = part(HASHES)

    @classmethod
    def of(cls, hashes: NDArray[np.int64], null_ids: int) -> RowState:
        """
        Return the state of ids.

        :param hashes: 64-bit hashes of the ids that are not null.
        :param null_ids: Number of rows whose id is null.
        """
        return cls(rows=len(hashes) + null_ids, null_ids=null_ids, ids=HashSample.of(hashes))

    def settled(self) -> RowState:
        """Return the state of a whole bucket: with its duplicates, and a smaller sample of distinct ids."""
        if self.id_level is not None:
            return self
        return replace(
            self,
            duplicate_ids=self.ids.duplicates,
            duplicates_variance=self.ids.duplicates_variance,
            id_level=self.ids.level,
            ids=self.ids.of_distinct(_KEPT_IDS),
        )

    @property
    def duplicates(self) -> int:
        """
        Number of rows whose id occurs in an earlier row, in the same bucket or in another one.

        In a sum of settled states, an id is counted once for each bucket, so duplicates in the sample are
        duplicates across buckets.
        """
        return self.duplicate_ids + self.ids.duplicates
