"""Routes of a field: its view, and the numbers of its charts."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from aporia_provider.backend.page.addresses import FIELD
from aporia_provider.backend.page.charts.compilation import MISSING_EXTRA, is_available
from aporia_provider.backend.page.charts.field_charts import distribution_svg, quantiles_svg, series_svg
from aporia_provider.backend.page.contents.field_page import FieldPage, field_page
from aporia_provider.backend.page.contents.field_sides import FieldSide
from aporia_provider.backend.page.contents.page_days import MAX_DAYS
from aporia_provider.backend.page.csv_files import csv_response
from aporia_provider.backend.page.views import View, view
from aporia_provider.datasets import ROLES
from aporia_provider.monitoring.drift.bin_terms import TERMS

_QUANTILE = "quantile "
_TITLES = {
    "missing_ratio": "Missing values",
    "new_values": "New values",
    "unique_values": "Distinct values",
    "mean_length": "Mean length",
}


def _page(view: View) -> FieldPage:
    return field_page(
        view.registry,
        view.path("model_id"),
        view.path("version"),
        view.path("field"),
        dataset=view.text("dataset") or "serving",
        day=view.text("day") or None,
        compare=view.text("compare") or None,
        days=view.whole_number("days", 30, 1, MAX_DAYS),
        segment=view.segment,
    )


def side_name(side: FieldSide) -> str:
    """Return the name of a side of a comparison."""
    name = f"{side.origin.dataset_type} of {side.origin.model_version}"
    if side.start is None or side.end is None:
        return name
    last = f"{side.start:%Y-%m-%d}"
    days = (side.end - side.start).days
    return f"{name}, {last}" if days == 1 else f"{name}, {days} days from {last}"


def _show(view: View) -> Response:
    page = _page(view)
    rows = f", {page.segment.described}" if page.segment else ""
    names = f"{side_name(page.baseline)}{rows}", f"{side_name(page.current)}{rows}"
    if names[0] == names[1]:
        names = f"{names[0]} (baseline)", names[1]
    quantiles = [each for each in page.series if each.name.startswith(_QUANTILE)]
    others = [each for each in page.series if not each.name.startswith(_QUANTILE)]
    return view.render(
        "field.html",
        title=page.field.key,
        page=page,
        names={"baseline": names[0], "current": names[1]},
        query={
            **{name: view.text(name) for name in ("dataset", "day", "compare")},
            **view.segment_query,
        },
        segment_query=view.segment_query,
        roles=[role for role in ROLES if role != "actuals"],
        distances=list(TERMS),
        distribution_chart=distribution_svg(page.bins, *names),
        series_charts=[(_TITLES.get(other.name, other.name), series_svg(other)) for other in others],
        quantiles_chart=quantiles_svg(quantiles),
        charts_note=None if is_available() else MISSING_EXTRA,
        trail=_trail(view, page),
    )


def _trail(view: View, page: FieldPage) -> list[tuple[str, str | None]]:
    address = view.addresses.model(page.model_id, version=page.version, **view.segment_query)
    return [(page.model_name, address), (f"version {page.version}: {page.field.key}", None)]


def _bins(view: View) -> Response:
    page = _page(view)
    header = ["bin", "low", "high", "baseline", "current", "baseline_share", "current_share", *TERMS]
    lines: list[list[Any]] = [
        [
            *(line.name, line.low, line.high, line.baseline, line.current),
            *(line.baseline_share, line.current_share),
            *(line.contributions[name] for name in TERMS),
        ]
        for line in page.bins
    ]
    return csv_response(*view.of_segment(header, lines), "bins.csv")


def _series(view: View) -> Response:
    page = _page(view)
    lines = [
        [
            *(each.name, point.day.date().isoformat(), point.measured.value, point.measured.low),
            *(point.measured.high, point.measured.samples, point.measured.note),
        ]
        for each in page.series
        for point in each.points
    ]
    header = ["statistic", "day", "value", "low", "high", "rows", "note"]
    return csv_response(*view.of_segment(header, lines), "series.csv")


routes = [
    Route(FIELD, view(_show)),
    Route(f"{FIELD}/bins.csv", view(_bins)),
    Route(f"{FIELD}/series.csv", view(_series)),
]
