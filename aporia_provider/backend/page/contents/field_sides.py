"""The two sides of a comparison of a field."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

from aporia_provider.backend.metrics.missing_rows import never_synced
from aporia_provider.backend.metrics.model_states import ModelStates
from aporia_provider.backend.metrics.state_series import StatesKey
from aporia_provider.backend.metrics.states_term import StatesTerm
from aporia_provider.backend.metrics.stored_states import VersionStates
from aporia_provider.backend.page.contents.page_days import PageDays
from aporia_provider.backend.page.contents.page_parts import DataOrigin
from aporia_provider.backend.store.buckets import Range
from aporia_provider.errors import NotFoundError, ValidationError
from aporia_provider.monitoring.drift.field_drift import ComparedState
from aporia_provider.monitoring.statistics.row_statistics import missing

TRAINING: Final = "training"
OF_VERSION: Final = "version:"
"""Prefix of the name of a version that a field is compared with."""


@dataclass(frozen=True)
class FieldSide:
    """
    The data of one side of a comparison.

    :param origin: Where it comes from.
    :param start: Start of the range; None for all rows.
    :param end: End of the range, exclusive.
    :param rows: Number of rows.
    :param missing: Number of rows without a value.
    :param problem: Why there is no data; None if there is.
    :param note: Which data is missing, if the rest is there; None if all is.
    """

    origin: DataOrigin
    start: datetime | None = None
    end: datetime | None = None
    rows: int = 0
    missing: int = 0
    problem: str | None = None
    note: str | None = None

    @property
    def within(self) -> Range:
        """The range in seconds since 1970."""
        if self.start is None or self.end is None:
            return None, None
        return int(self.start.timestamp()), int(self.end.timestamp())

    @property
    def missing_share(self) -> float | None:
        """Share of the rows without a value; None without rows."""
        return self.missing / self.rows if self.rows else None


def parse_day(name: str, text: str) -> datetime:
    """
    Return the start of a day.

    :param name: Name of the parameter, for the error.
    :param text: The day, such as ``2026-01-31``.
    :raises aporia_provider.errors.ValidationError: if it is not a day.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ValidationError(f"{name}: {text!r} is not a day such as 2026-01-31") from None
    # Views also show the days before and after it.
    if not 1 < day.year < 9999:
        raise ValidationError(f"{name}: {text} is not in the years 2 to 9998")
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def current_side(version: str, dataset: str, day: str | None, days: PageDays) -> FieldSide:
    """
    Return the side that is compared: a day, or all days of the view.

    :param version: Name of the version.
    :param dataset: Role of the dataset.
    :param day: The day; None for all days of the view. Of training and testing data, None is all rows.
    :param days: The days of the view.
    """
    origin = DataOrigin(version, dataset)
    if day is not None:
        return _of_day(origin, parse_day("day", day))
    if dataset != "serving":
        return FieldSide(origin)
    return FieldSide(origin, days.start, days.end)


def baseline_side(current: FieldSide, compare: str | None) -> FieldSide:
    """
    Return the side that another is compared with.

    :param current: The side that is compared.
    :param compare: None or ``training`` for the training data of the version, ``testing``, a day, or
        ``version:`` with the name of a version, for the same dataset and range of that version.
    :raises aporia_provider.errors.ValidationError: if it is none of these.
    """
    version = current.origin.model_version
    if compare in (None, "", TRAINING, "testing"):
        return FieldSide(DataOrigin(version, compare or TRAINING))
    assert compare is not None  # noqa: S101
    if compare.startswith(OF_VERSION):
        return replace(current, origin=replace(current.origin, model_version=compare[len(OF_VERSION) :]))
    try:
        return _of_day(current.origin, parse_day("compare", compare))
    except ValidationError:
        choices = "training, testing, a day such as 2026-01-31, or version:NAME"
        raise ValidationError(f"compare: {compare!r} is not one of {choices}") from None


def _of_day(origin: DataOrigin, day: datetime) -> FieldSide:
    return FieldSide(origin, day, day + timedelta(days=1))


def read_side(
    model: ModelStates, side: FieldSide, field: str, term: StatesTerm | None = None
) -> tuple[FieldSide, ComparedState]:
    """
    Return a side with the numbers of its rows, and its state.

    :param model: Access to the states.
    :param side: The side.
    :param field: Key of the field.
    :param term: Term of the segment of the rows; None for all rows.
    """
    role, states_key = side.origin.dataset_type, StatesKey(side.origin.dataset_type, field, side.within)
    try:
        version = model.version(side.origin.model_version).of_term(term)
        state, bins = version.merged(states_key), version.bins(role, field)
        lost = version.dropped(states_key).reason(side.within)
    except NotFoundError as error:
        return replace(side, problem=error.message), ComparedState(None, None)
    if state is None:
        problem = lost or _not_computed(version, role) or _without_rows(side, version.is_synced(role))
        return replace(side, problem=problem), ComparedState(None, bins)
    read = replace(side, rows=state.rows, missing=missing(state), note=lost)
    return read, ComparedState(state, bins)


def _not_computed(version: VersionStates, role: str) -> str | None:
    if version.term is None or version.is_synced(role) or not version.of_all_rows.is_synced(role):
        return None
    return never_synced(version, role).reason


def _without_rows(side: FieldSide, is_synced: bool) -> str:
    origin = side.origin
    subject = f"the {origin.dataset_type} dataset of version {origin.model_version}"
    if not is_synced:
        return f"{subject} was never synced: run SyncDatasetOperator, or the DAG monitor_models"
    if side.start is None:
        return f"{subject} has no values of this field"
    return f"{subject} has no rows in this range"
