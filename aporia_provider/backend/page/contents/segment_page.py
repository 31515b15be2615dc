"""Contents of the view of the segments of a model."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from aporia_provider.backend.metrics.model_states import ModelStates
from aporia_provider.backend.metrics.states_term import StatesTerm
from aporia_provider.backend.page.contents.dataset_lines import origin_of, read_datasets
from aporia_provider.backend.page.contents.page_days import PageDays, check_days, last_second
from aporia_provider.backend.page.contents.page_parts import DataOrigin, Missing
from aporia_provider.backend.page.contents.segment_map import SegmentMap, segment_map
from aporia_provider.backend.page.contents.segment_metrics import (
    SegmentMetric,
    segment_metric,
    segment_metrics,
)
from aporia_provider.backend.page.contents.segment_rows import not_computed
from aporia_provider.backend.page.contents.version_lines import ModelVersions
from aporia_provider.backend.registration.version_segments import VersionSegment
from aporia_provider.backend.registry import Registry
from aporia_provider.backend.store.bucket_ranges import NO_BUCKETS, serving_ranges
from aporia_provider.backend.store.lookups import find_model, find_version
from aporia_provider.backend.store.segment_lookups import (
    find_segment,
    model_custom_metrics,
    model_segments,
)
from aporia_provider.backend.store.segment_tables import SegmentRow
from aporia_provider.backend.store.tables import ModelRow, VersionRow, utc_now
from aporia_provider.datasets import SERVING


@dataclass(frozen=True)
class SegmentsPage:
    """
    Contents of the view of the segments of a model.

    :param model_id: Id of the model.
    :param model_name: Its name.
    :param version: Name of the version; None if the model has none.
    :param versions: Names of the versions that can be chosen.
    :param segments: Names of the segments that can be chosen.
    :param metrics: Metrics that can be chosen.
    :param days: The days of the view.
    :param segment: Name of the segment; None if there is none.
    :param metric: The metric; None if there is nothing to show.
    :param map: The values of the segment by day; None if there is nothing to show.
    :param prediction: Key of the first prediction, which values by day are linked to.
    :param origin: Where the data comes from.
    :param missing: What is missing.
    """

    model_id: str
    model_name: str
    version: str | None
    versions: tuple[str, ...]
    segments: tuple[str, ...]
    metrics: tuple[SegmentMetric, ...]
    days: PageDays
    segment: str | None
    metric: SegmentMetric | None
    map: SegmentMap | None
    prediction: str | None
    origin: DataOrigin | None
    missing: tuple[Missing, ...]


def segments_page(
    registry: Registry,
    model_id: str,
    *,
    segment: str | None = None,
    metric: str | None = None,
    version: str | None = None,
    days: int = 30,
    first: int = 0,
    now: datetime | None = None,
) -> SegmentsPage:
    """
    Return the contents of the view of the segments of a model.

    :param registry: The registry of an environment.
    :param model_id: Id of the model.
    :param segment: Name of the segment; None for the oldest.
    :param metric: Name of the metric; None for the default, see :func:`~.segment_metrics.segment_metric`.
    :param version: Name of the version; None for the latest.
    :param days: Number of days, which end with the last serving data of the version.
    :param first: Place of the first value of the segment.
    :param now: The current time.
    :raises aporia_provider.errors.NotFoundError: if there is no such model, version or segment.
    :raises aporia_provider.errors.ValidationError: if a parameter is invalid.
    """
    count, second = check_days(days), int((now or utc_now()).timestamp())
    with registry.database.read_transaction() as session:
        row = find_model(session, registry.environment, model_id)
        ranges = serving_ranges(session, row.key, second)
        versions = ModelVersions.read(session, row, ranges)
        chosen = (
            next(iter(versions.rows), None)
            if version is None
            else find_version(session, registry.environment, model_id, version)
        )
        shown = PageDays.until(
            last_second([ranges.get(chosen.key, NO_BUCKETS) if chosen else NO_BUCKETS], second), count
        )
        segments = [each for each in model_segments(session, row.key) if each.manual]
        chosen_segment = (
            next(iter(segments), None) if segment is None else find_segment(session, row, segment)
        )
        names = [each.name for each in versions.rows], [each.name for each in segments]
        page = _Page(session, registry.environment, row, names, shown)
        if chosen is None or chosen_segment is None:
            return page.empty(chosen)
        return page.filled(chosen, chosen_segment, metric, first)


@dataclass(frozen=True)
class _Page:
    session: Session
    environment: str
    model: ModelRow
    names: tuple[list[str], list[str]]
    days: PageDays

    def empty(self, version: VersionRow | None) -> SegmentsPage:
        missing = Missing("The model has no versions.", "Register one with CreateModelVersionOperator.")
        if version is not None:
            missing = Missing("The model has no segments.", "Register one with CreateSegmentOperator.")
        name = None if version is None else version.name
        return self._page(name, (), None, None, None, None, None, (missing,))

    def filled(
        self, version: VersionRow, segment: SegmentRow, metric: str | None, first: int
    ) -> SegmentsPage:
        model = ModelStates(self.session, self.environment, self.model.id)
        states = model.version(version.name)
        custom = [custom_metric.name for custom_metric in model_custom_metrics(self.session, self.model.key)]
        choices = tuple(segment_metrics(states, custom))
        chosen = segment_metric(states, custom, metric)
        datasets = read_datasets(self.session, [version])
        missing = [line.missing for line in datasets if line.is_serving and line.missing]
        if not any(line.is_serving for line in datasets):
            what = f"Version {version.name} has no serving dataset."
            missing.append(Missing(what, "Connect it with ConnectServingOperator."))
        found: SegmentMap | None = None
        if not missing:
            term = StatesTerm(VersionSegment.of(segment), 0)
            missing += not_computed(states.of_term(term))
        if not missing:
            found = segment_map(model, self.model.id, version.name, segment, chosen, self.days, first)
        return self._page(
            version.name,
            choices,
            segment.name,
            chosen,
            found,
            next((f"predictions.{name}" for name in states.schema.predictions), None),
            origin_of(datasets, version.name, SERVING),
            tuple(missing),
        )

    def _page(
        self,
        version: str | None,
        metrics: tuple[SegmentMetric, ...],
        segment: str | None,
        metric: SegmentMetric | None,
        segment_map: SegmentMap | None,
        prediction: str | None,
        origin: DataOrigin | None,
        missing: tuple[Missing, ...],
    ) -> SegmentsPage:
        versions, segments = self.names
        return SegmentsPage(
            self.model.id,
            self.model.registration["name"],
            version,
            tuple(versions),
            tuple(segments),
            metrics,
            self.days,
            segment,
            metric,
            segment_map,
            prediction,
            origin,
            missing,
        )
