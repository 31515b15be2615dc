"""DAGs of the deployment test that sync, in the embedded backend."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from airflow.sdk import DAG, chain

from aporia_provider.data_sources import S3DataSource
from aporia_provider.operators.dataset import ConnectServingOperator
from aporia_provider.operators.model import CreateModelOperator
from aporia_provider.operators.sync import SyncDatasetOperator
from aporia_provider.operators.version import CreateModelVersionOperator
from aporia_provider.schema import VersionSchema

SCHEMA = VersionSchema(model_type="binary", features={"amount": "numeric"}, predictions={"proba": "numeric"})
LAKE = S3DataSource(
    object_path=os.environ["TABLE"],
    object_format="delta",
    read_options={"fs.s3a.secret.key": os.environ["PLANTED_OPTION"]},
)
VERSION = {"model_version": "v1", "aporia_conn_id": "aporia_embedded"}
SYNC = {**VERSION, "role": "serving"}


def connected(model_id: str) -> ConnectServingOperator:
    """The last of the tasks that connect the table to a model."""
    model = CreateModelOperator(task_id="model", model_id=model_id, aporia_conn_id="aporia_embedded")
    version = CreateModelVersionOperator(task_id="version", schema=SCHEMA, model_id=model_id, **VERSION)
    connect = ConnectServingOperator(
        task_id="serving",
        data_source=LAKE,
        id_column="id",
        timestamp_column="at",
        model_id=model_id,
        **VERSION,
    )
    chain(model, version, connect)
    return connect


with DAG("syncs", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
    token = os.environ["PLANTED_ENGINE_TOKEN"]
    connected("syncs") >> [
        SyncDatasetOperator(task_id="sync", model_id="syncs", **SYNC),
        SyncDatasetOperator(
            task_id="wrong_engine",
            model_id="syncs",
            engine=f"sc://127.0.0.1:1/;token={token}",
            full=True,
            **SYNC,
        ),
        SyncDatasetOperator(task_id="wrong_key", model_id="syncs", aws_conn_id="aws_wrong_key", **SYNC),
    ]

with DAG("stalled", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
    connected("stalled") >> SyncDatasetOperator(
        task_id="sync", model_id="stalled", aws_conn_id="aws_stalling", **SYNC
    )
