"""Contents of the view of a field."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from aporia_provider.backend.metrics.model_states import ModelStates
from aporia_provider.backend.metrics.state_series import StatesKey
from aporia_provider.backend.page.contents.bin_lines import BinLine, bin_lines
from aporia_provider.backend.page.contents.dataset_lines import origin_of, read_datasets
from aporia_provider.backend.page.contents.field_order import ListedField, listed_fields
from aporia_provider.backend.page.contents.field_series import FieldSeries, field_series
from aporia_provider.backend.page.contents.field_sides import (
    FieldSide,
    baseline_side,
    current_side,
    read_side,
)
from aporia_provider.backend.page.contents.page_days import PageDays, check_days, last_second
from aporia_provider.backend.page.contents.page_parts import Measured, Missing
from aporia_provider.backend.page.contents.segment_rows import SegmentRows
from aporia_provider.backend.registry import Registry
from aporia_provider.backend.store.bucket_ranges import serving_ranges
from aporia_provider.backend.store.lookups import find_model, find_version
from aporia_provider.backend.store.tables import VersionRow, utc_now
from aporia_provider.choices import validated_choice
from aporia_provider.datasets import ROLES
from aporia_provider.errors import AporiaError, NotFoundError
from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.drift.field_drift import ComparedState, drift
from aporia_provider.monitoring.metric_definition import CATEGORY_TYPES, NUMBER_TYPES
from aporia_provider.nearest import nearest
from aporia_provider.segment_values import SegmentValue

MAX_NAMES = 200
"""Maximum number of versions that a field can be compared with from the view."""

_DISTANCES = {
    **dict.fromkeys(NUMBER_TYPES, ("drift_score", "psi", "total_variation", "ks_distance")),
    **dict.fromkeys(CATEGORY_TYPES, ("drift_score", "psi", "total_variation", "js_distance")),
}


@dataclass(frozen=True)
class FieldDistance:
    """
    A distance between the two sides.

    :param name: Name of the distance.
    :param measured: The distance.
    :param noise: Its expected value without drift.
    :param excess: The distance above the noise.
    """

    name: str
    measured: Measured
    noise: float | None
    excess: float | None


@dataclass(frozen=True)
class FieldPage:
    """
    Contents of the view of a field.

    :param model_id: Id of the model.
    :param model_name: Its name.
    :param version: Name of the version.
    :param versions: Names of all versions, which it can be compared with.
    :param field: The field.
    :param days: The days of the view.
    :param current: The data that is compared.
    :param baseline: The data that it is compared with.
    :param distances: Distances between them; none if the field is not compared in bins.
    :param bins: Their bins.
    :param notes: Notes on the bins.
    :param series: Statistics of the serving data of the version by day.
    :param segment: Rows of both sides and of the statistics; None for all rows.
    :param missing: What is missing.
    """

    model_id: str
    model_name: str
    version: str
    versions: tuple[str, ...]
    field: ListedField
    days: PageDays
    current: FieldSide
    baseline: FieldSide
    distances: tuple[FieldDistance, ...]
    bins: tuple[BinLine, ...]
    notes: tuple[str, ...]
    series: tuple[FieldSeries, ...]
    segment: SegmentRows | None
    missing: tuple[Missing, ...]

    @property
    def previous_day(self) -> datetime | None:
        """The day before the day of the view; None if it shows no single day."""
        return self._other_day(-1)

    @property
    def next_day(self) -> datetime | None:
        """The day after the day of the view; None if it shows no single day."""
        return self._other_day(1)

    def _other_day(self, step: int) -> datetime | None:
        start, end = self.current.start, self.current.end
        if start is None or end is None or end - start != timedelta(days=1):
            return None
        return start + timedelta(days=step)


def field_page(
    registry: Registry,
    model_id: str,
    version: str,
    field: str,
    *,
    dataset: str = "serving",
    day: str | None = None,
    compare: str | None = None,
    days: int = 30,
    segment: SegmentValue | None = None,
    now: datetime | None = None,
) -> FieldPage:
    """
    Return the contents of the view of a field.

    :param registry: The registry of an environment.
    :param model_id: Id of the model.
    :param version: Name of the version.
    :param field: Qualified name of the field, such as ``features.age``.
    :param dataset: Role of the dataset that is compared.
    :param day: The day that is compared, such as ``2026-01-31``; None for all days of the view.
    :param compare: What it is compared with, see :func:`~.field_sides.baseline_side`.
    :param days: Number of days of the view.
    :param segment: Segment of the rows, also of those it is compared with; None for all rows.
    :param now: The current time.
    :raises aporia_provider.errors.NotFoundError: if there is no such model, version, field or segment.
    :raises aporia_provider.errors.ValidationError: if a parameter is invalid.
    """
    count, second = check_days(days), int((now or utc_now()).timestamp())
    validated_choice("dataset", dataset, ROLES)
    with registry.database.read_transaction() as session:
        row = find_version(session, registry.environment, model_id, version)
        registered = find_model(session, registry.environment, model_id)
        model = ModelStates(session, registry.environment, model_id)
        rows = SegmentRows.of(model, segment)
        listed = _find(listed_fields(model.version(version).schema), field, version)
        ranges = serving_ranges(session, registered.key, second)
        bucket_ranges = [ranges[row.key]] if row.key in ranges else [*ranges.values()]
        shown = PageDays.until(last_second(bucket_ranges, second), count)
        current_data = current_side(version, dataset, day, shown)
        sides = _with_origins(
            session, registry, model_id, [baseline_side(current_data, compare), current_data]
        )
        (baseline, before), (current, now_state) = (
            read_side(model, side, listed.key, None if rows is None else rows.term) for side in sides
        )
        bins, notes = _bins(before, now_state)
        return FieldPage(
            model_id,
            registered.registration["name"],
            version,
            tuple(session.scalars(_version_names(registered.key))),
            listed,
            shown,
            current,
            baseline,
            tuple(_distances(listed, before, now_state)),
            bins,
            notes,
            _series(model, model_id, version, listed, shown, None if rows is None else rows.value),
            rows,
            _missing(baseline, current),
        )


def _version_names(model_key: int) -> Select[str]:
    return (
        select(VersionRow.name)
        .filter_by(model_key=model_key)
        .order_by(VersionRow.key.desc())
        .limit(MAX_NAMES)
    )


def _find(fields: Sequence[ListedField], key: str, version: str) -> ListedField:
    by_key = {field.key: field for field in fields}
    if key not in by_key:
        missing = f"Version {version!r} has no field {key!r}; {nearest(key, list(by_key))}"
        raise NotFoundError(missing, status=404)
    return by_key[key]


def _with_origins(
    session: Session, registry: Registry, model_id: str, sides: Sequence[FieldSide]
) -> Iterator[FieldSide]:
    """Yield sides with the table version and the time of the sync of their data."""
    for side in sides:
        name, role = side.origin.model_version, side.origin.dataset_type
        try:
            row = find_version(session, registry.environment, model_id, name)
        except NotFoundError:
            yield side
            continue
        yield replace(side, origin=origin_of(read_datasets(session, [row]), name, role))


def _bins(baseline: ComparedState, current: ComparedState) -> tuple[tuple[BinLine, ...], tuple[str, ...]]:
    try:
        return bin_lines(baseline, current)
    except AporiaError as error:
        return (), (error.message,)


def _distances(
    field: ListedField, baseline: ComparedState, current: ComparedState
) -> Iterator[FieldDistance]:
    if baseline.state is None or current.state is None:
        return
    for name in _DISTANCES.get(field.type, ("drift_score",)):
        try:
            result = drift(name, baseline, current)
        except AporiaError as error:
            result = MetricResult(None, "undefined", reason=error.message)
        yield FieldDistance(name, Measured.of(result), result.noise, result.excess)


def _series(
    model: ModelStates,
    model_id: str,
    version: str,
    field: ListedField,
    days: PageDays,
    segment: SegmentValue | None,
) -> tuple[FieldSeries, ...]:
    try:
        # Without a serving dataset, each result of a query would have this reason.
        model.version(version).summary(StatesKey("serving", field.key, days.seconds))
    except NotFoundError:
        return ()
    return field_series(model, model_id, version, field, days, segment)


def _missing(*sides: FieldSide) -> tuple[Missing, ...]:
    missing = []
    for side in sides:
        if side.problem is not None:
            subject = f"There is no {side.origin.dataset_type} data to show"
            missing.append(Missing(f"{subject}: {side.problem}.", _ADVICE))
    return tuple(missing)


_ADVICE = "Choose another day or version, or connect and sync the dataset."
