"""The fixtures for tests of users, in DAGs that Airflow runs against its metadata database."""

from __future__ import annotations

import pytest
from airflow.sdk import chain

from aporia_provider.backend.registry import Registry
from aporia_provider.operators.dataset import ConnectServingOperator
from aporia_provider.operators.model import CreateModelOperator
from aporia_provider.operators.version import CreateModelVersionOperator
from aporia_provider.testing import *  # noqa: F403
from aporia_provider.testing.tables import TableWriter
from tests.airflow.running import new_dag, run
from tests.airflow.test_operators import COLUMNS, ROWS, SCHEMA, VERSION


@pytest.mark.usefixtures("airflow_database")
def test_a_whole_dag_uses_the_s3_and_the_registry_of_the_test(
    aporia_registry: Registry, aporia_write_delta: TableWriter
) -> None:
    table = aporia_write_delta(ROWS, "s3://my-bucket/predictions")
    with new_dag("tested") as dag:
        chain(
            CreateModelOperator(task_id="model", model_id="m"),
            CreateModelVersionOperator(task_id="version", schema=SCHEMA, **VERSION),
            ConnectServingOperator(task_id="serving", data_source=table, **COLUMNS, **VERSION),
        )
    assert run(dag)["serving"]["rows"] == 3
    (dataset,) = aporia_registry.get_datasets("m", "v1")
    assert dataset.data_source.uri == "s3://my-bucket/predictions"
