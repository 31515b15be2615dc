"""The state of rows as such, whatever fields they have."""

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
    What is kept of rows.

    :param rows: How many there are.
    :param null_ids: How many have no id.
    :param duplicate_ids: How many have an id that another row of their bucket has already.
    :param duplicates_variance: The variance of ``duplicate_ids`` where it is an estimate.
    :param id_level: The level of the samples that ``duplicate_ids`` comes from, see
        :class:`~aporia_provider.monitoring.states.sketches.HashSample`: 0 if it was counted.
    :param ids: The ids of the rows; once settled, a sample of the distinct ids of each bucket.
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
        Make it from ids.

        :param hashes: 64-bit hashes of the ids that are not null.
        :param null_ids: How many rows have none.
        """
        return cls(rows=len(hashes) + null_ids, null_ids=null_ids, ids=HashSample.of(hashes))

    def settled(self) -> RowState:
        """The state of a whole bucket, with its duplicates, and few of its ids, each of which counts once."""
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
        How many rows have an id that another row has already, in their bucket or in another one.

        In a sum of settled states an id counts once for each bucket it is in, so that what the sample has
        twice are duplicates across buckets.
        """
        return self.duplicate_ids + self.ids.duplicates
