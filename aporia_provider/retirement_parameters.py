"""Validation of the parameters that select the versions to retire."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from aporia_provider.errors import ValidationError


def check_retirement(keep: Any, ended_for: Any) -> None:
    """
    Check the parameters of a retirement.

    :param keep: Number of the newest versions to keep, or None.
    :param ended_for: Minimum time since the end of a version's serving data, or None.
    :raises aporia_provider.errors.ValidationError: if both are None, or if a value is invalid.
    """
    if keep is None and ended_for is None:
        raise ValidationError("Give keep, ended_for or both: without them no version is retired")
    faults = []
    if keep is not None and (isinstance(keep, bool) or not isinstance(keep, int) or keep < 1):
        faults.append(f"keep is {keep!r}: give a whole number of at least 1")
    if ended_for is not None and (not isinstance(ended_for, timedelta) or ended_for < timedelta(0)):
        faults.append(f"ended_for is {ended_for!r}: give a timedelta that is not negative")
    if faults:
        raise ValidationError("The parameters of the retirement are not valid", problems=faults)
