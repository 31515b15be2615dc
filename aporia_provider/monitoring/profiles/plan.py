"""What a profile is made of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aporia_provider.monitoring.grids.grid import CategoryGrid, NumericGrid
from aporia_provider.monitoring.grids.score_grid import ScoreGrid
from aporia_provider.monitoring.performance import Options
from aporia_provider.monitoring.states.vector_state import VectorGrid

Grid = NumericGrid | CategoryGrid | VectorGrid | ScoreGrid

ID, TIME = "id", "time"
ROWS = "rows"
SCORES = "scores"
"""Kind of the grids of scores, as the database keeps them."""
BUCKET_SECONDS: Mapping[str, int] = {"hourly": 3_600, "daily": 86_400}
"""Length of a bucket, by the aggregation period of the model."""
_GRIDS: dict[str, type[Any]] = {
    "numeric": NumericGrid,
    "categories": CategoryGrid,
    "vectors": VectorGrid,
    SCORES: ScoreGrid,
}


@dataclass(frozen=True)
class FieldPlan:
    """
    A field to profile.

    :param key: What its states are kept under, such as ``features.age``.
    :param type: Its field type, see :data:`~aporia_provider.schema.FIELD_TYPES`.
    :param column: Its column in the batches.
    :param dimensions: Of a tensor.
    :param scored: Whether the values are scores of a binary model; their grid is kept under
        :attr:`scores_key`.
    """

    key: str
    type: str
    column: str
    dimensions: tuple[int, ...] = ()
    scored: bool = False

    @property
    def scores_key(self) -> str:
        """Key of the grid of the scores."""
        return scores_key(self.key)


def scores_key(key: str) -> str:
    """Key of the :class:`~.score_grid.ScoreGrid` of a field, from that of the field."""
    return f"{key}[scores]"


@dataclass(frozen=True)
class OutcomePlan:
    """
    A prediction to compare with its label.

    :param key: What the state is kept under, such as ``performance.score``.
    :param model_type: See :data:`~aporia_provider.schema.MODEL_TYPES`.
    :param prediction: Column of the prediction in the batches.
    :param label: Column of the label.
    :param options: How they are to be read.
    :param query: Ranking, where each candidate has a row: column of the query that it belongs to.
    :param tied: Column that says whether other labels were known at the time of the label; None if there is
        no such column.
    """

    key: str
    model_type: str
    prediction: str
    label: str
    options: Options = field(default_factory=Options)
    query: str | None = None
    tied: str | None = None


@dataclass(frozen=True)
class ProfilePlan:
    """
    What to make of a dataset's rows.

    The batches bring a 64-bit hash of the id in column ``id``, the time in ``time``, and the columns of the
    fields and outcomes.

    :param period: ``hourly`` or ``daily``: how long a bucket is.
    :param fields: The fields.
    :param outcomes: The predictions that have labels.
    :param grids: Key of a field (of a key of a dict: ``features.scores[cat]``) to its grid.
    """

    period: str
    fields: tuple[FieldPlan, ...]
    outcomes: tuple[OutcomePlan, ...] = ()
    grids: Mapping[str, Grid] = field(default_factory=dict)

    @property
    def seconds(self) -> int:
        """Length of a bucket."""
        return BUCKET_SECONDS[self.period]


def dump_grids(grids: Mapping[str, Grid]) -> dict[str, Any]:
    """Grids as the database keeps them."""
    kinds = {made: kind for kind, made in _GRIDS.items()}
    return {key: {"kind": kinds[type(grid)], **grid.to_json()} for key, grid in grids.items()}


def load_grids(stored: Mapping[str, Any]) -> dict[str, Grid]:
    """Read what :func:`dump_grids` wrote."""
    return {key: _GRIDS[grid["kind"]].from_json(grid) for key, grid in stored.items()}


def fingerprint(*parts: Any) -> str:
    """A short text that differs where the JSON of the parts differs."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
