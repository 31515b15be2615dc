"""Plans of profiles: the fields and predictions for which states are computed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from aporia_provider.monitoring.bins.field_bins import CategoryBins, NumericBins
from aporia_provider.monitoring.bins.score_bins import ScoreBins
from aporia_provider.monitoring.performance import Options
from aporia_provider.monitoring.states.vector_state import VectorBins

Bins = NumericBins | CategoryBins | VectorBins | ScoreBins

ID, TIME = "id", "time"
ROWS = "rows"
SCORES = "scores"
"""Kind of the bins of scores in the database."""
BUCKET_SECONDS: Mapping[str, int] = {"hourly": 3_600, "daily": 86_400}
"""Length of a bucket in seconds, by aggregation period of the model."""
_BINS: dict[str, type[Any]] = {
    "numeric": NumericBins,
    "categories": CategoryBins,
    "vectors": VectorBins,
    SCORES: ScoreBins,
}


@dataclass(frozen=True)
class FieldPlan:
    """
    A field to profile.

    :param key: Key of its states, such as ``features.age``.
    :param type: Field type, see :data:`~aporia_provider.schema.FIELD_TYPES`.
    :param column: Column in the batches.
    :param dimensions: Dimensions of a tensor.
    :param scored: Whether the values are scores of a binary model, whose bins have the key
        :attr:`scores_key`.
    """

    key: str
    type: str
    column: str
    dimensions: tuple[int, ...] = ()
    scored: bool = False

    @property
    def scores_key(self) -> str:
        """Key of the bins of the scores."""
        return scores_key(self.key)


def scores_key(key: str) -> str:
    """Return the key of the :class:`~.score_bins.ScoreBins` of a field."""
    return f"{key}[scores]"


@dataclass(frozen=True)
class OutcomePlan:
    """
    A prediction to compare with its label.

    :param key: Key of the state, such as ``performance.score``.
    :param model_type: See :data:`~aporia_provider.schema.MODEL_TYPES`.
    :param prediction: Column of the prediction in the batches.
    :param label: Column of the label.
    :param options: Interpretation of predictions and labels.
    :param query: For ranking with one row for each candidate: column of the query id.
    :param tied: Boolean column that is true if several labels have the latest time; None if there is none.
    """

    key: str
    model_type: str
    prediction: str
    label: str
    options: Options = field(default_factory=Options)
    query: str | None = None
    tied: str | None = None


@dataclass(frozen=True)
class SegmentTermPlan:
    """
    Rows whose states are computed as well.

    :param prefix: Prefix of the keys of their states, such as ``@3.0:``.
    :param condition: The condition that is true for the rows.
    :param columns: Name in the condition, column in the batches and field type of each field that the
        condition names.
    """

    prefix: str
    condition: str
    columns: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class RowCondition:
    """
    A condition that rows meet.

    :param text: The condition; empty for all rows.
    :param columns: Name in the condition, column in the batches and field type of each field that it names.
    """

    text: str = ""
    columns: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True)
class RowNumberPlan:
    """
    A number that each row has.

    :param kind: ``rows`` (1), ``value``, ``absolute``, ``square``, ``finite`` (whether there is a finite
        number), ``present``, ``missing`` or ``zero``. The number is 0 where there is no finite value.
    :param column: Column in the batches; empty for ``rows``.
    :param type: Type of the field.
    :param filter: Rows whose number is not 0.
    """

    kind: str
    column: str = ""
    type: str = ""
    filter: RowCondition = field(default_factory=RowCondition)


@dataclass(frozen=True)
class SumsPlan:
    """
    Numbers whose sums, and the sums of whose products, are computed.

    :param prefix: Prefix of the key of the states, such as ``@3.0:``.
    :param rows: The rows.
    :param numbers: The numbers.
    """

    prefix: str
    rows: RowCondition
    numbers: tuple[RowNumberPlan, ...]


@dataclass(frozen=True)
class ProfilePlan:
    """
    The states to compute from the rows of a dataset.

    The batches have a 64-bit hash of the id in column ``id``, the timestamp in ``time``, and the columns of
    the fields and predictions.

    :param period: Length of a bucket: ``hourly`` or ``daily``.
    :param fields: The fields.
    :param outcomes: The predictions that have labels.
    :param bins: Keys of fields (and of categories of dicts: ``features.scores[cat]``) to bins.
    :param segments: Parts of the rows whose states are computed as well, with other keys.
    :param whole: Whether to compute the states of all rows.
    :param sums: Sums whose covariances are computed as well.
    """

    period: str
    fields: tuple[FieldPlan, ...]
    outcomes: tuple[OutcomePlan, ...] = ()
    bins: Mapping[str, Bins] = field(default_factory=dict)
    segments: tuple[SegmentTermPlan, ...] = ()
    whole: bool = True
    sums: tuple[SumsPlan, ...] = ()

    @property
    def seconds(self) -> int:
        """Length of a bucket in seconds."""
        return BUCKET_SECONDS[self.period]


def dump_bins(bins: Mapping[str, Bins]) -> dict[str, Any]:
    """Return the JSON form of bins for the database."""
    kinds = {class_: kind for kind, class_ in _BINS.items()}
    return {
        key: {"kind": kinds[type(field_bins)], **field_bins.to_json()} for key, field_bins in bins.items()
    }


def load_bins(stored: Mapping[str, Any]) -> dict[str, Bins]:
    """Return bins from the result of :func:`dump_bins`."""
    return {key: _BINS[json_bins["kind"]].from_json(json_bins) for key, json_bins in stored.items()}


def dump_plan(plan: ProfilePlan) -> dict[str, Any]:
    """Return the JSON form of a plan."""
    return {
        "period": plan.period,
        "fields": dump_fields(plan.fields),
        "outcomes": [asdict(outcome) for outcome in plan.outcomes],
        "grids": dump_bins(plan.bins),
        **({"segments": [asdict(term) for term in plan.segments]} if plan.segments else {}),
        **({} if plan.whole else {"whole": False}),
        **({"sums": [asdict(sums) for sums in plan.sums]} if plan.sums else {}),
    }


def load_plan(stored: Mapping[str, Any]) -> ProfilePlan:
    """Return the plan from the result of :func:`dump_plan`."""
    outcomes = tuple(
        OutcomePlan(**{**outcome, "options": _load_options(outcome["options"])})
        for outcome in stored["outcomes"]
    )
    segments = tuple(
        SegmentTermPlan(term["prefix"], term["condition"], tuple(map(tuple, term["columns"])))
        for term in stored.get("segments", ())
    )
    bins, whole = load_bins(stored["grids"]), stored.get("whole", True)
    sums = tuple(map(_load_sums, stored.get("sums", ())))
    fields = load_fields(stored["fields"])
    return ProfilePlan(stored["period"], fields, outcomes, bins, segments=segments, whole=whole, sums=sums)


def _load_sums(stored: Mapping[str, Any]) -> SumsPlan:
    numbers = (RowNumberPlan(**{**each, "filter": _load_rows(each["filter"])}) for each in stored["numbers"])
    return SumsPlan(stored["prefix"], _load_rows(stored["rows"]), tuple(numbers))


def _load_rows(stored: Mapping[str, Any]) -> RowCondition:
    return RowCondition(stored["text"], tuple(map(tuple, stored["columns"])))


def dump_fields(fields: Iterable[FieldPlan]) -> list[dict[str, Any]]:
    """Return the JSON form of fields."""
    return [asdict(field) for field in fields]


def load_fields(stored: Iterable[Mapping[str, Any]]) -> tuple[FieldPlan, ...]:
    """Return the fields from the result of :func:`dump_fields`."""
    return tuple(FieldPlan(**{**item, "dimensions": tuple(item["dimensions"])}) for item in stored)


def _load_options(stored: Mapping[str, Any]) -> Options:
    edges, classes = tuple(stored["edges"]), tuple(stored["classes"])
    return Options(**{**stored, "edges": edges, "classes": classes})


def fingerprint(*parts: Any) -> str:
    """Return a digest of the JSON form of the arguments."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
