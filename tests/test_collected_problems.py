"""Errors of the public types list a limited number of problems, and tell how many there are."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from aporia_provider.base_model import MAX_FAULTS
from aporia_provider.errors import ValidationError
from aporia_provider.monitor_changes import ApplyRequest
from aporia_provider.monitor_configuration import parse_configuration
from aporia_provider.monitor_definitions import MonitorDefinition

pytestmark = pytest.mark.fast


def configuration(features: list[Any]) -> dict[str, Any]:
    return {
        "identification": {"models": {"id": "m"}, "features": features},
        "configuration": {"metric": {"type": "count"}, "logicEvaluations": [{"name": "RANGE", "min": 1}]},
    }


def test_all_problems_are_listed_up_to_the_limit() -> None:
    values = {f"key_{number:03}": number for number in range(MAX_FAULTS)}
    with pytest.raises(ValidationError) as told:
        ApplyRequest(model_id="m", **values)
    assert [problem.partition(":")[0] for problem in told.value.problems] == sorted(values)
    with pytest.raises(ValidationError) as told:
        ApplyRequest(model_id="m", **values, another=1, last=2)
    assert len(told.value.problems) == MAX_FAULTS + 1
    assert told.value.problems[-1] == "and at least 2 more problems"


@pytest.mark.slow
def test_many_problems_of_a_nested_list_take_little_memory() -> None:
    body = configuration([1] * 80_000)
    tracemalloc.start()
    with pytest.raises(ValidationError) as told:
        parse_configuration("missing_values", body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Each of the values has a problem as a name, and one as a pair of name and type.
    assert told.value.problems[-1] == "identification: and at least 159900 more problems"
    assert len(told.value.problems) == MAX_FAULTS + 1
    assert peak < 60e6


def test_a_misspelled_option_of_a_monitor_lists_the_options_of_the_type() -> None:
    options = r"options of data_drift: max, false_alarms_a_year\)"
    with pytest.raises(ValidationError, match=rf"maxx: there is no such parameter; .*'max'\? \({options}"):
        MonitorDefinition(name="n", type="data_drift", maxx=1)  # type: ignore[call-arg]
    with pytest.raises(ValidationError, match=r"maxx: there is no such parameter; did you mean 'max'\?$"):
        MonitorDefinition(name="n", type="code_based_metric", maxx=1, configuration={})  # type: ignore[call-arg]
