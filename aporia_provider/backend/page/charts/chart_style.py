"""What all charts have in common: size, colours and axes."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

WIDTH: Final = 720
HEIGHT: Final = 220
COLORS: Final = tuple(f"var(--series-{number})" for number in range(1, 6))
"""Colours of series: custom properties of the style sheet, so that they follow the theme."""
SHAPES: Final = ("circle", "square", "triangle-up", "diamond", "cross")
_FONT = "system-ui, sans-serif"

CONFIG: Final[dict[str, Any]] = {
    "font": _FONT,
    # Texts are wider in some browsers than the compiler measures.
    "padding": {"left": 24, "right": 24, "top": 8, "bottom": 8},
    "axis": {
        "labelColor": "var(--text)",
        "titleColor": "var(--text)",
        "gridColor": "var(--border)",
        "domainColor": "var(--muted)",
        "tickColor": "var(--muted)",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelLimit": 200,
    },
    "legend": {
        "labelColor": "var(--text)",
        "titleColor": "var(--text)",
        "symbolStrokeColor": "var(--text)",
        "symbolOpacity": 1,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "labelLimit": 220,
        "orient": "bottom",
        "columns": 4,
        "columnPadding": 32,
    },
    "header": {"labelColor": "var(--text)", "titleColor": "var(--text)"},
    "text": {"color": "var(--text)"},
    "view": {"stroke": "var(--border)"},
}
"""Style of all charts."""


def time_axis(field: str = "day", **options: Any) -> dict[str, Any]:
    """Return the encoding of times in UTC."""
    axis = {"format": "%b %-d", "labelOverlap": True, "tickCount": 10, "grid": False, "title": None}
    return {"field": field, "type": "temporal", "scale": {"type": "utc"}, "axis": axis, **options}


def number_axis(field: str, title: str, *, from_zero: bool = False, **options: Any) -> dict[str, Any]:
    """Return the encoding of numbers."""
    return {
        "field": field,
        "type": "quantitative",
        "scale": {"zero": from_zero, "nice": True},
        "axis": {"title": title, "tickCount": 5},
        **options,
    }


def series_color(names: list[str], field: str = "series", title: str | None = None) -> dict[str, Any]:
    """Return the encoding of series as colours, which repeat after the last one."""
    colors = [COLORS[index % len(COLORS)] for index in range(len(names))]
    return {
        "field": field,
        "type": "nominal",
        "scale": {"domain": names, "range": colors},
        "legend": {"title": title},
    }


def shapes(names: list[str], field: str = "series", title: str | None = None) -> dict[str, Any]:
    """Return the encoding of series as shapes, so that they differ in more than colour."""
    # Shapes change with each series and again with each repetition of the colours.
    chosen = [SHAPES[(index + index // len(COLORS)) % len(SHAPES)] for index in range(len(names))]
    return {
        "field": field,
        "type": "nominal",
        "scale": {"domain": names, "range": chosen},
        "legend": {"title": title},
    }


def iso(moment: datetime) -> str:
    """Return a time as a value of a chart."""
    return moment.isoformat()
