"""Sensors, run by Airflow in each of their modes, against a real S3 and the embedded backend."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)

from aporia_provider.errors import TransientError, ValidationError
from aporia_provider.operators.sync import SyncDatasetOperator
from aporia_provider.sensors.dataset_sync import DatasetSyncSensor
from aporia_provider.sensors.delta_table import DeltaTableSensor
from aporia_provider.sensors.label_coverage import LabelCoverageSensor
from aporia_provider.triggers import poll_intervals
from tests import servers
from tests.airflow.connected_lake import SERVING, Lake, connected_lake, rows
from tests.airflow.proxies import Refusing
from tests.airflow.running import START, execute, finish, new_dag
from tests.conftest import S3

try:
    from airflow.sdk.serde import deserialize, serialize
except ImportError:
    # Airflow 3.1.
    from airflow.serialization.serde import deserialize, serialize

INTERVAL = 0.05
WAITING: dict[str, Any] = {"poke_interval": INTERVAL, "timeout": 120}
DENIED, BUSY = (403, "AccessDenied"), (503, "SlowDown")

pytestmark = pytest.mark.usefixtures("airflow_database", "registry")


@pytest.fixture(autouse=True)
def short_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll_intervals, "MIN_POLL_INTERVAL", INTERVAL)


@pytest.fixture
def lake(aws: S3, registry: Any) -> Lake:
    return connected_lake(aws, registry)


@pytest.fixture
def between(aws: S3, set_connection: Callable[..., None]) -> Iterator[Refusing]:
    """A server between the connection ``aws_default`` and S3."""
    proxy = Refusing(aws.endpoint)
    extra = {"endpoint_url": f"http://127.0.0.1:{proxy.server_port}", "region_name": servers.S3_REGION}
    keys = {"login": servers.S3_KEY, "password": servers.S3_SECRET}
    set_connection("aws_default", conn_type="aws", extra=extra, **keys)
    yield proxy
    proxy.stop()


def deferred(sensor: Any) -> Any:
    """Execute a sensor until it is deferred; its trigger, made anew from what Airflow stores of it."""
    with pytest.raises(TaskDeferred) as raised:
        sensor.execute({})
    assert raised.value.method_name == "execute_complete"
    path, kwargs = raised.value.trigger.serialize()
    stored = json.loads(json.dumps(serialize(kwargs)))
    module, _, name = path.rpartition(".")
    trigger_class = getattr(__import__(module, fromlist=[name]), name)
    return trigger_class(**deserialize(stored))


async def event_of(trigger: Any) -> Any:
    async with asyncio.timeout(120):
        async for event in trigger.run():
            return json.loads(json.dumps(event.payload))
    raise AssertionError("there was no event")


async def resumed(sensor: Any, change: Callable[[], object] = lambda: None) -> Any:
    """Defer a sensor, change something once the trigger waits, and resume the sensor."""
    trigger = deferred(sensor)
    waiting = asyncio.create_task(event_of(trigger))
    await asyncio.sleep(0)
    change()
    return sensor.execute_complete({}, await waiting)


@pytest.mark.very_slow
def test_every_mode_runs_in_a_dag(lake: Lake, s3_engine: str) -> None:
    uri = lake.s3.uri("serving")
    with new_dag("modes") as dag:
        sync = SyncDatasetOperator(task_id="sync", engine=s3_engine, **SERVING)
        for mode in ("poke", "reschedule"):
            DeltaTableSensor(task_id=mode, mode=mode, table_uri=uri, min_rows=3, **WAITING) >> sync
        waiting: Any = {"table_uri": uri, "deferrable": True, **WAITING}
        DeltaTableSensor(task_id="deferred", after_version="{{ params.after }}", **waiting) >> sync
        data = {"timestamp_column": "at", "data_until": START}
        DeltaTableSensor(task_id="times", **data, **waiting) >> sync
        synced: Any = {**SERVING, **WAITING, "table_version": 0}
        for mode in ("poke", "reschedule"):
            sync >> DatasetSyncSensor(task_id=f"synced_{mode}", mode=mode, **synced)
        sync >> DatasetSyncSensor(task_id="synced_deferred", deferrable=True, **synced)
    dag.params["after"] = -1
    instances = finish(dag).get_task_instances()
    assert {ti.task_id: ti.state for ti in instances if ti.state != "success"} == {}
    found = {ti.task_id: ti.xcom_pull(task_ids=ti.task_id) for ti in instances}
    expected = {"table_uri": uri, "version": 0, "rows": 3, "latest": None}
    assert found["poke"] == found["reschedule"] == expected
    assert found["deferred"] == {**expected, "rows": None}
    assert found["times"] == {**expected, "latest": (START + timedelta(hours=2)).isoformat()}
    assert found["synced_poke"] == found["synced_reschedule"] == found["synced_deferred"]
    assert {**found["synced_poke"], "last_sync_at": None} == {
        **SERVING,
        "table_version": 0,
        "lag": 0,
        "rows": 3,
        "last_sync_at": None,
    }


def test_a_deferred_sensor_waits_in_a_dag(lake: Lake) -> None:
    uri = lake.s3.uri("serving")
    with new_dag("timed_out") as dag:
        late: Any = {"table_uri": uri, "min_rows": 4, "poke_interval": INTERVAL, "timeout": 0.2}
        for mode in ("poke", "deferred"):
            DeltaTableSensor(task_id=mode, deferrable=mode == "deferred", **late)
            DeltaTableSensor(task_id=f"soft_{mode}", deferrable=mode == "deferred", soft_fail=True, **late)
    states = {ti.task_id: ti.state for ti in finish(dag).get_task_instances()}
    assert states == {
        "poke": "failed",
        "deferred": "failed",
        "soft_poke": "skipped",
        "soft_deferred": "skipped",
    }


async def test_a_commit_is_waited_for(lake: Lake) -> None:
    sensor = DeltaTableSensor(
        task_id="t", table_uri=lake.s3.uri("serving"), after_version=0, deferrable=True, **WAITING
    )
    found = await resumed(sensor, lambda: lake.write("serving", rows([5])))
    assert found["version"] == 1


async def test_the_triggerer_sends_one_request_for_each_check(aws: S3, between: Refusing) -> None:
    lake = Lake(aws, None)
    lake.write("t", rows(range(3)))
    sensor = DeltaTableSensor(task_id="t", table_uri=aws.uri("t"), min_rows=4, deferrable=True, **WAITING)
    trigger = deferred(sensor)
    await trigger.check()
    between.requests.clear()
    for _ in range(5):
        assert await trigger.check() == (None, ("there are 3 rows of 4",))
    assert len(between.requests) == 5
    assert all("list-type=2" in path and "max-keys=1000" in path for path in between.requests)


async def test_transient_errors_are_outlived_up_to_a_number(aws: S3, between: Refusing) -> None:
    lake = Lake(aws, None)
    lake.write("t", rows(range(3)))
    given: dict[str, Any] = {"table_uri": aws.uri("t"), "after_version": 0, "deferrable": True, **WAITING}
    sensor = DeltaTableSensor(task_id="t", max_errors=3, **given)

    def disturb() -> None:
        # boto3 repeats each request once.
        between.refusals += [BUSY] * 4
        lake.write("t", rows([5]))

    assert (await resumed(sensor, disturb))["version"] == 1
    between.always = BUSY
    with pytest.raises(TransientError, match="SlowDown"):
        await resumed(DeltaTableSensor(task_id="t", max_errors=2, **given))
    poked = DeltaTableSensor(task_id="t", max_errors=2, **{**given, "deferrable": False})
    assert not poked.poke({})
    with pytest.raises(TransientError, match="SlowDown"):
        poked.poke({})


async def test_what_waiting_does_not_fix_fails_at_once(aws: S3, between: Refusing) -> None:
    Lake(aws, None).write("t", rows(range(3)))
    given: dict[str, Any] = {"after_version": 0, "deferrable": True, **WAITING}
    sensor = DeltaTableSensor(task_id="t", table_uri=aws.uri("t"), **given)

    def deny() -> None:
        between.always = DENIED

    with pytest.raises(AirflowFailException, match="AWS denies s3:ListBucket"):
        await resumed(sensor, deny)
    with pytest.raises(AirflowFailException, match="AWS denies s3:ListBucket"):
        sensor.execute({})
    between.always = None
    for changes, message in (
        ({"table_uri": aws.uri("missing")}, "There is no Delta table"),
        ({"table_uri": "s3://no-such-bucket/t"}, "There is no"),
        ({"table_uri": aws.uri("t"), "aws_conn_id": "elsewhere"}, "no Airflow connection 'elsewhere'"),
    ):
        with pytest.raises(AirflowFailException, match=message):
            DeltaTableSensor(task_id="t", **given, **changes).execute({})


@pytest.mark.parametrize(
    ("parameters", "problems"),
    [
        (
            {"partition": "day=1", "min_rows": "x"},
            ["partition is 'day=1', not a dict of columns to values", "min_rows is 'x', not a number from 1"],
        ),
        ({}, ["at least one of after_version, data_until, partition and min_rows is required"]),
        (
            {"table_uri": "gs://b/t", "after_version": "x", "min_rows": 0, "data_until": "soon"},
            [
                "after_version is 'x', not a number from -1",
                "data_until is 'soon', not a time in ISO format",
                "min_rows is 0, not a number from 1",
                "table_uri has the scheme gs:",
                "timestamp_column and data_until must be given together",
            ],
        ),
        (
            {"min_rows": 1, "allowed_lateness": "soon", "quiet_period": timedelta(-1)},
            [
                "allowed_lateness is 'soon', not a non-negative timedelta or number of seconds",
                "quiet_period is datetime.timedelta(days=-1), not a non-negative timedelta or number of "
                "seconds",
                "allowed_lateness requires data_until",
                "quiet_period requires data_until",
            ],
        ),
    ],
)
def test_all_faults_of_a_condition_are_told(parameters: dict[str, Any], problems: list[str]) -> None:
    with pytest.raises(AirflowFailException) as failure:
        execute(DeltaTableSensor(task_id="t", **{"table_uri": "s3://b/t", **parameters}))
    told = str(failure.value).split("\n  - ")[1:]
    assert [text[: len(start)] for text, start in zip(told, problems, strict=True)] == problems


@pytest.mark.parametrize("event", [None, {}, {"status": "met"}, {"status": "other"}, "met"])
def test_an_event_that_is_not_the_triggers_is_an_error(event: Any) -> None:
    with pytest.raises(ValidationError, match="not valid"):
        DeltaTableSensor(task_id="t", table_uri="s3://b/t", min_rows=1).execute_complete({}, event)


async def test_what_triggers_store_has_no_secret(lake: Lake) -> None:
    trigger = deferred(
        DeltaTableSensor(
            task_id="t", table_uri=lake.s3.uri("serving"), min_rows=9, deferrable=True, **WAITING
        )
    )
    assert trigger.parameters().keys() == {"table_uri", "aws_conn_id", "condition"}
    assert servers.S3_SECRET not in json.dumps(trigger.serialize())


async def test_a_sync_is_waited_for(lake: Lake, s3_engine: str) -> None:
    given: dict[str, Any] = {**SERVING, **WAITING, "deferrable": True}

    def sync() -> None:
        execute(SyncDatasetOperator(task_id="s", engine=s3_engine, **SERVING))

    before = datetime.now(UTC)
    found = await resumed(DatasetSyncSensor(task_id="t", table_version=0, **given), sync)
    assert (found["table_version"], found["rows"]) == (0, 3)
    after = DatasetSyncSensor(task_id="t", synced_after=before, **given)
    assert after.execute({})["last_sync_at"] >= before.isoformat()
    assert after.poke({}).is_done
    with pytest.raises(AirflowSensorTimeout, match="version 0 of the table is synced, not 1"):
        await resumed(DatasetSyncSensor(task_id="t", table_version=1, **{**given, "timeout": 0.2}))
    lake.registry.set_sync_enabled("m", "v1", False)
    with pytest.raises(
        AirflowFailException, match="serving dataset of version 'v1' of model 'm' are disabled"
    ):
        DatasetSyncSensor(task_id="t", table_version=1, **given).execute({})
    with pytest.raises(AirflowFailException, match="'n'"):
        DatasetSyncSensor(task_id="t", table_version=1, **{**given, "model_id": "n"}).execute({})
    with pytest.raises(AirflowFailException, match="table_version or synced_after is required"):
        DatasetSyncSensor(task_id="t", **given).execute({})


@pytest.mark.very_slow
async def test_labels_are_waited_for(lake: Lake, s3_engine: str) -> None:
    given: dict[str, Any] = {
        "model_id": "m",
        "start": START,
        "end": (START + timedelta(days=1)).isoformat(),
        "deferrable": True,
        **WAITING,
    }
    lake.write("actuals", rows([0], proba=[1.0]))
    lake.connect("actuals", "actuals", labels={"proba": "proba"})

    def sync() -> None:
        for role in ("actuals", "serving"):
            execute(SyncDatasetOperator(task_id="s", engine=s3_engine, **{**SERVING, "role": role}))

    found = await resumed(LabelCoverageSensor(task_id="t", min_coverage=0.3, **given), sync)
    expected = {"model_id": "m", "model_version": "v1", "coverage": 1 / 3, "predictions": 3, "labels": 1.0}
    assert found == expected
    with pytest.raises(AirflowSensorTimeout, match=r"33.3% of 3 predictions have labels, not 60.0%"):
        await resumed(LabelCoverageSensor(task_id="t", min_coverage=0.6, **{**given, "timeout": 0.2}))
    enough: Any = {"min_coverage": 0.1, "min_predictions": "4", **given, "timeout": 0.2}
    with pytest.raises(AirflowSensorTimeout, match="there are 3 predictions of 4"):
        await resumed(LabelCoverageSensor(task_id="t", **enough))

    def label() -> None:
        lake.write("actuals", rows([1], proba=[0.0]))
        sync()

    found = await resumed(LabelCoverageSensor(task_id="t", min_coverage="0.6", **given), label)
    assert (found["coverage"], found["labels"]) == (2 / 3, 2.0)
    with pytest.raises(AirflowFailException, match="min_coverage is 2, not a number above 0 and up to 1"):
        LabelCoverageSensor(task_id="t", min_coverage=2, **given).execute({})
    faulty: Any = {"min_coverage": 0.5, "segment": {"id": "plan"}, **given}
    with pytest.raises(AirflowFailException, match="segment: value"):
        LabelCoverageSensor(task_id="t", **faulty).execute({})


def test_a_soft_failure_is_a_skip(lake: Lake) -> None:
    sensor = DeltaTableSensor(task_id="t", table_uri=lake.s3.uri("no"), min_rows=1, soft_fail=True)
    with pytest.raises(AirflowSkipException):
        sensor.execute({})
