"""Rows of the terms of segments in the tables of metrics."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aporia_provider.errors import ValidationError
from aporia_provider.metric_tables.export_request import ExportRequest
from aporia_provider.metric_tables.exporting import MetricsExport
from aporia_provider.monitoring.profiles.plan import ROWS
from aporia_provider.segments import Segment
from tests.backend.conftest import copied
from tests.backend.monitors.monitored_model import (
    MonitoredModel,
    labelled,
    numbers,
    on,
    outcomes,
    rows,
    usual,
)
from tests.backend.stored_terms import store_terms

AGES = {day: {"basic": np.arange(200) % 50 + day, "gold": np.arange(100) % 20} for day in range(2)}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[MonitoredModel]:
    with MonitoredModel(copied(migrated, tmp_path_factory.mktemp("export")), "e") as found:
        found.store({day: usual() for day in range(2)})
        found.store({day: labelled() for day in range(2)}, part="performance")
        segment = Segment(name="plan", field="plan", values=["basic", "gold"])
        states = {
            day: {
                label: {ROWS: rows(len(ages)), "features.age": numbers(ages)} for label, ages in terms.items()
            }
            for day, terms in AGES.items()
        }
        store_terms(found, segment, states, part="fields")
        store_terms(found, segment, {1: {"gold": {"performance.proba": outcomes(40, 10, 10, 40)}}})
        yield found


def exported(model: MonitoredModel, segments: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    request = ExportRequest("m", "v1", "1 day", on(0), on(2), unreliable=True)
    return MetricsExport(model.registry, request, ["age"], segments).rows()


@pytest.mark.slow
def test_terms_have_rows_of_their_own(model: MonitoredModel) -> None:
    profiles, drift = exported(model, ["plan"])
    whole = exported(model, False)
    assert [row for row in profiles if row["slice_key"] is None] == whole[0]
    assert [row for row in drift if row["slice_key"] is None] == whole[1]
    assert (profiles, drift) == exported(model, True)
    found = {
        (row["slice_value"], row["column_name"], row["window"]["start"]): row
        for row in profiles
        if row["slice_key"] == "plan" and row["window"] is not None
    }
    assert len(found) == 2 * 2 * 2
    for day, terms in AGES.items():
        for label, ages in terms.items():
            assert found[label, "age", on(day)]["avg"] == pytest.approx(ages.mean())
            assert found[label, ":table", on(day)]["count"] == len(ages)
    assert found["gold", ":table", on(1)]["accuracy_score"] == pytest.approx(0.8)
    # Each window is compared with the one before of the same term.
    deltas = {
        row["slice_value"]: row["avg_delta"]
        for row in drift
        if (row["column_name"], row["drift_type"], row["window"]["start"]) == ("age", "CONSECUTIVE", on(1))
    }
    assert deltas == {None: 0, "basic": pytest.approx(1), "gold": 0}


def test_unknown_segments_and_too_many_rows(model: MonitoredModel) -> None:
    with pytest.raises(ValidationError, match="there is no segment 'plna'"):
        exported(model, ["plna"])
    request = ExportRequest("m", "v1", "1 day", on(0), on(4_000))
    with pytest.raises(ValidationError, match="fewer fields or segments"):
        MetricsExport(model.registry, request, ["age"], True).rows()
