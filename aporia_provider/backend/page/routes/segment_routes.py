"""Routes of the segments of a model: their view, and its numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from aporia_provider.backend.page.addresses import SEGMENTS
from aporia_provider.backend.page.contents.drift_map import MAX_LEVEL
from aporia_provider.backend.page.contents.page_days import MAX_DAYS
from aporia_provider.backend.page.contents.page_parts import Measured
from aporia_provider.backend.page.contents.segment_page import SegmentsPage, segments_page
from aporia_provider.backend.page.csv_files import csv_response
from aporia_provider.backend.page.views import View, view
from aporia_provider.backend.request_paths import MODEL
from aporia_provider.segments import MAX_TERMS

_HEADER = ["segment", "value", "version", "metric", "start", "end"]
_MEASURED = ["number", "low", "high", "rows", "reliable", "note", "confidence", "level"]


def _page(view: View) -> SegmentsPage:
    query = view.request.query_params
    return segments_page(
        view.registry,
        view.path("model_id"),
        segment=query.get("segment") or None,
        metric=query.get("metric") or None,
        version=query.get("version") or None,
        days=view.whole_number("days", 30, 1, MAX_DAYS),
        first=view.whole_number("first", 0, 0, MAX_TERMS),
    )


def _show(view: View) -> Response:
    page = _page(view)
    query = {name: view.request.query_params.get(name) for name in ("segment", "metric", "version", "days")}
    return view.render(
        "segments.html",
        title=f"Segments of {page.model_name}",
        page=page,
        query=query,
        levels=range(MAX_LEVEL + 1),
        trail=[(page.model_name, view.addresses.model(page.model_id)), ("Segments", None)],
    )


def _numbers(view: View) -> Response:
    page = _page(view)
    return csv_response([*_HEADER, *_MEASURED], _lines(page), "segments.csv")


def _lines(page: SegmentsPage) -> Iterator[list[Any]]:
    if page.map is None or page.metric is None:
        return
    days, recent, sure = page.days, page.map.recent, page.map.confidence
    for line in (page.map.whole, *page.map.lines):
        name = [page.segment if line.label is not None else None, line.label, page.version, page.metric.name]
        yield [*name, *_ends(days.start, days.end), *_numbers_of(line.total), 0.95, None]
        yield [*name, *_ends(recent.start, recent.end), *_numbers_of(line.recent), sure, line.shortfall.level]
        for cell in line.cells:
            yield [*name, cell.day.date().isoformat(), None, *_numbers_of(cell.measured), sure, cell.level]


def _ends(*moments: Any) -> list[str]:
    return [moment.date().isoformat() for moment in moments]


def _numbers_of(measured: Measured) -> list[Any]:
    return [
        *(measured.value, measured.low, measured.high),
        *(measured.samples, measured.reliable, measured.note),
    ]


routes = [Route(SEGMENTS, view(_show)), Route(f"{MODEL}/segments.csv", view(_numbers))]
