"""A kind and a pattern, which another module brings along."""

from __future__ import annotations

import enum
import re

VOWEL = re.compile("[aeiou]")


class Letter(enum.Enum):
    """What a letter is."""

    VOWEL = "vowel"
    OTHER = "other"


def letter(text: str) -> Letter:
    return Letter.VOWEL if VOWEL.match(text) else Letter.OTHER
