"""Strings that represent true and false as the classes of binary models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TRUTH_WORDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("true", "1", "yes", "positive"), "true"),
    **dict.fromkeys(("false", "0", "no", "negative"), "false"),
}
"""Strings in lower case to ``true`` or ``false``."""


def truth_value_of(name: str) -> str:
    """
    Return ``true`` for true, yes, positive, 1 in any case; ``false`` for their opposites; else the name.
    """
    return TRUTH_WORDS.get(name.lower(), name)


def declared_pair(labels: list[str] | None) -> tuple[str, str] | None:
    """
    Return the negative and the positive class that a binary version declares as its ``labels``.

    :return: None if it does not declare two classes, or if they represent true and false, whose order is
        irrelevant.
    """
    classes = labels or []
    meanings = {truth_value_of(label) for label in classes}
    if len(classes) != 2 or len(meanings) < 2 or meanings == {"true", "false"}:
        return None
    negative, positive = classes
    return negative, positive
