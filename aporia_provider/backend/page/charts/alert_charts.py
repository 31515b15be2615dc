"""Chart of the view of an alert."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from markupsafe import Markup

from aporia_provider.backend.page.charts.chart_style import HEIGHT, WIDTH, iso, number_axis, time_axis
from aporia_provider.backend.page.charts.compilation import chart_svg
from aporia_provider.backend.page.contents.alert_page import WindowPoint

_OUTCOMES = ["pass", "fail", "insufficient"]
_COLORS = ["var(--series-1)", "var(--high)", "var(--muted)"]
_SHAPES = ["circle", "triangle-up", "cross"]


def windows_svg(points: Sequence[WindowPoint]) -> Markup | None:
    """
    Return the value of a metric by window, and the limits that it left; None if there is no value.

    :param points: Verdicts on one field, in chronological order.
    """
    values = list(_values(points))
    if not values:
        return None
    metric = points[0].verdict.metric
    x, y = time_axis("end"), number_axis("value", metric)
    color = {"domain": _OUTCOMES, "range": _COLORS}
    shape = {"domain": _OUTCOMES, "range": _SHAPES}
    outcome = {"field": "outcome", "type": "nominal", "legend": {"title": "verdict"}}
    spec = {
        "width": WIDTH,
        "height": HEIGHT,
        "data": {"values": values},
        "layer": [
            *_limits(values, x, y),
            {"mark": {"type": "line", "stroke": "var(--series-1)"}, "encoding": {"x": x, "y": y}},
            {
                "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
                "encoding": {
                    "x": x,
                    "y": y,
                    "color": {**outcome, "scale": color},
                    "shape": {**outcome, "scale": shape},
                    "description": {"field": "label"},
                },
            },
        ],
    }
    failed = sum(point.verdict.outcome == "fail" for point in points)
    return chart_svg(spec, f"{metric} in {len(values)} windows ({failed} failed), with the limits")


def _limits(values: Sequence[dict[str, Any]], x: Any, y: Any) -> Iterator[dict[str, Any]]:
    """Yield the layers of the limits: a band if there are two, and a line for each."""
    ends = [name for name in ("low", "high") if any(value[name] is not None for value in values)]
    if len(ends) == 2:
        band = {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}}
        yield {"mark": {"type": "area", "fill": "var(--band)", "opacity": 0.15}, "encoding": band}
    for name in ends:
        line = {"type": "line", "stroke": "var(--muted)", "strokeDash": [5, 3], "interpolate": "monotone"}
        yield {"mark": line, "encoding": {"x": x, "y": y | {"field": name}}}


def _values(points: Sequence[WindowPoint]) -> Iterator[dict[str, Any]]:
    for point in points:
        verdict = point.verdict
        if verdict.value is None:
            continue
        limits = " to ".join("–" if end is None else f"{end:.4g}" for end in (verdict.low, verdict.high))
        times = f"{point.start:%Y-%m-%d %H:%M} to {point.end:%Y-%m-%d %H:%M}"
        yield {
            "end": iso(point.end),
            "value": verdict.value,
            "low": verdict.low,
            "high": verdict.high,
            "outcome": verdict.outcome,
            "label": f"{times}: {verdict.value:.4g}, {verdict.outcome}, limits {limits}",
        }
