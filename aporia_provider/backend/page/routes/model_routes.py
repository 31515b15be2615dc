"""Routes of a model: its view, and the numbers of its charts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from aporia_provider.backend.page.charts.compilation import MISSING_EXTRA, is_available
from aporia_provider.backend.page.charts.model_charts import performance_svg, rows_svg, versions_svg
from aporia_provider.backend.page.contents.drift_map import MAX_LEVEL
from aporia_provider.backend.page.contents.model_page import ModelPage, model_page
from aporia_provider.backend.page.contents.page_days import MAX_DAYS
from aporia_provider.backend.page.contents.version_answer import version_answer
from aporia_provider.backend.page.csv_files import csv_response
from aporia_provider.backend.page.views import View, view
from aporia_provider.backend.request_paths import MODEL

_DAYS = {7: "7 days", 30: "30 days", 90: "90 days", 365: "a year"}
_MOST_FIELDS = 100_000


def _page(view: View) -> ModelPage:
    return model_page(
        view.registry,
        view.path("model_id"),
        days=view.whole_number("days", 30, 1, MAX_DAYS),
        version=view.text("version") or None,
        metric=view.text("metric") or None,
        first=view.whole_number("first", 0, 0, _MOST_FIELDS),
        segment=view.segment,
    )


def _show(view: View) -> Response:
    page = _page(view)
    parameters = (view.text(name) or None for name in ("champion", "challenger", "margin"))
    query = {name: view.text(name) or None for name in ("version", "metric")}
    return view.render(
        "model.html",
        title=page.name,
        page=page,
        query={**query, **view.segment_query, "days": view.whole_number("days", 30, 1, MAX_DAYS)},
        lengths=_DAYS,
        answer=None if page.segment else version_answer(view.registry, page, *parameters),
        segment_query=view.segment_query,
        levels=range(MAX_LEVEL + 1),
        charts_note=None if is_available() else MISSING_EXTRA,
        versions_chart=versions_svg(page.versions),
        performance_chart=performance_svg(page.performance),
        rows_chart=rows_svg(page.rows),
        trail=[(page.name, None)],
    )


def _performance(view: View) -> Response:
    page = _page(view)
    header = ["version", "day", "kind", "metric", "value", "low", "high", "rows", "reliable", "note"]
    return csv_response(*view.of_segment(header, _performance_lines(page)), "performance.csv")


def _performance_lines(page: ModelPage) -> Iterator[list[Any]]:
    metric = page.performance.metric
    for series in page.performance.series:
        for kind, points in (("realised", series.realised), ("expected", series.expected)):
            for point in points:
                each = point.measured
                yield [
                    series.version,
                    point.day.date().isoformat(),
                    kind,
                    metric.name if metric else None,
                    *(each.value, each.low, each.high, each.samples, each.reliable, each.note),
                ]


def _drift(view: View) -> Response:
    page = _page(view)
    header = [
        "version",
        "field",
        "importance",
        "day",
        "distance",
        "noise",
        "excess",
        "values",
        "level",
        "note",
    ]
    lines = [
        [
            page.drift.version,
            row.field.key,
            row.field.importance,
            cell.day.date().isoformat(),
            *(cell.distance, cell.noise, cell.excess, cell.samples, cell.level, cell.note),
        ]
        for row in (page.drift.rows if page.drift else ())
        for cell in row.cells
        if page.drift
    ]
    return csv_response(*view.of_segment(header, lines), "drift.csv")


def _rows(view: View) -> Response:
    page = _page(view)
    coverage = {
        (daily.version, point.day): point.measured.value
        for daily in page.rows
        for point in daily.label_coverage
    }
    lines = [
        [
            daily.version,
            point.day.date().isoformat(),
            point.measured.value,
            coverage.get((daily.version, point.day)),
            daily.origin.table_version,
            daily.origin.synced_at and daily.origin.synced_at.isoformat(),
        ]
        for daily in page.rows
        for point in daily.rows
    ]
    header = ["version", "day", "rows", "label_coverage", "table_version", "synced_at"]
    return csv_response(*view.of_segment(header, lines), "rows.csv")


routes = [
    Route(MODEL, view(_show)),
    Route(f"{MODEL}/performance.csv", view(_performance)),
    Route(f"{MODEL}/drift.csv", view(_drift)),
    Route(f"{MODEL}/rows.csv", view(_rows)),
]
