"""Suggestion of a similar name."""

from __future__ import annotations

from collections.abc import Iterable

_MAX_LISTED = 10
# Less similar names share letters by chance: 'ts' and 'at', 'country' and 'currency'.
_MIN_SIMILARITY = 0.6


def nearest(name: str, names: Iterable[str]) -> str:
    """Return a hint that names the most similar of ``names``, or lists them if none is similar."""
    from difflib import get_close_matches

    names_by_lowercase = {candidate.lower(): candidate for candidate in names}
    matches = get_close_matches(name.lower(), names_by_lowercase, n=1, cutoff=_MIN_SIMILARITY)
    if matches:
        return f"did you mean {names_by_lowercase[matches[0]]!r}?"
    listed_names = ", ".join(map(repr, list(names_by_lowercase.values())[:_MAX_LISTED]))
    return f"there are {listed_names}" if listed_names else "there are none"
