"""Counts of the bins of a field."""

from __future__ import annotations

from typing import Any

from aporia_provider.backend.metrics.state_series import StatesKey
from aporia_provider.backend.monitors.version_states import MonitoredVersion
from aporia_provider.datasets import SERVING
from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.bins.field_bins import CategoryBins, NumericBins
from aporia_provider.monitoring.profiles.plan import Bins
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.states.value_state import ValueState


def bin_counts(version: MonitoredVersion, key: str, start: int, end: int) -> list[int]:
    """
    Return the counts of the bins of a field of the serving dataset in a range.

    The last bin of a categorical field has all values that are in no other bin.

    :param version: The version.
    :param key: Qualified name of the field.
    :param start: Start in seconds since 1970.
    :param end: End, exclusive.
    :raises aporia_provider.errors.ValidationError: if the field has no bins, or states were dropped.
    """
    bins = version.bins(SERVING, key)
    states_key = StatesKey(SERVING, key, (start, end))
    if (reason := version.dropped(states_key).reason(states_key.within)) is not None:
        raise ValidationError(reason)
    state = version.merged(states_key)
    return _counts(key, state, bins)


def _counts(key: str, state: Any, bins: Bins | None) -> list[int]:
    if isinstance(bins, NumericBins) and isinstance(state, NumericState | None):
        counts = state.counts if state is not None and state.counts else [0] * (len(bins.edges) + 1)
        return list(bins.coarsen(counts))
    if isinstance(bins, CategoryBins) and isinstance(state, ValueState | None):
        known = state.known if state is not None else {}
        other = state.other_count if state is not None else 0
        return [*(known.get(value, 0) for value in bins.values), other]
    raise ValidationError(f"{key!r} has no bins whose history can be compared")
