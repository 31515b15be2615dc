"""Compilation of Vega-Lite specifications to SVG, without JavaScript in the browser."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, Final
from xml.etree import ElementTree

from markupsafe import Markup

from aporia_provider.backend.deadlines import check_deadline
from aporia_provider.backend.page.charts.chart_style import CONFIG
from aporia_provider.backend.page.charts.chart_texts import drawable

MISSING_EXTRA: Final = "Charts require the extra page: pip install 'airflow-provider-aporia[page]'"
_KEPT = 128
_ELEMENTS = frozenset(
    ("svg", "g", "path", "line", "rect", "circle", "text", "tspan", "defs", "clipPath", "title", "desc")
)
_SVG = "{http://www.w3.org/2000/svg}"


def is_available() -> bool:
    """Return whether the library that compiles charts is installed."""
    return find_spec("vl_convert") is not None


class UnsafeChartError(Exception):
    """A compiled chart has elements or attributes that a chart does not need."""


def chart_svg(spec: Mapping[str, Any], description: str) -> Markup | None:
    """
    Return a chart as SVG, to be part of a page.

    Values in the specification are data: compiled charts that contain other elements than shapes and text are
    refused.

    :param spec: The specification in Vega-Lite, without URLs.
    :param description: What the chart shows, for screen readers.
    :return: None if the library that compiles charts is not installed.
    """
    check_deadline()
    drawn = {**drawable(spec), "background": None, "config": CONFIG}
    text = json.dumps(drawn, default=_text, allow_nan=False)
    compiled = _compiled(text)
    if compiled is None:
        return None
    return Markup('<svg role="img" aria-label="{}" ').format(description) + compiled


def _text(value: Any) -> Any:
    return drawable(str(value))


@lru_cache(_KEPT)
def _compiled(spec: str) -> Markup | None:
    """Return a compiled chart without the beginning of its first tag."""
    if not is_available():
        return None
    import vl_convert

    svg: str = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    _check(svg)
    # The elements and attributes were checked, and the compiler escapes text.
    return Markup(svg.partition("<svg ")[2])  # noqa: S704


def _check(svg: str) -> None:
    # Written by the compiler, without a document type or entities.
    for element in ElementTree.fromstring(svg).iter():  # noqa: S314
        name = element.tag.removeprefix(_SVG)
        if name not in _ELEMENTS:
            raise UnsafeChartError(f"The chart contains the element {name!r}")
        for attribute in element.attrib:
            if attribute.lower().startswith("on") or attribute in ("style", "href") or "}" in attribute:
                raise UnsafeChartError(f"The chart contains the attribute {attribute!r}")
