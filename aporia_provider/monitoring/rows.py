"""The state of rows as such, whatever fields they have."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from aporia_provider.monitoring.distinct import IDS, IdSample
from aporia_provider.monitoring.states import GREATEST, TOTAL, State, part

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class RowState(State):
    """
    What is kept of rows.

    :param rows: How many there are.
    :param null_ids: How many have no id.
    :param duplicate_ids: How many have an id that another row of the bucket has already.
    :param id_level: 0 if the duplicates were counted; otherwise they are an estimate, see
        :class:`~aporia_provider.monitoring.distinct.IdSample`.
    :param ids: The ids, until :meth:`settled`.
    """

    kind: ClassVar[str] = "rows"

    rows: int = part(TOTAL)
    null_ids: int = part(TOTAL)
    duplicate_ids: int = part(TOTAL)
    id_level: int | None = part(GREATEST)
    ids: IdSample = part(IDS)

    @classmethod
    def of(cls, hashes: NDArray[np.int64], null_ids: int) -> RowState:
        """
        Make it from ids.

        :param hashes: 64-bit hashes of the ids that are not null.
        :param null_ids: How many rows have none.
        """
        return cls(rows=len(hashes) + null_ids, null_ids=null_ids, ids=IdSample.of(hashes))

    def settled(self) -> RowState:
        """The state of a whole bucket, with its duplicates instead of its ids."""
        return replace(self, duplicate_ids=self.ids.duplicates, id_level=self.ids.level, ids=IdSample())
