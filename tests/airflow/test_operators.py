"""The operators in DAGs that Airflow runs, against the embedded backend and a real S3."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import Asset, chain
from deltalake import write_deltalake

from aporia_provider.data_sources import GlueDataSource, PostgresJDBCDataSource, S3DataSource
from aporia_provider.errors import TransientError, ValidationError
from aporia_provider.models import Model
from aporia_provider.operators.access import GrantS3ReadAccessOperator
from aporia_provider.operators.dataset import (
    ConnectActualsOperator,
    ConnectServingOperator,
    ConnectTestingOperator,
    ConnectTrainingOperator,
    SetSyncEnabledOperator,
)
from aporia_provider.operators.model import AddModelTagsOperator, CreateModelOperator, DeleteModelOperator
from aporia_provider.operators.version import CreateModelVersionOperator
from aporia_provider.schema import VersionSchema
from tests import servers
from tests.airflow.running import START, execute, finish, new_dag, run
from tests.conftest import S3

SCHEMA = VersionSchema(
    model_type="binary",
    raw_inputs={"channel": "string"},
    features={"amount": "numeric", "is_new": "boolean", "vector": {"type": "tensor", "dimensions": [2]}},
    predictions={"will_buy": "boolean", "proba": "numeric"},
)
ROWS = {
    "prediction_id": ["a", "b", "c"],
    "predicted_at": pa.array([START, START, START], pa.timestamp("us", "UTC")),
    "channel": ["web", "web", "shop"],
    "amount": [1.0, 2.0, 3.0],
    "is_new": [True, False, True],
    "vector": pa.array([[0.0, 1.0]] * 3),
    "will_buy": [True, False, True],
    "proba": [0.9, 0.1, 0.8],
    "bought": [True, True, False],
}
COLUMNS: dict[str, Any] = {"id_column": "prediction_id", "timestamp_column": "predicted_at"}
VERSION = {"model_id": "m", "model_version": "{{ params.version }}"}

pytestmark = pytest.mark.usefixtures("airflow_database", "registry")


@pytest.fixture
def source(aws: S3) -> S3DataSource:
    """A Delta table with the path templated, as a DAG that retrains would have it."""
    write_deltalake(aws.uri("lake/v1"), pa.table(ROWS), storage_options=aws.delta_options)
    return S3DataSource(object_path=f"{aws.bucket}/lake/{{{{ params.version }}}}", object_format="delta")


def test_a_whole_retrain(source: S3DataSource, registry: Any) -> None:
    labels = {"will_buy": "bought", "proba": "bought"}
    with new_dag("whole") as dag:
        register = CreateModelOperator(
            task_id="model", model_id="m", name="Model", tags={"team": "{{ dag.dag_id }}"}
        )
        version = CreateModelVersionOperator(task_id="version", schema=SCHEMA, **VERSION)
        connect = [
            ConnectTrainingOperator(
                task_id="training", data_source=source, labels=labels, **COLUMNS, **VERSION
            ),
            ConnectTestingOperator(
                task_id="testing", data_source=source, labels=labels, **COLUMNS, **VERSION
            ),
            ConnectServingOperator(
                task_id="serving", data_source=source, schedule="0 * * * *", **COLUMNS, **VERSION
            ),
            ConnectActualsOperator(
                task_id="actuals", data_source=source, labels=labels, **COLUMNS, **VERSION
            ),
        ]
        pause = SetSyncEnabledOperator(task_id="pause", enabled=False, **VERSION)
        tag = AddModelTagsOperator(task_id="tag", model_id="m", tags={"tier": "1"})
        register >> version >> connect >> pause >> tag

    results = run(dag)
    assert results["model"] == {"model_id": "m", "status": "created"}
    assert results["version"]["fields"] == {"features": 3, "predictions": 2, "raw_inputs": 1}
    serving = results["serving"]
    assert serving["table_uri"].endswith("/lake/v1")
    assert {key: serving[key] for key in ("dataset", "status", "preflight", "table_version", "rows")} == {
        "dataset": "serving",
        "status": "created",
        "preflight": "passed",
        "table_version": 0,
        "rows": 3,
    }
    assert results["tag"] == {"team": "whole", "tier": "1"}
    datasets = registry.get_datasets("m", "v1")
    assert {dataset.role for dataset in datasets} == {"training", "testing", "serving", "actuals"}
    assert {dataset.data_source.uri for dataset in datasets} == {serving["table_uri"]}
    assert {dataset.role: dataset.labels for dataset in datasets} == {
        **dict.fromkeys(("training", "testing", "actuals"), labels),
        "serving": None,
    }
    assert registry.get_dataset_sync_status("m", "v1", "serving")["enabled"] is False

    again = run(dag)
    assert {result["status"] for task, result in again.items() if task not in ("tag", "pause")} == {
        "unchanged"
    }


def test_rendering_leaves_a_shared_source_alone(source: S3DataSource) -> None:
    before = source.model_copy(deep=True)
    with new_dag("shared") as dag:
        chain(
            CreateModelOperator(task_id="model", model_id="m"),
            CreateModelVersionOperator(task_id="version", schema=SCHEMA, **VERSION),
            ConnectServingOperator(task_id="serving", data_source=source, **COLUMNS, **VERSION),
        )
    run(dag)
    assert source == before


def test_every_source_of_many_is_rendered() -> None:
    # Airflow remembers by id what it has rendered, and the ids of copies come again.
    sources = [S3DataSource(object_path=f"b/{{{{ x }}}}/{n}", object_format="delta") for n in range(50)]
    grant = GrantS3ReadAccessOperator(task_id="t", role_name="r", data_sources=sources)
    rendered = grant.render_template(grant.data_sources, {"x": "k"})
    assert [source.uri for source in rendered] == [f"s3://b/k/{n}" for n in range(50)]


def test_a_schema_is_inferred_with_overrides(source: S3DataSource, registry: Any) -> None:
    with new_dag("inferred") as dag:
        version = CreateModelVersionOperator(
            task_id="version",
            infer_from=source,
            model_type="binary",
            predictions=["will_buy", "proba"],
            raw_inputs=["channel"],
            exclude=["prediction_id", "predicted_at", "bought"],
            overrides={"channel": "categorical", "vector": {"type": "tensor", "dimensions": [2]}},
            **VERSION,
        )
        CreateModelOperator(task_id="model", model_id="m") >> version
    result = run(dag)["version"]
    assert result["table_version"] == 0
    (registered,) = registry.get_model_versions("m")
    assert registered["registration"]["version_schema"] == {
        "features": {
            "amount": "numeric",
            "is_new": "boolean",
            "vector": {"type": "tensor", "dimensions": [2]},
        },
        "predictions": {"will_buy": "boolean", "proba": "numeric"},
        "raw_inputs": {"channel": "categorical"},
        "metrics": None,
        "feature_positions": {"amount": 0, "is_new": 1, "vector": 2},
    }


def test_events_say_model_version_and_table_version(source: S3DataSource) -> None:
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session

    with new_dag("events") as dag:
        chain(
            CreateModelOperator(task_id="model", model_id="m"),
            CreateModelVersionOperator(task_id="version", schema=SCHEMA, **VERSION),
            ConnectServingOperator(task_id="serving", data_source=source, **COLUMNS, **VERSION),
        )
    run(dag)
    with create_session() as session:
        events = session.query(AssetEvent).filter_by(source_dag_id="events").order_by(AssetEvent.id).all()
        seen = [(event.uri, event.extra) for event in events]
    assert [uri for uri, _ in seen] == ["aporia://prod/m/v1", "aporia://prod/m/v1/serving"]
    known = {"event": "registered", "environment": "prod", "model_id": "m", "model_version": "v1"}
    assert seen[0][1] == {**known, "table_version": None, "status": "created"}
    serving = seen[1][1]
    assert (serving["model_id"], serving["model_version"], serving["table_version"]) == ("m", "v1", 0)
    assert Asset(uri=seen[0][0]).uri == seen[0][0]


@pytest.mark.very_slow
def test_mapped_tasks_take_data_sources_in_the_form_of_the_wire(source: S3DataSource, aws: S3) -> None:
    wire = {"type": "s3", "config": {"object_path": aws.uri("lake/v1"), "object_format": "delta"}}
    with new_dag("mapped") as dag:
        versions = [{"model_version": "v1"}, {"model_version": "v2"}]
        model = CreateModelOperator(task_id="model", model_id="m")
        version = CreateModelVersionOperator.partial(task_id="version", model_id="m", schema=SCHEMA)
        connect = ConnectServingOperator.partial(task_id="serving", model_id="m", data_source=wire, **COLUMNS)
        model >> version.expand_kwargs(versions) >> connect.expand_kwargs(versions)
    finished = finish(dag)
    assert [ti.state for ti in finished.get_task_instances()] == ["success"] * 5


@pytest.mark.very_slow
def test_granting_access_is_idempotent(aws: S3) -> None:
    with new_dag("grant") as dag:
        GrantS3ReadAccessOperator(
            task_id="grant",
            role_name=f"reader-{aws.bucket}",
            data_sources=[
                S3DataSource(object_path=f"{aws.bucket}/lake/{{{{ dag.dag_id }}}}", object_format="delta")
            ],
            trusted_principal="arn:aws:iam::123456789012:root",
        )
    assert [run(dag)["grant"]["status"] for _ in range(2)] == ["created", "unchanged"]
    policy = aws.client("iam").get_role_policy(RoleName=f"reader-{aws.bucket}", PolicyName="aporia-read")
    resources = [statement["Resource"] for statement in policy["PolicyDocument"]["Statement"]]
    assert f"arn:aws:s3:::{aws.bucket}/lake/grant/*" in json.dumps(resources)


@pytest.fixture
def registered(registry: Any) -> Any:
    registry.create_model(Model(id="m", name="m"))
    registry.create_model_version("m", "v1", SCHEMA)
    return registry


def test_every_fault_of_the_data_is_named_and_nothing_is_connected(aws: S3, registered: Any) -> None:
    rows = pa.table(ROWS).drop_columns(["proba", "channel"]).append_column("Amount_", pa.array([1.0] * 3))
    rows = rows.drop_columns(["amount"]).set_column(0, "prediction_id", pa.array(["a", None, "c"]))
    write_deltalake(aws.uri("broken"), rows, storage_options=aws.delta_options)
    operator = ConnectServingOperator(
        task_id="t",
        model_id="m",
        model_version="v1",
        data_source=S3DataSource(object_path=aws.uri("broken"), object_format="delta"),
        id_column="prediction_id",
        timestamp_column="predicted_on",
    )
    with pytest.raises(AirflowFailException) as failure:
        execute(operator)
    message = str(failure.value)
    for fault in (
        "'amount'",
        "'Amount_'",
        "'channel'",
        "'proba'",
        "'predicted_on'",
        "'predicted_at'",
        "null",
    ):
        assert fault in message, (fault, message)
    assert registered.get_datasets("m", "v1") == []
    # The table is known, so its link leads there; the embedded backend has no address.
    versions, table, _ = operator.operator_extra_links
    assert table.get_link(operator, ti_key=None).endswith(f"/{aws.bucket}?prefix=broken/")
    assert versions.get_link(operator, ti_key=None) == ""


def test_what_cannot_be_fixed_by_waiting_fails_at_once(registered: Any) -> None:
    other = VersionSchema(model_type="binary", features={"amount": "string"}, predictions={"p": "boolean"})
    with pytest.raises(
        AirflowFailException, match=r"version_schema\.features\.amount: 'numeric' is registered"
    ):
        execute(CreateModelVersionOperator(task_id="t", model_id="m", model_version="v1", schema=other))
    with pytest.raises(AirflowFailException, match=r"'n'"):
        execute(CreateModelVersionOperator(task_id="t", model_id="n", model_version="v1", schema=SCHEMA))
    with pytest.raises(AirflowFailException, match="either schema or infer_from"):
        execute(CreateModelVersionOperator(task_id="t", model_id="m", model_version="v2"))


@pytest.mark.parametrize(("if_exists", "status"), [("match", None), ("skip", "skipped"), ("fail", None)])
def test_if_exists_chooses(registered: Any, if_exists: Any, status: str | None) -> None:
    operator = CreateModelOperator(task_id="t", model_id="m", name="Other", if_exists=if_exists)
    if status is None:
        with pytest.raises(AirflowFailException, match="'m'"):
            execute(operator)
    else:
        assert execute(operator)["status"] == status


def test_a_server_that_is_down_is_worth_a_retry(set_connection: Callable[..., None]) -> None:
    extra = {"environment": "prod", "timeout": 1}
    url = f"http://127.0.0.1:{servers.free_port()}"
    set_connection("aporia_default", conn_type="aporia", host=url, password="some-token", extra=extra)
    with pytest.raises(TransientError, match=r"127\.0\.0\.1"):
        execute(DeleteModelOperator(task_id="t", model_id="m"))


def test_deleting_twice(registered: Any) -> None:
    assert execute(DeleteModelOperator(task_id="t", model_id="m")) == {"model_id": "m", "status": "deleted"}
    assert execute(DeleteModelOperator(task_id="t", model_id="m"))["status"] == "missing"
    with pytest.raises(AirflowFailException):
        execute(DeleteModelOperator(task_id="t", model_id="m", ignore_if_missing=False))


def test_login_comes_from_a_connection_and_is_not_stored(
    registered: Any, database_url: str, set_connection: Callable[..., None]
) -> None:
    set_connection("warehouse", conn_type="postgres", login="reader", password="planted-password")
    source = PostgresJDBCDataSource(url="jdbc:postgresql://db/shop", query="select * from predictions")
    operator = ConnectServingOperator(
        task_id="t",
        model_id="m",
        model_version="v1",
        data_source=source,
        data_source_conn_id="warehouse",
        **COLUMNS,
    )
    assert execute(operator)["preflight"] == "skipped"
    assert [link.get_link(operator, ti_key=None) for link in operator.operator_extra_links] == [""] * 3
    stored = registered.get_datasets("m", "v1")[0].data_source
    assert stored.user == "reader"
    from pathlib import Path

    database = Path(database_url.removeprefix("sqlite:///"))
    assert all(b"planted-password" not in file.read_bytes() for file in database.parent.glob("aporia.db*"))


@pytest.mark.parametrize("preflight", [True, False])
def test_connecting_what_cannot_be_read_warns_that_it_is_not_monitored(
    registered: Any, caplog: pytest.LogCaptureFixture, preflight: bool
) -> None:
    source = GlueDataSource(query="select * from predictions")
    operator = ConnectServingOperator(
        task_id="t", model_id="m", model_version="v1", data_source=source, preflight=preflight, **COLUMNS
    )
    assert execute(operator)["status"] == "created"
    said = caplog.text
    for part in (
        "Connected unchecked, and the embedded backend will not monitor it",
        "'glue' cannot be read here: it would require a catalogue of the engine",
        "Write the data to S3 and connect it as an S3DataSource",
    ):
        assert part in said, (part, said)


def test_a_column_of_another_type_than_in_training_is_a_warning(
    aws: S3, registered: Any, caplog: pytest.LogCaptureFixture
) -> None:
    amounts = {"training": pa.array([19.99] * 3), "serving": pa.array([19.99] * 3, pa.float32())}
    operators = (ConnectTrainingOperator, ConnectServingOperator)
    for make, (role, amount) in zip(operators, amounts.items(), strict=True):
        write_deltalake(
            aws.uri(role), pa.table({**ROWS, "amount": amount}), storage_options=aws.delta_options
        )
        data_source = S3DataSource(object_path=aws.uri(role), object_format="delta")
        operator = make(task_id="t", model_id="m", model_version="v1", data_source=data_source, **COLUMNS)
        assert execute(operator)["status"] == "created"
    note = "Preflight: feature 'amount' is float here and double in the training dataset"
    assert caplog.messages.count(note) == 1


def test_lineage_leads_from_the_table_to_the_version(source: S3DataSource, registered: Any, aws: S3) -> None:
    rendered = source.model_copy(update={"object_path": aws.uri("lake/v1")})
    operator = ConnectServingOperator(
        task_id="t", model_id="m", model_version="v1", data_source=rendered, **COLUMNS
    )
    execute(operator)
    lineage = operator.get_openlineage_facets_on_complete(None)
    assert [(data.namespace, data.name) for data in lineage.inputs] == [(f"s3://{aws.bucket}", "lake/v1")]
    assert [(data.namespace, data.name) for data in lineage.outputs] == [("aporia://prod", "m/v1")]
    fields = {field.name: field.type for field in lineage.outputs[0].facets["schema"].fields}
    assert fields["features.vector"] == "tensor"
    link = operator.operator_extra_links[1].get_link(operator, ti_key=None)
    assert link == f"https://s3.console.aws.amazon.com/s3/buckets/{aws.bucket}?prefix=lake/v1/"


def test_a_template_that_renders_to_nonsense_is_named(source: S3DataSource) -> None:
    with new_dag("nonsense") as dag:
        task = ConnectServingOperator(
            task_id="serving",
            data_source=source.model_copy(update={"object_format": "{{ params.version }}"}),
            **COLUMNS,
            **VERSION,
        )
    with pytest.raises(ValidationError, match="object_format: 'v1' is not one of"):
        task.render_template(task.data_source, {"params": {"version": "v1"}})
    assert dag.dag_id == "nonsense"
