"""What tasks hand to the tasks after them, to OpenLineage and to their logs."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from airflow.sdk import task
from deltalake import write_deltalake

from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.models import Model
from aporia_provider.operators.access import GrantS3ReadAccessOperator
from aporia_provider.operators.dataset import ConnectServingOperator, SetSyncEnabledOperator
from aporia_provider.operators.model import AddModelTagsOperator, CreateModelOperator, DeleteModelOperator
from aporia_provider.operators.sync import SyncDatasetOperator
from aporia_provider.operators.version import CreateModelVersionOperator
from aporia_provider.registered_versions import registered_schema
from aporia_provider.schema import VersionSchema
from tests.airflow.running import START, execute, new_dag, run
from tests.conftest import S3

SCHEMA = VersionSchema(model_type="binary", features={"amount": "numeric"}, predictions={"proba": "numeric"})
COLUMNS = {"id_column": "id", "timestamp_column": "at"}
VERSION = {"model_id": "m", "model_version": "v1"}

pytestmark = pytest.mark.usefixtures("airflow_database", "registry")


@pytest.fixture
def source(aws: S3, s3_engine: str, monkeypatch: pytest.MonkeyPatch) -> S3DataSource:
    # Starting an engine for each task takes longer than all else here.
    monkeypatch.setenv("AIRFLOW__APORIA__ENGINE", s3_engine)
    rows = {
        "id": ["a", "b"],
        "at": pa.array([START] * 2, pa.timestamp("us", "UTC")),
        "amount": [1.0, 2.0],
        "proba": [0.5, 0.7],
    }
    write_deltalake(aws.uri("t"), pa.table(rows), storage_options=aws.delta_options)
    return S3DataSource(object_path=aws.uri("t"), object_format="delta")


@pytest.fixture
def connected(source: S3DataSource, registry: Any) -> S3DataSource:
    """The source, as the serving dataset of version ``v1`` of model ``m``."""
    registry.create_model(Model(id="m", name="m"))
    registry.create_model_version("m", "v1", SCHEMA)
    registry.connect_dataset("m", "v1", DatasetConnection(role="serving", data_source=source, **COLUMNS))
    return source


@pytest.mark.very_slow
def test_entries_of_return_values_are_given_to_tasks_downstream(source: S3DataSource) -> None:
    with new_dag("outputs") as dag:
        model = CreateModelOperator(task_id="model", model_id="m")
        create = CreateModelVersionOperator(
            task_id="create", model_id="m", model_version="{{ params.version }}", schema=SCHEMA
        )
        connect = ConnectServingOperator(
            task_id="connect",
            model_id="m",
            model_version=create.output["model_version"],
            data_source=source,
            **COLUMNS,
        )
        grant = GrantS3ReadAccessOperator(
            task_id="grant",
            role_name="outputs",
            data_sources=[source],
            trusted_principal="arn:aws:iam::1:root",
        )

        @task
        def gather(model: str, fields: Any, rows: int, prefixes: list[str]) -> dict[str, Any]:
            return {"model": model, "fields": fields, "rows": rows, "prefixes": prefixes}

        gather(
            model=model.output["status"],
            fields=create.output["fields"],
            rows=connect.output["rows"],
            prefixes=grant.output["prefixes"],
        )
        model >> create
    results = run(dag)
    assert (results["connect"]["model_version"], results["connect"]["status"]) == ("v1", "created")
    assert results["gather"] == {
        "model": "created",
        "fields": {"features": 1, "predictions": 1, "raw_inputs": 0},
        "rows": 2,
        "prefixes": [source.uri],
    }


def test_a_version_of_thousands_of_columns_is_a_small_xcom(registry: Any) -> None:
    registry.create_model(Model(id="m", name="m"))
    features = {f"a feature with quite a long name {n}": "numeric" for n in range(3000)}
    wide = VersionSchema(model_type="binary", features=features, predictions={"proba": "numeric"})
    returned = execute(CreateModelVersionOperator(task_id="t", schema=wide, **VERSION))
    assert returned["fields"] == {"features": 3000, "predictions": 1, "raw_inputs": 0}
    assert len(json.dumps(returned)) < 300
    kept = registered_schema(registry, "m", "v1")
    assert kept is not None
    assert len(kept.features or {}) == 3000


def test_a_sync_names_no_fields_in_its_xcom(connected: S3DataSource, registry: Any) -> None:
    returned = execute(SyncDatasetOperator(task_id="t", role="serving", **VERSION))
    known = registry.get_dataset_sync_status("m", "v1", "serving")
    assert set(known["provisional_bins"]) == {"features.amount", "predictions.proba"}
    assert (returned["provisional_bins"], returned["notes"], returned["segments"]) == (2, 0, 0)
    lists = {name: known[name] for name in ("provisional_bins", "notes", "segments")}
    assert lists["notes"] == lists["segments"] == []
    assert {name: value for name, value in {**returned, **lists}.items() if name in known} == known


def test_the_lineage_of_a_sync_leads_from_the_table_to_the_version(connected: S3DataSource, aws: S3) -> None:
    operator = SyncDatasetOperator(task_id="t", role="serving", **VERSION)
    # The second one finds nothing new, and has read the table all the same.
    for _ in range(2):
        execute(operator)
        lineage = operator.get_openlineage_facets_on_complete(None)
        assert [(data.namespace, data.name) for data in lineage.inputs] == [(f"s3://{aws.bucket}", "t")]
        assert [(data.namespace, data.name) for data in lineage.outputs] == [("aporia://prod", "m/v1")]


def test_what_changes_the_registry_is_logged(
    connected: S3DataSource, capsys: pytest.CaptureFixture[str]
) -> None:
    execute(AddModelTagsOperator(task_id="t", model_id="m", tags={"team": "red"}))
    execute(AddModelTagsOperator(task_id="t", model_id="m", tags={"tier": "1"}))
    execute(SetSyncEnabledOperator(task_id="t", enabled=False, **VERSION))
    execute(DeleteModelOperator(task_id="t", model_id="m"))
    execute(DeleteModelOperator(task_id="t", model_id="m"))
    logged = capsys.readouterr().out
    for line in (
        "Model 'm': set the tags {'tier': '1'}; it has {'team': 'red', 'tier': '1'}",
        "Syncs of version 'v1' of model 'm': disabled",
        "Model 'm': deleted",
        "Model 'm': missing",
    ):
        assert line in logged
