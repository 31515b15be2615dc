"""Drift of the fields of a version by day."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from aporia_provider.backend.deadlines import check_deadline
from aporia_provider.backend.metrics.dropped_ranges import DroppedRanges
from aporia_provider.backend.metrics.state_series import StatesKey
from aporia_provider.backend.metrics.stored_states import VersionStates
from aporia_provider.backend.page.contents.dataset_lines import DatasetLine, origin_of
from aporia_provider.backend.page.contents.day_states import read_day_states
from aporia_provider.backend.page.contents.field_order import ListedField, ordered_fields
from aporia_provider.backend.page.contents.page_days import PageDays
from aporia_provider.backend.page.contents.page_parts import DataOrigin, Missing
from aporia_provider.backend.page.contents.segment_rows import not_computed
from aporia_provider.backend.store.field_totals import read_totals
from aporia_provider.backend.store.lookups import find_dataset
from aporia_provider.backend.store.state_blocks import DAY_SECONDS
from aporia_provider.backend.store.sync_tables import DAY
from aporia_provider.backend.store.tables import VersionRow
from aporia_provider.datasets import SERVING
from aporia_provider.errors import ValidationError
from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.drift.drift_series import drift_scores
from aporia_provider.monitoring.drift.field_drift import ComparedState
from aporia_provider.monitoring.metric_definition import VECTOR_TYPES
from aporia_provider.monitoring.profiles.plan import ROWS
from aporia_provider.monitoring.states.state import State

PAGE_FIELDS: Final = 50
"""Number of fields of a page of the map."""
MAX_LEVEL: Final = 6
TRAINING: Final = "training"
_LEVELS = (0.025, 0.05, 0.1, 0.2, 0.4)
_VECTOR_LEVELS = (2.0, 4.0, 8.0, 16.0, 32.0)


@dataclass(frozen=True)
class DriftCell:
    """
    Drift of a field on a day.

    :param day: Start of the day.
    :param distance: Distance from the baseline (``drift_score``); None if there is none.
    :param noise: Expected distance without drift.
    :param excess: Distance above the noise.
    :param samples: Number of values of the day.
    :param level: From 0, at most twice the noise, to :data:`MAX_LEVEL`; None without a reliable distance.
    :param note: Why there is no reliable distance, or notes on it.
    """

    day: datetime
    distance: float | None
    noise: float | None
    excess: float | None
    samples: int
    level: int | None
    note: str | None


@dataclass(frozen=True)
class DriftRow:
    """
    Drift of a field.

    :param field: The field.
    :param cells: Its drift by day.
    """

    field: ListedField
    cells: tuple[DriftCell, ...]


@dataclass(frozen=True)
class DriftMap:
    """
    Drift of the fields of a version by day, one page of them.

    :param version: Name of the version.
    :param days: The days.
    :param rows: The fields: predictions, features by importance, then others by drift.
    :param first: Place of the first field of the page, from 0.
    :param fields: Number of fields of the version.
    :param origin: Where the serving data comes from.
    :param baseline: Where the training data comes from, with which the days are compared.
    :param missing: What is missing.
    """

    version: str
    days: PageDays
    rows: tuple[DriftRow, ...]
    first: int
    fields: int
    origin: DataOrigin
    baseline: DataOrigin
    missing: tuple[Missing, ...] = ()

    @property
    def next_first(self) -> int | None:
        """Place of the first field of the next page; None if there is none."""
        following = self.first + PAGE_FIELDS
        return following if following < self.fields else None

    @property
    def previous_first(self) -> int | None:
        """Place of the first field of the previous page; None if there is none."""
        return max(0, self.first - PAGE_FIELDS) if self.first else None


def drift_map(
    session: Session,
    version: VersionStates,
    row: VersionRow,
    datasets: Sequence[DatasetLine],
    days: PageDays,
    first: int = 0,
) -> DriftMap:
    """
    Return the drift of the fields of a version.

    :param session: A session with a read transaction.
    :param version: The version, with the states of a segment or of all rows.
    :param row: Its row.
    :param datasets: Its datasets.
    :param days: The days.
    :param first: Place of the first field of the page.
    """
    if isinstance(first, bool) or not isinstance(first, int) or first < 0:
        raise ValidationError(f"first: {first!r} is not a whole number of at least 0")
    origins = origin_of(datasets, row.name, SERVING), origin_of(datasets, row.name, TRAINING)
    fields = ordered_fields(session, version, row, days.seconds)
    missing = _missing(row.name, datasets)
    if not missing:
        missing = tuple(each for role in (SERVING, TRAINING) for each in not_computed(version, role))
    rows: tuple[DriftRow, ...] = ()
    if not missing:
        rows = _rows(session, version, row, fields[first : first + PAGE_FIELDS], days)
    return DriftMap(row.name, days, rows, first, len(fields), *origins, missing)


def _missing(version: str, datasets: Sequence[DatasetLine]) -> tuple[Missing, ...]:
    missing = []
    operators = {SERVING: "ConnectServingOperator", TRAINING: "ConnectTrainingOperator"}
    for role, operator in operators.items():
        line = next((dataset for dataset in datasets if dataset.is_of(version, role)), None)
        if line is None:
            subject = f"Version {version} has no {role} dataset, which drift is computed from."
            missing.append(Missing(subject, f"Connect it with {operator}."))
        elif line.missing is not None:
            missing.append(line.missing)
    return tuple(missing)


def _rows(
    session: Session,
    version: VersionStates,
    row: VersionRow,
    fields: Sequence[ListedField],
    days: PageDays,
) -> tuple[DriftRow, ...]:
    prefix = "" if version.term is None else version.term.prefix
    keys = [f"{prefix}{field.key}" for field in fields]
    baseline, current = (find_dataset(session, row, role).key for role in (TRAINING, SERVING))
    totals = read_totals(session, baseline, keys)
    states = read_day_states(session, current, keys, *days.seconds)
    dropped = version.dropped(StatesKey(SERVING, ROWS, days.seconds, (DAY,)))
    return tuple(
        DriftRow(each, tuple(_cells(version, each, totals.get(key), states[key], days, dropped)))
        for key, each in zip(keys, fields, strict=True)
    )


def _cells(
    version: VersionStates,
    field: ListedField,
    baseline: State | None,
    states: Mapping[int, State],
    days: PageDays,
    dropped: DroppedRanges,
) -> Iterator[DriftCell]:
    compared = ComparedState(baseline, version.bins(TRAINING, field.key))
    bins = version.bins(SERVING, field.key)
    check_deadline()
    day_states = [states.get(int(day.timestamp())) for day in days.starts]
    for day, state, result in zip(
        days.starts, day_states, drift_scores(compared, day_states, bins), strict=True
    ):
        second = int(day.timestamp())
        lost = dropped.reason((second, second + DAY_SECONDS)) if state is None else None
        yield DriftCell(
            day,
            result.number,
            result.noise,
            result.excess,
            result.samples,
            drift_level(result, field.type),
            lost or result.reason,
        )


def drift_level(result: MetricResult, type_: str) -> int | None:
    """Return the level of a distance. Half of the distances without drift are above their noise."""
    if result.status != "ok" or result.excess is None:
        return None
    noise = result.noise or 0.0
    if result.excess <= noise:
        return 0
    if type_ in VECTOR_TYPES:
        return 1 + bisect_left(_VECTOR_LEVELS, result.excess / noise if noise else float("inf"))
    return 1 + bisect_left(_LEVELS, result.excess)
