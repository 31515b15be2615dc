"""Validation of the options of syncs and of listings of due datasets."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from aporia_provider.backend.sync.leases import MAX_LEASE_SECONDS
from aporia_provider.choices import parse_boolean
from aporia_provider.errors import ValidationError


def checked_options(full: Any, *, wait_seconds: Any, lease_seconds: Any) -> bool:
    """
    Validate the options of a sync.

    :return: Whether everything is recomputed.
    :raises aporia_provider.errors.ValidationError: if options are invalid; all are listed.
    """
    problems = [
        *_number_problems("wait_seconds", wait_seconds, 0),
        *_number_problems("lease_seconds", lease_seconds, 1, MAX_LEASE_SECONDS),
    ]
    try:
        is_full = parse_boolean("full", full)
    except ValidationError as error:
        problems.insert(0, error.message)
    if problems:
        raise ValidationError("The dataset cannot be synced with these options", problems=problems)
    return is_full


def check_due_options(now: Any, limit: Any) -> None:
    """
    Validate the options of a listing of due datasets.

    :raises aporia_provider.errors.ValidationError: if options are invalid; all are listed.
    """
    if problems := [*_time_problems(now), *_limit_problems(limit)]:
        raise ValidationError("The due datasets cannot be listed with these options", problems=problems)


def _time_problems(now: Any) -> Iterator[str]:
    if now is None:
        return
    if not isinstance(now, datetime):
        yield f"now: {now!r} is not a datetime"
    elif now.utcoffset() is None:
        yield f"now: {now.isoformat()} has no time zone; give it one, such as datetime.now(UTC)"


def _limit_problems(limit: Any) -> Iterator[str]:
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
        yield f"limit: {limit!r} is not a whole number from 0"


def _number_problems(name: str, value: Any, least: int, most: float = math.inf) -> Iterator[str]:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not least <= value <= most:
        yield f"{name}: {value!r} is not a number from {least}{'' if math.isinf(most) else f' to {most}'}"
