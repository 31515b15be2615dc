"""Counts of the bins of a field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aporia_provider.backend.metrics.state_series import StatesKey
from aporia_provider.backend.monitors.version_states import MonitoredVersion
from aporia_provider.datasets import SERVING
from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.bins.field_bins import CategoryBins, NumericBins
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.states.state import State
from aporia_provider.monitoring.states.value_state import ValueState


def bin_counts(version: MonitoredVersion, key: str, windows: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """
    Return the counts of the bins of a field of the serving dataset, one row for each range.

    The last bin of a categorical field has all values that are in no other bin.

    :param version: The version.
    :param key: Qualified name of the field.
    :param windows: Start, and end (exclusive), of each range, in seconds since 1970.
    :raises aporia_provider.errors.ValidationError: if the field has no bins, or states were dropped.
    """
    bins = version.bins(SERVING, key)
    states = [_state(version, StatesKey(SERVING, key, window)) for window in windows]
    if isinstance(bins, NumericBins) and _are(NumericState, states):
        return _of_numbers(bins, states)
    if isinstance(bins, CategoryBins) and _are(ValueState, states):
        return np.array([_of_categories(bins, state) for state in states], dtype=np.int64)
    raise ValidationError(f"{key!r} has no bins whose history can be compared")


def _state(version: MonitoredVersion, key: StatesKey) -> State | None:
    if (reason := version.dropped(key).reason(key.within)) is not None:
        raise ValidationError(reason)
    return version.merged(key)


def _are(kind: type[State], states: Sequence[State | None]) -> bool:
    return all(state is None or isinstance(state, kind) for state in states)


def _of_numbers(bins: NumericBins, states: Sequence[Any]) -> NDArray[np.int64]:
    nothing = (0,) * (len(bins.edges) + 1)
    return bins.coarsened([nothing if state is None else state.counts or nothing for state in states])


def _of_categories(bins: CategoryBins, state: Any) -> list[int]:
    if state is None:
        return [0] * (len(bins.values) + 1)
    return [*(state.known.get(value, 0) for value in bins.values), state.other_count]
