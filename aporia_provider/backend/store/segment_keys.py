"""
Keys of the states of segments.

The states of a term of a segment have the keys of the states of all rows, preceded by :func:`term_prefix`.
They belong to separate parts of the dataset, see :func:`segment_part`, so that each segment has its own
checkpoint and adding one does not recompute others.
"""

from __future__ import annotations

import re
from collections import defaultdict

from aporia_provider.monitoring.profiles.profile import Profile

_PREFIX = re.compile(r"@(\d+)\.\d+:")


def term_prefix(segment_key: int, index: int) -> str:
    """
    Return the prefix of the keys of the states of a term.

    Keys of the states of all rows begin with a letter.

    :param segment_key: Key of the segment's row.
    :param index: Position of the term in the segment.
    """
    return f"@{segment_key}.{index}:"


def segment_part(part: str, segment_key: int) -> str:
    """Return the part of a dataset that has the states of a segment, such as ``fields@3``."""
    return f"{part}@{segment_key}"


def segment_parts(segment_key: int, parts: tuple[str, ...]) -> list[str]:
    """Return all parts that have states of a segment."""
    return [segment_part(part, segment_key) for part in parts]


def prefix_of(key: str) -> str:
    """Return the prefix of the key of a state; empty for states of all rows."""
    match = _PREFIX.match(key)
    return "" if match is None else match[0]


def without_prefix(key: str) -> str:
    """Return the key of the same state of all rows."""
    return _PREFIX.sub("", key, count=1)


def by_segment(states: Profile) -> dict[int | None, Profile]:
    """Return the states by the key of their segment; None for the states of all rows."""
    divided: dict[int | None, Profile] = defaultdict(dict)
    for location, state in states.items():
        match = _PREFIX.match(location[1])
        divided[None if match is None else int(match[1])][location] = state
    return divided
