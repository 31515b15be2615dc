"""Faults of the code of a custom metric."""

from __future__ import annotations

from typing import Final

from aporia_provider.errors import ValidationError

MAX_FAULTS: Final = 20
"""Maximum number of faults that an error lists."""


class CustomMetricError(ValidationError):
    """
    Error of the code of a custom metric.

    :param faults: One line for each fault, in the order of the code.
    """

    def __init__(self, faults: list[str]) -> None:
        more = len(faults) - MAX_FAULTS
        shown = [*faults[:MAX_FAULTS], f"and {more} more"] if more > 0 else faults
        super().__init__("The code of the custom metric is wrong", problems=shown)

    @property
    def faults(self) -> list[str]:
        """The faults that the message lists."""
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


Place = tuple[int, int]
"""Line and column of a character, both from 1."""


def at(place: Place, text: str) -> str:
    """Return the description of a fault with its place."""
    line, column = place
    return f"line {line}, column {column}: {text}"
