"""Settings of a monitor's alerts (protocol reference, section 2.9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_SECONDS = {"h": 3_600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True)
class AlertSettings:
    """
    Settings of a monitor's alerts.

    :param severity: ``LOW``, ``MEDIUM`` or ``HIGH``.
    :param by_field: Whether each field has its own alert. Default: one alert for all fields of a version.
    :param repeat_seconds: An alert that was resolved is opened again, instead of a new one, if the monitor
        fails within this time. Default: 0.
    """

    severity: str = "LOW"
    by_field: bool = False
    repeat_seconds: int = 0

    @classmethod
    def of(cls, registration: Mapping[str, Any]) -> AlertSettings:
        """Return the settings of the first action of a monitor's registration; invalid ones are defaults."""
        action = _first_action(registration)
        severity = action.get("severity")
        return cls(
            severity if severity in ("LOW", "MEDIUM", "HIGH") else "LOW",
            action.get("alertGroupByEntity") is False,
            _repeat_seconds(action) if action.get("alertGroupByTime") is True else 0,
        )


def _repeat_seconds(action: Mapping[str, Any]) -> int:
    quantity = action.get("alertGroupTimeQuantity", 1)
    seconds = _SECONDS.get(str(action.get("alertGroupTimeUnit", "d")), 0)
    return seconds * quantity if isinstance(quantity, int) and 0 <= quantity <= 10_000 else 0


def _first_action(registration: Mapping[str, Any]) -> Mapping[str, Any]:
    step: Any = registration
    # The SDK nests the configuration beside the identification, inside another configuration.
    for name in ("configuration", "configuration", "actions"):
        step = step.get(name) if isinstance(step, Mapping) else None
    first = step[0] if isinstance(step, list) and step else None
    return first if isinstance(first, Mapping) else {}
