"""Parts of the rows of a profile: all rows, and the rows of the terms of segments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from aporia_provider.monitoring.profiles.plan import ProfilePlan
from aporia_provider.monitoring.segments.conditions import parse_condition
from aporia_provider.monitoring.segments.evaluation import ConditionRows

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ProfileParts:
    """
    Parts of the rows of a profile. The first part is all rows, if the plan has them.

    :param plan: The plan.
    """

    def __init__(self, plan: ProfilePlan) -> None:
        self._whole = plan.whole
        self._terms = [
            (parse_condition(term.condition), {name: (column, type_) for name, column, type_ in term.columns})
            for term in plan.segments
        ]
        whole = ("",) if plan.whole else ()
        self.prefixes: tuple[str, ...] = (*whole, *(term.prefix for term in plan.segments))
        """Prefix of the keys of each part."""

    @property
    def are_whole(self) -> bool:
        """Whether the only part is all rows."""
        return self._whole and not self._terms

    def rows(self, batch: pa.RecordBatch) -> list[NDArray[np.bool_]]:
        """Return for each part which rows of a batch belong to it."""
        read = ConditionRows(batch)
        whole = [np.ones(batch.num_rows, dtype=np.bool_)] if self._whole else []
        return [*whole, *(read.rows(condition, fields) for condition, fields in self._terms)]
