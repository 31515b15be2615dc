"""Monitors in short form, as written in YAML files, and the standard monitors of a model."""

from __future__ import annotations

from aporia_provider.monitor_definitions.definition import MonitorDefinition
from aporia_provider.monitor_definitions.file import MonitorFile, parse_monitor_file
from aporia_provider.monitor_definitions.standard import StandardMonitors, standard_monitors

__all__ = [
    "MonitorDefinition",
    "MonitorFile",
    "StandardMonitors",
    "parse_monitor_file",
    "standard_monitors",
]
