"""Types of the values in a metric query, with error messages that state the expected form."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Annotated, Any, TypeVar

import pydantic
from pydantic import AfterValidator, BeforeValidator, Field, WrapValidator

from aporia_provider.utc_times import as_utc

_MOST_SHOWN = 40
_DATED = re.compile(r"\s*\d{4}-")

LEAST_CONFIDENCE = 0.5
GREATEST_CONFIDENCE = 0.999

T = TypeVar("T")


def described(text: str, accepts: Callable[[Any], bool] = lambda _: True) -> Any:
    """
    Return an annotation that reports every error of a value as "<value> is not <text>".

    :param text: The expected form, with an example.
    :param accepts: Function that returns whether a value is of a type that can be converted.
    """

    def check(value: Any, read: Callable[[Any], T]) -> T:
        try:
            if accepts(value):
                return read(value)
        except pydantic.ValidationError:
            pass
        raise ValueError(f"{_shown(value)} is not {text}")

    return WrapValidator(check)


def a_dict(example: str) -> Any:
    """
    Return an annotation that accepts a dict, a pydantic model or None.

    :param example: A valid dict, for the error message.
    """

    def check(value: Any) -> Any:
        if isinstance(value, Mapping):
            return dict(value)
        if value is None or isinstance(value, pydantic.BaseModel):
            return value
        raise ValueError(f"{_shown(value)} is not a dict such as {example}")

    return BeforeValidator(check)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 1]}…"


def _is_time(value: object) -> bool:
    # Pydantic would convert a number, or a string of digits such as 20240131, to seconds since 1970.
    if isinstance(value, str):
        return _DATED.match(value) is not None
    # ``pandas.NaT`` is an instance of datetime that does not equal itself.
    return isinstance(value, date) and value == value


def _is_no_boolean(value: object) -> bool:
    return not isinstance(value, bool)


def _in_utc(value: datetime) -> datetime:
    try:
        return as_utc(value)
    except OverflowError:
        raise ValueError(f"{value.isoformat()} is not in the years 1 to 9999 (UTC)") from None


Time = Annotated[
    datetime,
    described("a time such as 2024-01-31 or 2024-01-31T12:00:00Z", _is_time),
    AfterValidator(_in_utc),
]
Window = Annotated[
    str,
    Field(pattern=r"^[1-9]\d{0,3}[hdw]$"),
    described("a number of hours, days or weeks from 1 to 9999, such as 12h, 7d or 2w"),
]
Value = Annotated[
    str | bool | int | Annotated[float, Field(allow_inf_nan=False)],
    described("text, a boolean or a finite number"),
]
"""
A value of a categorical field, or a class. ``true``, 3 and 3.0 match rows that contain them as text or as
typed values.
"""
Number = Annotated[float, described("a number, such as 0.5", _is_no_boolean)]
Whole = Annotated[int, described("a whole number, such as 5", _is_no_boolean)]
Count = Annotated[int, Field(ge=1), described("a whole number of at least 1, such as 100", _is_no_boolean)]
Confidence = Annotated[
    float,
    Field(ge=LEAST_CONFIDENCE, le=GREATEST_CONFIDENCE),
    described(
        f"a probability from {LEAST_CONFIDENCE} to {GREATEST_CONFIDENCE}, such as 0.95", _is_no_boolean
    ),
]
