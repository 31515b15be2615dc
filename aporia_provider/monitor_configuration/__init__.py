"""Configurations of monitors (protocol reference, sections 2.9 and 4.1)."""

from __future__ import annotations

from aporia_provider.monitor_configuration.configuration import (
    Method,
    MonitorConfiguration,
    parse_configuration,
)

__all__ = ["Method", "MonitorConfiguration", "parse_configuration"]
