"""DAGs of the deployment test. Secrets come from the environment, as they would from a secrets backend."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG

from aporia_provider.data_sources import PostgresJDBCDataSource, S3DataSource
from aporia_provider.operators.access import GrantS3ReadAccessOperator
from aporia_provider.operators.dataset import (
    ConnectActualsOperator,
    ConnectServingOperator,
    ConnectTestingOperator,
    ConnectTrainingOperator,
)
from aporia_provider.operators.model import CreateModelOperator
from aporia_provider.operators.version import CreateModelVersionOperator
from aporia_provider.schema import VersionSchema

SCHEMA = VersionSchema(model_type="binary", features={"amount": "numeric"}, predictions={"proba": "numeric"})
LAKE = S3DataSource(
    object_path="{{ params.table }}",
    object_format="delta",
    read_options={"fs.s3a.secret.key": os.environ["PLANTED_OPTION"]},
)
COLUMNS = {"id_column": "id", "timestamp_column": "at"}
VERSION = {"model_id": "planted", "model_version": "v1"}
JDBC = PostgresJDBCDataSource(
    url=f"jdbc:postgresql://db/shop?user=u&password={os.environ['PLANTED_URL']}",
    query="select 1",
    password=os.environ["PLANTED_PASSWORD"],
)

with DAG(
    "planted",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    params={"table": os.environ["TABLE"]},
):
    version = CreateModelVersionOperator(task_id="version", schema=SCHEMA, **VERSION)
    CreateModelOperator(task_id="model", model_id="planted") >> version
    version >> [
        ConnectServingOperator(task_id="serving", data_source=LAKE, **COLUMNS, **VERSION),
        ConnectTrainingOperator(
            task_id="training",
            data_source=LAKE.model_copy(update={"select_expr": ["*"]}),
            **COLUMNS,
            **VERSION,
        ),
        ConnectTestingOperator(task_id="testing", data_source=JDBC, **COLUMNS, **VERSION),
        ConnectActualsOperator(
            task_id="actuals", data_source=JDBC, data_source_conn_id="warehouse", **COLUMNS, **VERSION
        ),
        GrantS3ReadAccessOperator(
            task_id="grant",
            role_name="planted",
            data_sources=[LAKE],
            trusted_principal="arn:aws:iam::123456789012:root",
            external_id=os.environ["PLANTED_EXTERNAL_ID"],
        ),
        CreateModelOperator(task_id="wrong_token", model_id="m", aporia_conn_id="aporia_wrong_token"),
        ConnectServingOperator(
            task_id="wrong_key", data_source=LAKE, aws_conn_id="aws_wrong_key", **COLUMNS, **VERSION
        ),
    ]

with DAG("killed", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
    CreateModelOperator(task_id="model", model_id="killed") >> CreateModelVersionOperator(
        task_id="version",
        schema=SCHEMA,
        model_id="killed",
        model_version="v1",
        aporia_conn_id="aporia_killer",
        retries=1,
        retry_delay=timedelta(seconds=1),
    )
