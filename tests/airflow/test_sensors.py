"""Sensors, run by Airflow in each of their modes, against a real S3 and the embedded backend."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from aporia_provider.sensors.delta_table import DeltaTableSensor
from aporia_provider.triggers import poll_intervals
from tests.airflow.connected_lake import rows
from tests.airflow.running import START, finish, new_dag
from tests.conftest import S3

INTERVAL = 0.05

pytestmark = pytest.mark.usefixtures("airflow_database", "registry")


@pytest.fixture(autouse=True)
def short_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll_intervals, "MIN_POLL_INTERVAL", INTERVAL)


def test_a_table_is_waited_for_in_every_mode(aws: S3) -> None:
    uri = written(aws, "t", rows(range(3)))
    given: dict[str, Any] = {"table_uri": uri, "poke_interval": INTERVAL, "timeout": 30}
    with new_dag("modes") as dag:
        for mode in ("poke", "reschedule"):
            DeltaTableSensor(task_id=mode, mode=mode, min_rows=3, **given)
        DeltaTableSensor(task_id="met", deferrable=True, after_version=-1, **given)
        DeltaTableSensor(
            task_id="late",
            deferrable=True,
            timestamp_column="at",
            data_until="{{ (logical_date or macros.datetime(2026, 1, 1)).strftime('2026-01-01T01:00:00') }}",
            **given,
        )
    found = results(finish(dag))
    expected = {"table_uri": uri, "version": 0, "rows": 3, "latest": None}
    assert found == {
        "poke": expected,
        "reschedule": expected,
        "met": {**expected, "rows": None},
        "late": {**expected, "latest": (START + timedelta(hours=2)).isoformat()},
    }


def results(finished: Any) -> dict[str, Any]:
    instances = finished.get_task_instances()
    assert {ti.state for ti in instances} == {"success"}
    return {ti.task_id: ti.xcom_pull(task_ids=ti.task_id) for ti in instances}


def written(s3: S3, name: str, table: pa.Table, **more: Any) -> str:
    uri = s3.uri(name)
    write_deltalake(uri, table, storage_options=s3.delta_options, mode="append", **more)
    return uri
