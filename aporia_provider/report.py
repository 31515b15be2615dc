"""Formatting of metric results as a table, and of sync results as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aporia_provider.metric_results import MetricResult, RangeResults
    from aporia_provider.metrics import Metric, MetricsQuery

_HEADERS = (
    *("from", "to", "metric", "column", "value", "low", "high", "noise", "excess", "±", "p"),
    *("samples", "baseline", "left out", "note"),
)
_STATUS = {"ok": "", "undefined": "undefined", "insufficient_data": "insufficient data"}
_LONGEST = 60  # Maximum width of a value in characters, since a histogram or a vector would widen the table.
_MOST_NAMED = 20  # Maximum number of field names in one line.
_NARROWEST = 30
_SIZES = ("bytes", "kB", "MB", "GB", "TB")


def as_table(query: MetricsQuery, results: Iterable[RangeResults], width: int | None = None) -> str:
    """
    Return the results of a query as a table with one row for each. Empty columns are left out.

    A value in parentheses is not reliable, for the reason in the note. A reason that several results share is
    printed once below the table, with a number.

    :param query: The query.
    :param results: Result of :meth:`~aporia_provider.api.AporiaApi.query_metrics`.
    :param width: Width in characters to which notes are wrapped where possible; None for one line for each
        result.
    """
    from tabulate import tabulate

    metrics = {metric.id: metric for metric in query.metrics}
    items = list(results)
    numbers = _shared_reasons(items)
    lines = [line for item in items for line in _lines(metrics, item, numbers)]
    kept = [index for index in range(len(_HEADERS)) if any(line[index] for line in lines)]
    headers = [_HEADERS[index] for index in kept]
    cells = [[line[index] for index in kept] for line in lines]
    limits = _limits([headers, *cells], width) if width is not None and kept else None
    table = str(tabulate(cells, headers=headers, disable_numparse=True, maxcolwidths=limits))
    return "\n".join([table, *_footnotes(numbers, width)])


def _shared_reasons(items: Iterable[RangeResults]) -> dict[str, int]:
    """Return the reasons that several results share, each with a number."""
    counts = Counter(result.reason for item in items for result in item.metrics if result.reason)
    shared = [reason for reason, count in counts.items() if count > 1]
    return {reason: number for number, reason in enumerate(shared, 1)}


def _footnotes(numbers: Mapping[str, int], width: int | None) -> Iterator[str]:
    if numbers:
        yield ""
    for reason, number in numbers.items():
        text = f"[{number}] {reason}"
        yield text if width is None else fill(text, max(width, _NARROWEST), subsequent_indent="    ")


def _limits(cells: list[list[str]], width: int) -> list[int | None]:
    """Return the maximum width of each column in characters; None, no limit, for all but the last."""
    *others, notes = (max(map(len, column)) for column in zip(*cells, strict=True))
    # Columns are separated by two spaces, and tabulate may add two to the width of a header.
    room = width - sum(others) - 4 * len(others)
    return [*(None for _ in others), min(notes, max(room, _NARROWEST))]


def sync_lines(status: Mapping[str, Any]) -> Iterator[str]:
    """
    Yield up to six lines that describe the result of a sync.

    :param status: Result of :meth:`~aporia_provider.hooks.sync.SyncHook.sync_dataset`.
    """
    yield (
        f"Table version {_figure(status['previous_table_version'])} -> {_figure(status['table_version'])}, "
        f"lag {_figure(status['lag'])}: {status['rows']:,} rows in {status['buckets']:,} buckets, "
        f"{_figure(status['seconds'])} s"
    )
    if fields := status.get("provisional_bins"):
        yield f"Provisional bins, from fewer than 1,000 values: {_joined_names(list(fields))}"
    parts = {"": status, " of performance": status.get("performance") or {}}
    for name, part in parts.items():
        if late := part.get("late_buckets"):
            yield f"Late buckets{name}, not computed since retention keeps nothing of them: {late:,}"
    if not status["changed"]:
        yield "Nothing has changed"
        return
    yield f"Last recomputed: {_work(status)}"
    if status["performance"]:
        yield f"Performance last recomputed: {_work(status['performance'])}"


def _joined_names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _lines(
    metrics: Mapping[str, Metric], item: RangeResults, numbers: Mapping[str, int]
) -> Iterator[tuple[str, ...]]:
    start, end = (item.time_range.start, item.time_range.end) if item.time_range else ("", "")
    for result in item.metrics:
        metric = metrics[result.id]
        yield (
            _time(start),
            _time(end),
            metric.metric,
            metric.parameters.column or "",
            _value(result),
            _number(result.low),
            _number(result.high),
            _number(result.noise),
            _number(result.excess),
            _number(result.bound or None),
            _number(result.p_value),
            str(result.samples),
            _number(result.baseline_samples),
            _number(result.left_out or None),
            result.error or _note(result, numbers),
        )


def _note(result: MetricResult, numbers: Mapping[str, int]) -> str:
    status, reason = _STATUS[result.status], result.reason
    if reason is not None and reason in numbers:
        return f"{status} [{numbers[reason]}]".strip()
    return ": ".join(filter(None, (status, reason)))


def _value(result: MetricResult) -> str:
    if result.value is None and result.shown is not None:
        return f"({_number(result.shown)})"
    return _number(result.value)


def _number(value: Any) -> str:
    if value is None:
        return ""
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _time(text: str) -> str:
    return text.replace("T", " ").removesuffix("+00:00").removesuffix(":00")


def _work(part: Mapping[str, Any]) -> str:
    return (
        f"{_figure(part['buckets_recomputed'])} buckets from {_figure(part['rows_read'])} rows in "
        f"{_figure(part['files_read'])} files of {_size(part['bytes_read'])}; "
        f"{'; '.join([str(part['reason']), *part.get('notes', ())])}"
    )


def _figure(value: float | None) -> str:
    if value is None:
        return "none"
    return f"{value:.1f}" if isinstance(value, float) else f"{value:,}"


def _size(size: float | None) -> str:
    if size is None:
        return "unknown size"
    for unit in _SIZES[:-1]:
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} {_SIZES[-1]}"
