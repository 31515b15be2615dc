"""Validation of the options of syncs and of listings of due datasets."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from aporia_provider.backend.sync.leases import MOST_LEASE_SECONDS
from aporia_provider.choices import flag
from aporia_provider.errors import ValidationError


def checked_options(full: Any, *, patience: Any, lease_seconds: Any) -> bool:
    """
    Validate the options of a sync.

    :return: Whether everything is recomputed.
    :raises aporia_provider.errors.ValidationError: if options are invalid, all of which are listed.
    """
    problems = [
        *_number("patience", patience, 0),
        *_number("lease_seconds", lease_seconds, 1, MOST_LEASE_SECONDS),
    ]
    try:
        whole = flag("full", full)
    except ValidationError as error:
        problems.insert(0, error.message)
    if problems:
        raise ValidationError("The dataset cannot be synced like that", problems=problems)
    return whole


def check_turn(now: Any, limit: Any) -> None:
    """
    Validate the options of a listing of due datasets.

    :raises aporia_provider.errors.ValidationError: if options are invalid, all of which are listed.
    """
    if problems := [*_time(now), *_limit(limit)]:
        raise ValidationError("What is due cannot be listed like that", problems=problems)


def _time(now: Any) -> Iterator[str]:
    if now is None:
        return
    if not isinstance(now, datetime):
        yield f"now: {now!r} is no datetime"
    elif now.utcoffset() is None:
        yield f"now: {now.isoformat()} has no time zone; give it one, such as datetime.now(UTC)"


def _limit(limit: Any) -> Iterator[str]:
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
        yield f"limit: {limit!r} is no whole number from 0"


def _number(name: str, value: Any, least: int, most: float = math.inf) -> Iterator[str]:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not least <= value <= most:
        yield f"{name}: {value!r} is no number from {least}{'' if math.isinf(most) else f' to {most}'}"
