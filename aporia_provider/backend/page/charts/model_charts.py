"""Charts of the view of a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from markupsafe import Markup

from aporia_provider.backend.page.charts.chart_style import (
    COLORS,
    HEIGHT,
    WIDTH,
    iso,
    number_axis,
    series_color,
    shapes,
    time_axis,
)
from aporia_provider.backend.page.charts.compilation import chart_svg
from aporia_provider.backend.page.contents.model_page import DailyRows
from aporia_provider.backend.page.contents.page_parts import Measured
from aporia_provider.backend.page.contents.performance_chart import PerformanceChart
from aporia_provider.backend.page.contents.version_lines import VersionLine

_MOST_BANDS = 3


def performance_svg(chart: PerformanceChart) -> Markup | None:
    """Return the realised and the expected performance of versions; None if there is nothing to draw."""
    values = list(_performance_values(chart))
    if not values or chart.metric is None:
        return None
    names = [series.version for series in chart.series]
    color, shape = series_color(names, title="version"), shapes(names, title="version")
    dash = {
        "field": "kind",
        "type": "nominal",
        "scale": {"domain": ["realised", "expected"], "range": [[1, 0], [5, 3]]},
        "legend": {"title": None, "symbolType": "stroke"},
    }
    number = number_axis("value", chart.metric.name)
    base = {"x": time_axis(), "color": color}
    band = {**base, "y": number | {"field": "low"}, "y2": {"field": "high"}}
    line = {**base, "y": number, "strokeDash": dash}
    point = {**base, "y": number, "shape": shape, "description": {"field": "label"}}
    of_labels = [{"filter": "datum.kind === 'realised'"}]
    mark: dict[str, Any] = (
        {"type": "area", "opacity": 0.15} if len(names) <= _MOST_BANDS else {"type": "rule", "opacity": 0.4}
    )
    spec = {
        "width": WIDTH,
        "height": HEIGHT,
        "data": {"values": values},
        "layer": [
            {"mark": mark, "encoding": band, "transform": of_labels},
            {"mark": {"type": "line", "strokeWidth": 1.5}, "encoding": line},
            {
                "mark": {"type": "point", "filled": True, "size": 36},
                "encoding": point,
                "transform": of_labels,
            },
        ],
    }
    return chart_svg(spec, f"{chart.metric.name} of {len(names)} versions by day, realised and expected")


def _performance_values(chart: PerformanceChart) -> Iterator[dict[str, Any]]:
    for series in chart.series:
        for kind, points in (("realised", series.realised), ("expected", series.expected)):
            for point in points:
                if point.measured.value is not None:
                    label = f"{series.version}, {point.day:%Y-%m-%d}, {kind}: {_text(point.measured)}"
                    ends = {"low": point.measured.low, "high": point.measured.high}
                    yield {
                        "day": iso(point.day),
                        "series": series.version,
                        "kind": kind,
                        "value": point.measured.value,
                        "label": label,
                        **ends,
                    }


def _text(measured: Measured) -> str:
    ends = ""
    if measured.low is not None and measured.high is not None:
        ends = f" ({measured.low:.4g} to {measured.high:.4g})"
    unsure = "" if measured.reliable else ", not reliable"
    return f"{measured.value:.4g}{ends}, {measured.samples:,} rows{unsure}"


def versions_svg(versions: Sequence[VersionLine]) -> Markup | None:
    """Return when versions were registered, and from when to when they served; None without versions."""
    if not versions:
        return None
    values = [
        {
            "version": line.name,
            "registered": iso(line.registered_at),
            "from": iso(line.serving_from) if line.serving_from else None,
            "to": iso(line.serving_to) if line.serving_to else None,
            "label": _version_label(line),
            "tags": ", ".join(line.tags),
        }
        for line in versions
    ]
    names = [line.name for line in versions]
    rows = {"field": "version", "type": "nominal", "sort": names, "axis": {"title": None, "labelLimit": 180}}
    times = time_axis("from", axis={"title": None, "grid": True, "tickCount": 8, "labelOverlap": True})
    described = {"description": {"field": "label"}}
    bar = {"y": rows, "x": times, "x2": {"field": "to"}, **described}
    tick = {"y": rows, "x": time_axis("registered", axis=times["axis"]), **described}
    text = {"y": rows, "x": time_axis("from", axis=times["axis"]), "text": {"field": "tags"}}
    spec = {
        "width": WIDTH - 120,
        "height": {"step": 22},
        "data": {"values": values},
        "layer": [
            {
                "mark": {"type": "bar", "color": COLORS[0], "height": 12},
                "encoding": bar,
                "transform": [{"filter": "datum.from !== null"}],
            },
            {
                "mark": {"type": "point", "shape": "diamond", "filled": True, "color": COLORS[1]},
                "encoding": tick,
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 4, "dy": -11, "fontSize": 11},
                "encoding": text,
                "transform": [{"filter": "datum.tags !== '' && datum.from !== null"}],
            },
        ],
    }
    return chart_svg(spec, f"Registration and serving data of {len(names)} versions")


def _version_label(line: VersionLine) -> str:
    serving = "no serving data"
    if line.serving_from and line.serving_to:
        serving = f"serving data from {line.serving_from:%Y-%m-%d} to {line.serving_to:%Y-%m-%d}"
    tags = f", {', '.join(line.tags)}" if line.tags else ""
    return f"{line.name}{tags}: registered {line.registered_at:%Y-%m-%d %H:%M} UTC, {serving}"


def rows_svg(rows: Sequence[DailyRows]) -> Markup | None:
    """Return the serving rows of versions by day; None if there are none."""
    values = [
        {
            "day": iso(point.day),
            "series": daily.version,
            "rows": point.measured.value,
            "label": f"{daily.version}, {point.day:%Y-%m-%d}: {point.measured.value:,.0f} rows",
        }
        for daily in rows
        for point in daily.rows
        if point.measured.value
    ]
    if not values:
        return None
    names = [daily.version for daily in rows]
    encoding = {
        "x": time_axis(),
        "y": number_axis("rows", "rows a day", from_zero=True, stack="zero"),
        "color": series_color(names, title="version"),
        "description": {"field": "label"},
    }
    width = max(1, WIDTH // (2 * max(len(daily.rows) for daily in rows)))
    spec = {
        "width": WIDTH,
        "height": HEIGHT // 2,
        "data": {"values": values},
        "mark": {"type": "bar", "width": width},
        "encoding": encoding,
    }
    return chart_svg(spec, "Serving rows by day")
