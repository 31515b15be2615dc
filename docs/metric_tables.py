"""
Sphinx extension: the directives ``metric-table``, which writes a table of the metric catalogue, and
``function-table``, which writes a table of the functions of custom metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from aporia_provider.monitoring.catalogue import CATALOGUE
from aporia_provider.monitoring.custom_metrics.metric_functions import FUNCTIONS, MetricFunction
from aporia_provider.monitoring.metric_definition import MetricDefinition
from aporia_provider.monitoring.performance import ALIASES
from aporia_provider.schema import FIELD_TYPES, MODEL_TYPES

_COLUMNS: dict[str, tuple[str, Callable[[MetricDefinition], str]]] = {
    "fields": ("Fields", lambda metric: _types(metric)),
    "models": ("Model types", lambda metric: _types(metric)),
    "parameters": (
        "Parameters",
        lambda metric: _parameters(metric),
    ),
}
_TABLES: dict[str, tuple[str, ...]] = {
    "rows": (),
    "statistic": ("fields", "parameters"),
    "distance": ("fields", "parameters"),
    "performance": ("models", "parameters"),
    "expected": ("models", "parameters"),
}


def markdown(kind: str) -> str:
    """
    Return a table of metrics in Markdown.

    :param kind: Kind of the metrics, or ``aliases`` for a table of other names.
    """
    if kind == "aliases":
        return _table(
            ["Other name", "Metric"], ((_code(alias), _code(name)) for alias, name in ALIASES.items())
        )
    columns = [_COLUMNS[name] for name in _TABLES[kind]]
    rows = (
        (_code(metric.name), *(cell(metric) for _, cell in columns), metric.description)
        for metric in CATALOGUE
        if metric.kind == kind
    )
    return _table(["Metric", *(title for title, _ in columns), "Meaning"], rows)


def functions_markdown(group: str) -> str:
    """
    Return a table of functions of custom metrics in Markdown.

    :param group: Group of the functions.
    """
    functions = [each for each in FUNCTIONS.values() if each.group == group]
    types = {"statistic": ["Fields"], "performance": ["Model types"]}.get(group, [])
    rows = (
        (
            _code(each.name),
            *([_types(each)] if types else []),
            *(_listed(each, of_required) for of_required in (True, False)),
            each.description if each.name == each.metric or each.divisor else f"see {_code(each.metric)}",
        )
        for each in functions
    )
    return _table(["Function", *types, "Required", "Optional", "Meaning"], rows)


def _listed(function: MetricFunction, of_required: bool) -> str:
    names = [each for each in function.parameters if (each in function.required) is of_required]
    return ", ".join(map(_code, names))


def _table(headers: list[str], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [headers, ["---"] * len(headers), *([cell.replace("|", r"\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _code(name: str) -> str:
    return f"`{name}`"


def _parameters(metric: MetricDefinition) -> str:
    return ", ".join(map(_code, (*metric.shared_parameters, *metric.parameters)))


def _types(metric: MetricDefinition | MetricFunction) -> str:
    return "all" if metric.types in (FIELD_TYPES, MODEL_TYPES) else ", ".join(metric.types)


def setup(app: Any) -> dict[str, bool]:
    """Add the directive to Sphinx."""
    from docutils.nodes import Node
    from sphinx.util.docutils import SphinxDirective

    class MetricTable(SphinxDirective):
        """Table of the metrics of a kind."""

        required_arguments = 1

        def run(self) -> list[Node]:
            return self.parse_text_to_nodes(markdown(self.arguments[0]))

    class FunctionTable(SphinxDirective):
        """Table of the functions of custom metrics of a group."""

        required_arguments = 1

        def run(self) -> list[Node]:
            return self.parse_text_to_nodes(functions_markdown(self.arguments[0]))

    app.add_directive("metric-table", MetricTable)
    app.add_directive("function-table", FunctionTable)
    return {"parallel_read_safe": True}
