"""
Configurations of monitors that the official SDK 3.38.0 has built are accepted as they are.

``build_monitor_configurations.py`` beside this module has written them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aporia_provider.errors import ValidationError
from aporia_provider.models import Monitor
from aporia_provider.monitor_configuration import parse_configuration

pytestmark = pytest.mark.fast

BUILT: list[dict[str, Any]] = json.loads(Path(__file__).with_name("monitor_configurations.json").read_text())
NOTHING_TO_JUDGE = (
    "requires a baseline",
    "requires distance, min, max or values",
    "requires new_values_count",
)
"""The SDK also builds rules without limits, and a distance from nothing."""


def test_all_pairs_of_type_and_method_are_built() -> None:
    assert len({(each["type"], each["method"]) for each in BUILT}) == 34


def test_every_configuration_is_accepted_and_its_method_found() -> None:
    refused = []
    for each in BUILT:
        monitor = Monitor(
            name="n", type=each["type"], scheduling="0 * * * *", configuration=each["configuration"]
        )
        try:
            found = parse_configuration(monitor.type, monitor.configuration)
        except ValidationError as fault:
            refused.append(fault.message)
            continue
        assert (found.type, found.method) == (each["type"], each["method"])
        assert found.action.severity == "HIGH"
    assert len(refused) < 10
    assert [text for text in refused if not any(reason in text for reason in NOTHING_TO_JUDGE)] == []
