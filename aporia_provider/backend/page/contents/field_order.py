"""The order in which the fields of a version are shown."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.backend.deadlines import check_deadline
from aporia_provider.backend.metrics.stored_states import VersionStates
from aporia_provider.backend.store.field_totals import read_totals
from aporia_provider.backend.store.lookups import find_dataset
from aporia_provider.backend.store.state_blocks import read_total
from aporia_provider.backend.store.state_sums import overlapping
from aporia_provider.backend.store.sync_tables import MONTH, StateBlockRow
from aporia_provider.backend.store.tables import VersionRow
from aporia_provider.errors import NotFoundError
from aporia_provider.monitoring.bins.field_bins import NumericBins
from aporia_provider.monitoring.drift.bin_terms import jensen_shannon_terms
from aporia_provider.monitoring.drift.rebinning import Floats
from aporia_provider.monitoring.profiles.plan import Bins
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.states.state import State
from aporia_provider.monitoring.states.value_state import ValueState
from aporia_provider.schema import CATEGORIES, VersionSchema


@dataclass(frozen=True)
class ListedField:
    """
    A field of a version.

    :param key: Qualified name, such as ``features.age``.
    :param type: Type of the field.
    :param importance: Importance of a feature; None if the schema has none for it.
    """

    key: str
    type: str
    importance: float | None = None


def listed_fields(schema: VersionSchema) -> list[ListedField]:
    """Return the fields of a version in the order of the schema, predictions first."""
    importance = schema.feature_importance or {}
    return [
        ListedField(
            f"{category}.{name}", field.type, importance.get(name) if category == "features" else None
        )
        for category in reversed(CATEGORIES)
        for name, field in schema.fields(category).items()
    ]


def ordered_fields(
    session: Session, version: VersionStates, row: VersionRow, within: tuple[int, int]
) -> list[ListedField]:
    """
    Return the fields of a version: predictions, features by importance, then others by drift.

    Fields without importance are ordered by the drift of whole calendar months, from stored sums.

    :param session: A session with a read transaction.
    :param version: The version.
    :param row: Its row.
    :param within: Range of the serving data, in seconds since 1970.
    """
    fields = listed_fields(version.schema)
    unknown = [each.key for each in fields if each.importance is None and _is_input(each)]
    drift = _monthly_drift(session, version, row, unknown, within) if len(unknown) > 1 else {}

    def place(field: ListedField) -> tuple[bool, bool, float, float]:
        importance = abs(field.importance or 0.0)
        return _is_input(field), field.importance is None, -importance, -drift.get(field.key, -math.inf)

    return sorted(fields, key=place)


def _is_input(field: ListedField) -> bool:
    return not field.key.startswith("predictions.")


def _monthly_drift(
    session: Session, version: VersionStates, row: VersionRow, keys: Sequence[str], within: tuple[int, int]
) -> dict[str, float]:
    """Return approximate distances above the noise between training data and months of serving data."""
    try:
        datasets = [find_dataset(session, row, role).key for role in ("training", "serving")]
    except NotFoundError:
        return {}
    baseline = read_totals(session, datasets[0], keys)
    current = _months(session, datasets[1], keys, within)
    return {
        key: _distance(version.bins("training", key), baseline[key], current[key])
        for key in baseline.keys() & current.keys()
    }


def _months(
    session: Session, dataset_key: int, keys: Collection[str], within: tuple[int, int]
) -> dict[str, list[State]]:
    """Return the sums of the months that overlap a range."""
    row = StateBlockRow
    query = select(row.field, row.first, row.total).where(
        row.dataset_key == dataset_key, row.span == MONTH, row.field.in_(keys), row.total.is_not(None)
    )
    states: dict[str, list[State]] = defaultdict(list)
    for field, first, total in session.execute(overlapping(query, *within)):
        check_deadline()
        states[field].append(read_total(field, first, total or b""))
    return states


def _distance(bins: Bins | None, baseline: State, current: Sequence[State]) -> float:
    """Return the Jensen-Shannon distance minus its noise for bins with many values, at least 0."""
    counts: tuple[Floats, Floats] | None = None
    if isinstance(bins, NumericBins):
        counts = _of_numbers(bins, [baseline]), _of_numbers(bins, current)
    elif isinstance(baseline, ValueState):
        counts = _of_values(_values([baseline]), _values(current))
    if counts is None or not (counts[0].sum() and counts[1].sum()):
        return 0.0
    one, other = counts
    divergence = jensen_shannon_terms(one / one.sum(), other / other.sum()).sum()
    noise = (len(one) - 1) * (1 / one.sum() + 1 / other.sum()) / (8 * math.log(2))
    return max(0.0, float(math.sqrt(divergence) - math.sqrt(noise)))


def _of_numbers(bins: NumericBins, states: Sequence[State]) -> Floats:
    """Return the counts of the coarse bins; 0 for states that were counted in other bins."""
    size = len(bins.edges) + 1
    counts = [
        state.counts for state in states if isinstance(state, NumericState) and len(state.counts) == size
    ]
    starts = [0, *(index + 1 for index in bins.coarse)]
    every = np.array(counts, dtype=np.float64).reshape(-1, size)
    return np.add.reduceat(every.sum(axis=0), starts)


def _values(states: Sequence[State]) -> Counter[str]:
    """Return the counts of values; those without a name have an empty one."""
    counts: Counter[str] = Counter()
    for state in states:
        if isinstance(state, ValueState):
            named = state.counts
            counts.update({**named, "": max(0, state.count - sum(named.values()))})
    return counts


def _of_values(baseline: Mapping[str, int], current: Mapping[str, int]) -> tuple[Floats, Floats]:
    names = sorted(baseline.keys() | current.keys())
    one, other = (np.array([float(side.get(name, 0)) for name in names]) for side in (baseline, current))
    return one, other
