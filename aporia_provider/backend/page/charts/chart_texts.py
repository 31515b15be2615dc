"""Texts of charts, which the compiler must be able to write and to measure."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from typing import Any, Final

LONGEST: Final = 80
"""Maximum number of characters of a text: the time to compile a chart grows with the square of it."""
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def drawable(value: Any) -> Any:
    """
    Return a part of a specification with texts that can be drawn.

    Characters that XML does not permit, at which the compiler would end the process, are replaced by U+FFFD.
    Long texts are cut, and remain different if they were.

    :param value: A text, a mapping, a list or another value of JSON.
    """
    if isinstance(value, str):
        return _shortened(_NOT_XML.sub("\ufffd", value))
    if isinstance(value, Mapping):
        return {drawable(key): drawable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [drawable(item) for item in value]
    return value


def _shortened(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    ending = f"… ({zlib.crc32(text.encode(errors='replace')):08x})"
    return text[: LONGEST - len(ending)] + ending
