"""One DAG in which a task reads with a cluster that is an Airflow connection, and others are embedded."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from sqlalchemy import select

from aporia_provider.backend.store.tables import DatasetRow, ModelRow, VersionRow
from aporia_provider.data_sources import S3DataSource
from aporia_provider.models import Model
from aporia_provider.operators.dataset import ConnectServingOperator
from aporia_provider.operators.sync import SyncDatasetOperator
from aporia_provider.schema import VersionSchema
from tests.airflow.running import START, finish, new_dag
from tests.backend.stored_states import stored_states
from tests.conftest import S3
from tests.spark.server import Cluster

SCHEMA = VersionSchema(
    model_type="binary",
    features={"amount": "numeric", "city": "categorical"},
    predictions={"proba": "numeric"},
)
ROWS = 60

pytestmark = pytest.mark.usefixtures("airflow_database")


@pytest.fixture
def connections(cluster: Cluster, set_connection: Callable[..., None]) -> None:
    place: dict[str, Any] = {"conn_type": "spark_connect", "host": "localhost", "port": cluster.port}
    set_connection("cluster", password=cluster.token, login="airflow", **place)
    set_connection("wrong_token", password="planted-token", extra={"parameters": {"x-a": "planted"}}, **place)


def table() -> pa.Table:
    numbers = range(ROWS)
    return pa.table(
        {
            "id": [str(n) for n in numbers],
            "at": pa.array([START + timedelta(hours=n) for n in numbers], pa.timestamp("us", "UTC")),
            "amount": [n / 7 for n in numbers],
            "city": [("Rome", "Zürich", "")[n % 3] for n in numbers],
            "proba": [n / 64 for n in numbers],
        }
    )


def states(registry: Any, model: str) -> dict[tuple[str, str, int | None], Any]:
    """All that a sync has stored of a model."""
    query = (
        select(DatasetRow.key)
        .join(VersionRow, DatasetRow.version_key == VersionRow.key)
        .join(ModelRow, VersionRow.model_key == ModelRow.key)
        .where(ModelRow.id == model)
    )
    with registry.database.read_transaction() as session:
        return {
            place: state
            for key in session.scalars(query).all()
            for place, state in stored_states(session, key).items()
        }


@pytest.mark.usefixtures("connections")
def test_one_model_on_a_cluster_and_the_others_embedded(
    aws: S3, registry: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    # The embedded engine reads no Delta table whose key has a space, so it must be the cluster that does.
    keys = {"large": "a key/of a cluster", "small": "plain"}
    sources = {}
    for model, key in keys.items():
        write_deltalake(aws.uri(key), table(), storage_options=aws.delta_options)
        registry.create_model(Model(id=model, name=model))
        registry.create_model_version(model, "v1", SCHEMA)
        sources[model] = S3DataSource(object_path=aws.uri(key), object_format="delta", select_expr=["*"])

    def connect(task_id: str, model: str, **more: Any) -> ConnectServingOperator:
        return ConnectServingOperator(
            task_id=task_id,
            model_id=model,
            model_version="v1",
            data_source=sources[model],
            id_column="id",
            timestamp_column="at",
            check_rows=True,
            retries=3,
            **more,
        )

    def sync(task_id: str, model: str, **more: Any) -> SyncDatasetOperator:
        known = {"model_id": model, "model_version": "v1", "role": "serving"}
        return SyncDatasetOperator(task_id=task_id, retries=3, **known, **more)

    with new_dag("clusters") as dag:
        dag.params["cluster"] = "cluster"
        large = connect("connect_large", "large", spark_conn_id="cluster")
        large >> sync("sync_large", "large", spark_conn_id="{{ params.cluster }}")
        large >> sync("sync_large_embedded", "large", full=True)
        large >> sync("sync_large_wrong_token", "large", spark_conn_id="wrong_token", full=True)
        connect("connect_small", "small") >> sync("sync_small", "small")
    finished = {ti.task_id: ti for ti in finish(dag).get_task_instances()}

    assert {name: (ti.state, ti.try_number) for name, ti in finished.items()} == {
        "connect_large": ("success", 1),
        "connect_small": ("success", 1),
        "sync_large": ("success", 1),
        "sync_small": ("success", 1),
        "sync_large_embedded": ("failed", 1),
        "sync_large_wrong_token": ("failed", 1),
    }
    on_cluster, embedded = states(registry, "large"), states(registry, "small")
    assert on_cluster == embedded
    rows = [state["rows"] for (_, field, _), state in on_cluster.items() if field == "rows"]
    assert sum(rows) == ROWS
    logged = "".join(capsys.readouterr())
    assert "denies access: Invalid authentication token" in logged
    assert "the embedded engine cannot read a Delta table there" in logged
    assert "planted" not in logged
