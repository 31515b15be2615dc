"""Register a version of a model, connect its tables, and sync them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, chain, task

from aporia_provider.data_sources import S3DataSource
from aporia_provider.operators.completion import CompleteModelVersionOperator
from aporia_provider.operators.dataset import ConnectServingOperator, ConnectTrainingOperator
from aporia_provider.operators.model import CreateModelOperator
from aporia_provider.operators.sync import SyncDatasetOperator
from aporia_provider.operators.version import CreateModelVersionOperator
from aporia_provider.schema import VersionSchema

LAKE = "s3://lake/insurance"
SCHEMA = VersionSchema(
    model_type="binary",
    features={"amount": "numeric", "region": "categorical"},
    predictions={"will_buy": "boolean", "proba": "numeric"},
)
VERSION = {"model_id": "insurance", "model_version": "v1"}
COLUMNS = {"id_column": "id", "timestamp_column": "predicted_at"}


def table(name: str) -> S3DataSource:
    return S3DataSource(object_path=f"{LAKE}/{name}", object_format="delta")


@task
def write_tables() -> None:
    """Write a training set of January, and predictions of February for larger amounts."""
    import random

    import pyarrow as pa
    from deltalake import write_deltalake

    from aporia_provider.hooks.delta_lake import DeltaLakeHook

    random.seed(0)
    tables = {
        "training": (datetime(2026, 1, 1, tzinfo=UTC), 50),
        "serving": (datetime(2026, 2, 1, tzinfo=UTC), 60),
    }
    for name, (start, mean) in tables.items():
        rows = [
            {
                "id": f"{name}-{number}",
                "predicted_at": start + timedelta(minutes=10 * number),
                "amount": random.gauss(mean, 10),
                "region": random.choice(["north", "south"]),
                "will_buy": number % 3 == 0,
                "proba": random.random(),
            }
            for number in range(4000)
        ]
        options = DeltaLakeHook().delta_options()
        write_deltalake(
            f"{LAKE}/{name}", pa.Table.from_pylist(rows), mode="overwrite", storage_options=options
        )


with DAG("first_model", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
    connect = [
        ConnectTrainingOperator(task_id="training", data_source=table("training"), **COLUMNS, **VERSION),
        ConnectServingOperator(task_id="serving", data_source=table("serving"), **COLUMNS, **VERSION),
    ]
    chain(
        write_tables(),
        CreateModelOperator(task_id="model", model_id="insurance", name="Insurance"),
        CreateModelVersionOperator(task_id="version", schema=SCHEMA, **VERSION),
        connect,
        CompleteModelVersionOperator(task_id="complete", **VERSION),
        SyncDatasetOperator(task_id="sync_training", role="training", **VERSION),
        SyncDatasetOperator(task_id="sync_serving", role="serving", **VERSION),
    )
