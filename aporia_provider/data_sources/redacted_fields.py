"""Redaction of the fields of data sources: values are hidden unless they are known to be harmless."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aporia_provider.locations import location_fault, secret_fault
from aporia_provider.redaction import HIDDEN, redact_option, redact_url
from aporia_provider.redaction.reader_options import redact_user

_HARMLESS = frozenset(
    (
        *("sample_size", "select_expr", "object_format", "query", "table", "dataset", "project"),
        *("parent_project", "database", "sfschema", "warehouse"),
    )
)
"""Fields that are shown unchanged. Fields neither listed here nor in :data:`_REDACTED_BY` are hidden."""


def redact_field(name: str, value: Any) -> Any:
    if value is None or name in _HARMLESS:
        return value
    redact = _REDACTED_BY.get(name)
    return redact(value) if redact else HIDDEN


def redact_path(path: str) -> str:
    """Return a path on S3 or the local disk; if it has a fault, only the parts that are shown of a URL."""
    return redact_url(path) if location_fault(path) or secret_fault(path) else path


def _shown_options(options: Mapping[str, str]) -> dict[str, str]:
    return {name: redact_option(name, value) for name, value in options.items()}


_REDACTED_BY: Mapping[str, Callable[[Any], Any]] = {
    "object_path": redact_path,
    "read_options": _shown_options,
    "s3_output_location": redact_url,
    "url": redact_url,
    "user": redact_user,
}
