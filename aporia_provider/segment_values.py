"""Terms of segments, as queries and results name them."""

from __future__ import annotations

import hashlib
from typing import Annotated, ClassVar, Final

from pydantic import BeforeValidator, Field

from aporia_provider.base_model import MAX_TITLE, Name, PublicModel

MAX_LABEL: Final = 2 * MAX_TITLE
"""Maximum length of the label of a term in characters: those of intersections have two labels."""


def label_of(value: str | float) -> str:
    """
    Return the text of a value as it is in the states of a field: ``true``, ``18`` and ``18.5``.

    :param value: Text, a boolean or a number.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 53:
        return str(int(value))
    return str(value)


class SegmentValue(PublicModel):
    """
    A term of a segment.

    :param id: Name or id of the segment.
    :param value: Label of the term. Numbers and booleans are converted to text.
    """

    template_fields: ClassVar[tuple[str, ...]] = ("id", "value")

    id: Name
    value: Annotated[
        str,
        Field(max_length=MAX_LABEL),
        BeforeValidator(lambda value: label_of(value) if isinstance(value, bool | int | float) else value),
    ]


def segment_text(name: str, label: str) -> str:
    """
    Return the text of a term of a segment, such as ``plan = gold``.

    :param name: Name of the segment.
    :param label: Label of the term. The text of long ones ends with a digest, so that it has at most 255
        characters.
    """
    text = f"{name} = {label}"
    if len(text) <= MAX_TITLE:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{text[: MAX_TITLE - len(digest) - 2]}… {digest}"
