"""Types of the fields of data sources: reader options, and URLs and paths without secrets."""

from __future__ import annotations

import numbers
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ValidationInfo

from aporia_provider.base_model import Name
from aporia_provider.locations import location_fault, secret_fault
from aporia_provider.redaction import login_fault
from aporia_provider.redaction.reader_options import is_url_option

STORED_CONTEXT = {"stored": True}
"""Validation context of stored data sources, in which faults of paths and URLs are ignored."""


def _option_text(value: Any) -> Any:
    """Return the value of an option as text, as PySpark's ``DataFrameReader.options`` does."""
    if isinstance(value, str):
        return value
    if hasattr(value, "item"):
        # A numpy number may be an instance of none or of several of the Python types tested below.
        value = value.item()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (numbers.Integral, float)):
        return str(value)
    detail = "omit the option instead of giving None" if value is None else f"not {type(value).__name__}"
    raise ValueError(f"an option is text, an integer, a float, or true or false; {detail}")


def _distinct_options(options: dict[str, str]) -> dict[str, str]:
    names_by_lowercase: dict[str, str] = {}
    for name in options:
        first_name = names_by_lowercase.setdefault(name.lower(), name)
        if first_name != name:
            raise ValueError(
                f"{first_name!r} and {name!r} are the same option, since Spark ignores case: give one"
            )
    return options


def _options_without_login(options: dict[str, str], info: ValidationInfo) -> dict[str, str]:
    for name, value in options.items() if info.context != STORED_CONTEXT else ():
        if is_url_option(name) and (fault := login_fault(value)):
            raise ValueError(f"{name} {fault}")
    return options


ReadOptions = Annotated[
    dict[str, Annotated[str, BeforeValidator(_option_text, json_schema_input_type=str | bool | int | float)]],
    AfterValidator(_distinct_options),
    AfterValidator(_options_without_login),
]


def _without_login(url: str, info: ValidationInfo) -> str:
    if info.context != STORED_CONTEXT and (fault := login_fault(url)):
        raise ValueError(fault)
    return url


Url = Annotated[Name, AfterValidator(_without_login)]


def _with_supported_form(path: str, info: ValidationInfo) -> str:
    if info.context != STORED_CONTEXT and (fault := location_fault(path)):
        raise ValueError(fault)
    return path


def _without_signature(path: str, info: ValidationInfo) -> str:
    if info.context != STORED_CONTEXT and (fault := secret_fault(path)):
        raise ValueError(fault)
    return path


Location = Annotated[Name, AfterValidator(_with_supported_form)]
UnsignedUrl = Annotated[Url, AfterValidator(_without_signature)]
