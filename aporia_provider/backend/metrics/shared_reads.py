"""Queries that read the states of several fields, or of several terms of a segment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from aporia_provider.backend.metrics.state_series import StatesKey
from aporia_provider.backend.metrics.stored_states import VersionStates
from aporia_provider.backend.store.buckets import Range


def prepare_reads(reads: Iterable[tuple[VersionStates, StatesKey]]) -> None:
    """
    Find the stored states of several fields, or of several terms of a segment, with one query.

    :param reads: The states that will be read, and their versions, in the order in which they will be read.
    """
    groups: dict[
        tuple[VersionStates, str, Range, tuple[str, ...]], dict[tuple[VersionStates, StatesKey], None]
    ] = defaultdict(dict)
    for version, key in reads:
        groups[version.of_all_rows, key.role, key.within, key.spans][version, key] = None
    for (version, *_), group in groups.items():
        if len(group) > 1:
            version.prepare_sums(list(group))
