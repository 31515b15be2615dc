"""Faults of the code of a custom metric."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from aporia_provider.errors import ValidationError

if TYPE_CHECKING:
    from aporia_provider.monitoring.custom_metrics.expression import PartialCall

MAX_FAULTS: Final = 20
"""Maximum number of faults that an error lists."""

Place = tuple[int, int]
"""Line and column of a character, both from 1."""

Fault = tuple[Place | None, str]
"""Place and description of a fault; the place is None if it is a fault of the code as a whole."""


class CustomMetricError(ValidationError):
    """
    Error of the code of a custom metric.

    :param found: The faults.
    :param calls: The calls of a code that cannot be parsed as a whole, which can be checked against fields.
    """

    def __init__(self, found: Iterable[Fault], calls: Sequence[PartialCall] = ()) -> None:
        self.found = sorted(dict.fromkeys(found), key=lambda fault: fault[0] or (math.inf, 0))
        self.calls = tuple(calls)
        faults = [text if place is None else _with_position(place, text) for place, text in self.found]
        more = len(faults) - MAX_FAULTS
        shown = [*faults[:MAX_FAULTS], f"and at least {more} more"] if more > 0 else faults
        super().__init__("The code of the custom metric is wrong", problems=shown)

    @property
    def faults(self) -> list[str]:
        """The faults that the message lists, one line for each, in the order of the code."""
        return list(self.problems)


class CodeError(Exception):
    """
    A fault at a place in the code. It ends the statement that has it.

    :param place: Line and column, both from 1.
    :param text: What is wrong.
    """

    def __init__(self, place: Place, text: str) -> None:
        super().__init__(text)
        self.place = place
        self.text = text


def _with_position(position: Place, text: str) -> str:
    line, column = position
    return f"line {line}, column {column}: {text}"
