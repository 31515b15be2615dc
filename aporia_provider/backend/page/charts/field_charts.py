"""Charts of the view of a field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from aporia_provider.backend.page.charts.chart_style import (
    COLORS,
    HEIGHT,
    WIDTH,
    iso,
    number_axis,
    series_color,
    time_axis,
)
from aporia_provider.backend.page.charts.compilation import chart_svg
from aporia_provider.backend.page.contents.bin_lines import BinLine
from aporia_provider.backend.page.contents.field_series import FieldSeries

_STEP = 20
_PERCENT = {"format": ".0%"}


def distribution_svg(bins: Sequence[BinLine], baseline: str, current: str) -> Markup | None:
    """
    Return the share of each bin on both sides; None without bins.

    :param bins: The bins.
    :param baseline: Name of the baseline.
    :param current: Name of the current data, which differs from the name of the baseline.
    """
    if not bins:
        return None
    sides = [(baseline, "baseline"), (current, "current")]
    values = [
        {
            "bin": line.name,
            "side": name,
            "share": getattr(line, f"{side}_share"),
            "label": f"{name}, {line.name}: {getattr(line, f'{side}_share'):.2%}, "
            f"{getattr(line, side):,.0f} values",
        }
        for line in bins
        for name, side in sides
    ]
    names = list(dict.fromkeys(line.name for line in bins))
    spec = {
        "width": WIDTH - 160,
        "height": {"step": _STEP / 2},
        "data": {"values": values},
        "mark": {"type": "bar"},
        "encoding": {
            "y": {
                "field": "bin",
                "type": "nominal",
                "sort": names,
                "axis": {"title": None, "labelLimit": 220},
            },
            "yOffset": {"field": "side", "sort": [baseline, current]},
            "x": number_axis(
                "share", "share of the values", from_zero=True, axis={**_PERCENT, "title": None}
            ),
            "color": series_color([baseline, current], "side"),
            "description": {"field": "label"},
        },
    }
    return chart_svg(spec, f"Distribution of {current} beside {baseline}")


def series_svg(series: FieldSeries) -> Markup | None:
    """Return a statistic by day, with its interval; None if it has no values."""
    values = [
        {
            "day": iso(point.day),
            "value": point.measured.value,
            "low": point.measured.low,
            "high": point.measured.high,
            "label": f"{point.day:%Y-%m-%d}: {point.measured.value:.4g}",
        }
        for point in series.points
        if point.measured.value is not None
    ]
    if not values:
        return None
    number = number_axis("value", series.name, from_zero=True)
    base: dict[str, Any] = {"x": time_axis()}
    spec = {
        "width": WIDTH,
        "height": HEIGHT // 2,
        "data": {"values": values},
        "layer": [
            {
                "mark": {"type": "area", "opacity": 0.2, "color": COLORS[0]},
                "encoding": {**base, "y": number | {"field": "low"}, "y2": {"field": "high"}},
            },
            {
                "mark": {"type": "line", "color": COLORS[0], "point": {"color": COLORS[0]}},
                "encoding": {**base, "y": number, "description": {"field": "label"}},
            },
        ],
    }
    return chart_svg(spec, f"{series.name} by day")


def quantiles_svg(quantiles: Sequence[FieldSeries]) -> Markup | None:
    """
    Return quantiles by day: areas from the first to the last and from the second to the last but one.

    :param quantiles: Five quantiles in ascending order.
    :return: None if there are no values.
    """
    if len(quantiles) != 5:
        return None
    values = []
    for points in zip(*(each.points for each in quantiles), strict=True):
        numbers = [point.measured.value for point in points]
        if None in numbers:
            continue
        day = points[0].day
        text = ", ".join(
            f"{each.name.removeprefix('quantile ')}: {number:.4g}"
            for each, number in zip(quantiles, numbers, strict=True)
        )
        named = {f"q{index}": number for index, number in enumerate(numbers)}
        values.append({"day": iso(day), "label": f"{day:%Y-%m-%d}, quantiles {text}", **named})
    if not values:
        return None
    base: dict[str, Any] = {"x": time_axis()}
    areas = [
        {
            "mark": {"type": "area", "opacity": opacity, "color": COLORS[0]},
            "encoding": {**base, "y": number_axis(low, "quantiles"), "y2": {"field": high}},
        }
        for low, high, opacity in (("q0", "q4", 0.15), ("q1", "q3", 0.25))
    ]
    median = {
        "mark": {"type": "line", "color": COLORS[0], "point": {"color": COLORS[0]}},
        "encoding": {**base, "y": number_axis("q2", "quantiles"), "description": {"field": "label"}},
    }
    spec = {
        "width": WIDTH,
        "height": HEIGHT // 2,
        "data": {"values": values},
        "layer": [*areas, median],
    }
    return chart_svg(spec, "Quantiles by day: 5, 25, 50, 75 and 95 %")
