"""Charts contain shapes and text only, and are left out without the library that compiles them."""

from __future__ import annotations

import zlib
from typing import Any

import pytest

from aporia_provider.backend.page.charts import compilation, model_charts
from aporia_provider.backend.page.charts.compilation import UnsafeChartError, chart_svg
from aporia_provider.backend.page.charts.field_charts import distribution_svg, quantiles_svg, series_svg
from aporia_provider.backend.page.charts.model_charts import performance_svg, rows_svg, versions_svg
from aporia_provider.backend.page.contents.bin_lines import BinLine
from aporia_provider.backend.page.contents.daily_results import DayPoint
from aporia_provider.backend.page.contents.field_series import FieldSeries
from aporia_provider.backend.page.contents.main_metrics import ShownMetric
from aporia_provider.backend.page.contents.page_parts import DataOrigin, Measured
from aporia_provider.backend.page.contents.performance_chart import PerformanceChart, PerformanceSeries
from aporia_provider.backend.page.contents.version_lines import VersionLine
from tests.backend.monitors.monitored_model import on

HOSTILE = "\"'><script>alert(1)</script>&<b>"


def points(*values: float | None) -> tuple[DayPoint, ...]:
    return tuple(DayPoint(on(day), Measured(value)) for day, value in enumerate(values))


def version(name: str) -> VersionLine:
    return VersionLine(name, on(3), on(1), on(5), True, ("champion",))


def test_names_are_text() -> None:
    svg = versions_svg([version(HOSTILE), version("v2")])
    assert svg is not None
    assert "<script" not in svg
    assert "<b>" not in svg
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in svg
    bins = [BinLine(HOSTILE, 1, 2, 0.5, 0.5), BinLine("b", 1, 2, 0.5, 0.5)]
    drawn = distribution_svg(bins, HOSTILE, "now")
    assert drawn is not None
    assert "<script" not in drawn


@pytest.mark.parametrize("letter", ["\x01", "\x0c", "\x1b", "\ufffe", "\uffff", "\ud800"])
def test_characters_that_xml_does_not_have_are_replaced(letter: str) -> None:
    svg = versions_svg([version(f"v{letter}x")])
    assert svg is not None
    assert "v\ufffdx" in svg
    assert letter not in svg
    drawn = distribution_svg([BinLine(f"b{letter}", 1, 2, 0.5, 0.5)], f"before{letter}", "now")
    assert drawn is not None
    assert "b\ufffd" in drawn


def test_long_names_are_cut_and_remain_different() -> None:
    names = ["x" * 5000 + ending for ending in "ab"]
    svg = versions_svg([version(name) for name in names])
    assert svg is not None
    assert "x" * 60 in svg
    assert "x" * 81 not in svg
    # The crc32 of each name.
    assert all(f"{zlib.crc32(name.encode()):08x}" in svg for name in names)


def test_performance_of_many_versions_differs_in_colour_and_shape() -> None:
    series = [
        PerformanceSeries(f"v{place}", points(0.5, None, 0.7), (), DataOrigin(f"v{place}", "serving"), None)
        for place in range(7)
    ]
    metric = ShownMetric("f1", "p", "higher", None, {})
    svg = performance_svg(PerformanceChart(metric, ("f1",), tuple(series)))
    assert svg is not None
    assert all(f"var(--series-{number})" in svg for number in range(1, 6))
    assert "v6, 2024-01-03, realised: 0.7" in svg
    assert "v6, 2024-01-02" not in svg


def test_elements_that_a_chart_does_not_need_are_refused() -> None:
    image = {"data": {"values": [{"u": "data:image/png;base64,AA=="}]}, "mark": "image"}
    spec: dict[str, Any] = {**image, "encoding": {"url": {"field": "u"}}}
    with pytest.raises(UnsafeChartError, match="image"):
        chart_svg(spec, "an image")


def test_charts_are_compiled_once() -> None:
    first = series_svg(FieldSeries("missing_ratio", points(0.1, 0.2)))
    before = compilation._compiled.cache_info().hits
    assert series_svg(FieldSeries("missing_ratio", points(0.1, 0.2))) == first
    assert compilation._compiled.cache_info().hits == before + 1


def test_nothing_is_drawn_without_values() -> None:
    assert versions_svg([]) is None
    assert rows_svg([]) is None
    assert distribution_svg([], "a", "b") is None
    assert series_svg(FieldSeries("missing_ratio", points(None))) is None
    assert quantiles_svg([FieldSeries("quantile 0.5", points(1.0))]) is None
    assert performance_svg(PerformanceChart(None)) is None


def test_without_the_extra_there_are_no_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilation, "is_available", lambda: False)
    assert series_svg(FieldSeries("missing_ratio", points(0.3, 0.4, 0.5))) is None
    assert model_charts.versions_svg([VersionLine("new", on(1), None, None, True, ())]) is None
    monkeypatch.undo()
    compilation._compiled.cache_clear()
    assert series_svg(FieldSeries("missing_ratio", points(0.3, 0.4, 0.5))) is not None
