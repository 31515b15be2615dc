"""A segment of a field, from the sum of its states."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aporia_provider.base_model import MAX_TITLE
from aporia_provider.monitoring.bins.field_bins import NumericBins
from aporia_provider.monitoring.profiles.plan import Bins
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.states.state import State
from aporia_provider.monitoring.states.value_state import ValueState, shortened
from aporia_provider.monitoring.statistics.quantiles import quantile
from aporia_provider.segments import Segment

MAX_VALUES: Final = 20
"""Maximum number of values of a suggested segment."""
RANGES: Final = 8
"""Number of ranges of a suggested segment of a numeric field."""
_VALUE_TYPES = ("categorical", "string", "boolean")
_DIGITS = 4


@dataclass(frozen=True)
class Suggested:
    """
    A suggested segment, or why there is none.

    :param segment: The segment, if there is one.
    :param text: Why it is suggested, or why there is none.
    """

    segment: Segment | None
    text: str


def suggested_segment(name: str, key: str, type_: str, state: State, bins: Bins | None) -> Suggested:
    """
    Return the segment that is suggested for a field.

    :param name: Name of the segment.
    :param key: Qualified name of the field.
    :param type_: Its type.
    :param state: Sum of its states.
    :param bins: Bins of the states, if any.
    """
    if type_ in _VALUE_TYPES and isinstance(state, ValueState):
        return _of_values(name, key, type_, state)
    if type_ == "numeric" and isinstance(state, NumericState):
        return _of_ranges(name, key, state, bins if isinstance(bins, NumericBins) else None)
    return Suggested(None, f"{key}: nothing is suggested for fields of type {type_}")


def _of_values(name: str, key: str, type_: str, state: ValueState) -> Suggested:
    counts = {text: count for text, count in state.counts.items() if _is_usable(text)}
    most = heapq.nsmallest(MAX_VALUES, counts.items(), key=lambda item: (-item[1], item[0]))
    if len(most) < 2:
        return Suggested(None, f"{key}: it has fewer than two values that a segment can have")
    if most[0][1] == 1:
        return Suggested(None, f"{key}: no value occurs twice")
    values = [text == "true" if type_ == "boolean" else text for text, _ in most]
    share = sum(count for _, count in most) / state.rows
    text = f"{key}: its {len(most)} most frequent values, which {share:.0%} of the rows have"
    return Suggested(Segment(name=name, field=key, values=values), text)


def _is_usable(text: str) -> bool:
    # The states have the beginning of a long text only.
    return bool(text.strip()) and len(text) <= MAX_TITLE and shortened(text) == text


def _of_ranges(name: str, key: str, state: NumericState, bins: NumericBins | None) -> Suggested:
    quantiles = [quantile(state, bins, index / RANGES).value for index in range(RANGES + 1)]
    if any(not isinstance(value, float | int) for value in quantiles):
        return Suggested(None, f"{key}: its quantiles are not known")
    edges = _distinct([float(value) for value in quantiles])
    if len(edges) < 3:
        return Suggested(None, f"{key}: one value has so many rows that its quantiles do not divide it")
    text = (
        f"{key}: {len(edges) - 1} ranges between its quantiles, from its least to its greatest value; "
        f"other values are in no term"
    )
    return Suggested(Segment(name=name, field=key, edges=edges), text)


def _distinct(edges: Sequence[float]) -> list[float]:
    """Return edges without repetitions, the inner ones with few digits if they remain apart."""
    first, *_, last = edges
    rounded = [first, *(float(f"{edge:.{_DIGITS}g}") for edge in edges[1:-1]), last]
    kept = rounded if len({*rounded}) == len({*edges}) else list(edges)
    inner = sorted({edge for edge in kept if first < edge < last})
    return [first, *inner, last] if first < last else [first]
