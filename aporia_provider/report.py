"""Answers about metrics as a table for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from aporia_provider.metrics import Metric, MetricsQuery

_HEADERS = ("from", "to", "metric", "column", "value", "noise", "±", "samples", "baseline", "note")
_STATUS = {"ok": "", "undefined": "undefined", "insufficient_data": "insufficient data"}


def as_table(query: MetricsQuery, answers: Iterable[Mapping[str, Any]]) -> str:
    """
    Answers as a table, one line for each.

    :param query: The questions.
    :param answers: As :meth:`~aporia_provider.api.AporiaApi.query_metrics` gives them.
    """
    from tabulate import tabulate

    asked = {metric.id: metric for metric in query.metrics}
    lines = [line for item in answers for line in _lines(asked, item)]
    kept = [place for place in range(len(_HEADERS)) if any(line[place] not in ("", None) for line in lines)]
    text: str = tabulate(
        [[line[place] for place in kept] for line in lines],
        headers=[_HEADERS[place] for place in kept],
        disable_numparse=True,
    )
    return text


def _lines(asked: Mapping[str, Metric], item: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    time_range = item["time_range"] or {"start": "", "end": ""}
    for answer in item["metrics"]:
        metric = asked[answer["id"]]
        yield (
            _time(time_range["start"]),
            _time(time_range["end"]),
            metric.metric,
            metric.parameters.column or "",
            _shown(answer),
            _number(answer["noise"]),
            _number(answer["bound"] or None),
            str(answer["samples"]),
            _number(answer["baseline_samples"]),
            answer["error"] or _note(answer),
        )


def _note(answer: Mapping[str, Any]) -> str:
    return ": ".join(filter(None, (_STATUS[answer["status"]], answer["reason"])))


def _shown(answer: Mapping[str, Any]) -> str:
    if answer["value"] is None and answer["shown"] is not None:
        return f"({_number(answer['shown'])})"
    return _number(answer["value"])


def _number(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _time(text: str) -> str:
    return text.replace("T", " ").removesuffix("+00:00").removesuffix(":00")
