"""A DAG of the deployment test whose model is known when it runs, and one that runs after it."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG, chain, task

from aporia_provider.assets import version_completed
from aporia_provider.data_sources import S3DataSource
from aporia_provider.operators.completion import CompleteModelVersionOperator
from aporia_provider.operators.dataset import ConnectServingOperator
from aporia_provider.operators.model import CreateModelOperator
from aporia_provider.operators.version import CreateModelVersionOperator
from aporia_provider.schema import VersionSchema

SCHEMA = VersionSchema(model_type="binary", features={"amount": "numeric"}, predictions={"proba": "numeric"})
EMBEDDED = {"aporia_conn_id": "aporia_embedded"}
MODEL = {"model_id": "{{ params.model }}", **EMBEDDED}
VERSION = {**MODEL, "model_version": "{{ dag_run.run_after | ts_nodash }}"}

with DAG(
    "retrained", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), params={"model": "retrained"}
):
    chain(
        CreateModelOperator(task_id="model", **MODEL),
        CreateModelVersionOperator(task_id="version", schema=SCHEMA, **VERSION),
        ConnectServingOperator(
            task_id="serving",
            data_source=S3DataSource(object_path=os.environ["TABLE"], object_format="delta"),
            id_column="id",
            timestamp_column="at",
            **VERSION,
        ),
        CompleteModelVersionOperator(task_id="complete", **VERSION),
    )

COMPLETED = version_completed("retrained")
with DAG("checks", schedule=[COMPLETED], start_date=datetime(2026, 1, 1, tzinfo=UTC)):

    @task
    def check(triggering_asset_events: Any = None) -> list[str]:
        """The versions that are complete."""
        return [event.extra["model_version"] for event in triggering_asset_events[COMPLETED]]

    check()
