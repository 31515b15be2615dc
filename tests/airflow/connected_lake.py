"""Tables on S3 that are connected to versions, and what syncs of them came to in Airflow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.models import Model
from aporia_provider.schema import VersionSchema
from tests.airflow.running import START
from tests.conftest import S3

SCHEMA = VersionSchema(model_type="binary", features={"amount": "numeric"}, predictions={"proba": "numeric"})
SERVING: dict[str, Any] = {"model_id": "m", "model_version": "v1", "role": "serving"}


def rows(hours: Iterable[int], **more: Any) -> pa.Table:
    hours = list(hours)
    times = [START + timedelta(hours=hour) for hour in hours]
    columns = {
        "id": [f"{hour}" for hour in hours],
        "at": pa.array(times, pa.timestamp("us", "UTC")),
        "amount": [float(hour) for hour in hours],
        "proba": [0.5] * len(hours),
    }
    return pa.table({**columns, **more})


@dataclass
class Lake:
    """Connected tables."""

    s3: S3
    registry: Any

    def write(self, name: str, table: pa.Table, mode: Any = "append", **more: Any) -> None:
        write_deltalake(self.s3.uri(name), table, mode=mode, storage_options=self.s3.delta_options, **more)

    def connect(self, role: str, name: str, model: str = "m", source: Any = None, **more: Any) -> None:
        source = source or S3DataSource(object_path=self.s3.uri(name), object_format="delta")
        columns = {"id_column": "id", "timestamp_column": "at"}
        self.registry.connect_dataset(
            model, "v1", DatasetConnection(role=role, data_source=source, **columns, **more)
        )

    def register(self, model: str = "m", **more: Any) -> None:
        self.registry.create_model(Model(id=model, name=model, **more))
        self.registry.create_model_version(model, "v1", SCHEMA)


def connected_lake(aws: S3, registry: Any) -> Lake:
    """Version ``v1`` of model ``m``, with the predictions of three hours of one day connected."""
    lake = Lake(aws, registry)
    lake.register()
    lake.write("serving", rows(range(3)))
    lake.connect("serving", "serving")
    return lake


BROKEN: dict[str, Any] = {"model_id": "broken", "model_version": "v1", "role": "serving"}


def break_dataset(lake: Lake) -> None:
    """Connect the dataset ``BROKEN``, whose table no longer has one of its columns."""
    lake.register("broken")
    lake.write("broken", rows(range(2)))
    lake.connect("serving", "broken", model="broken")
    lake.write("broken", rows(range(2)).drop_columns(["amount"]), "overwrite", schema_mode="overwrite")


def outcome(finished: Any, task_id: str = "sync") -> list[tuple[str, Any]]:
    """State and return value of every instance of a task."""
    instances = [ti for ti in finished.get_task_instances() if ti.task_id == task_id]
    return [
        (ti.state, ti.xcom_pull(task_ids=ti.task_id, map_indexes=ti.map_index))
        for ti in sorted(instances, key=lambda ti: ti.map_index)
    ]


def events(dag_id: str) -> list[Any]:
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session

    with create_session() as session:
        found = session.query(AssetEvent).filter_by(source_dag_id=dag_id).order_by(AssetEvent.id)
        return [
            (event.uri, event.extra, sorted(alias.name for alias in event.source_aliases)) for event in found
        ]
