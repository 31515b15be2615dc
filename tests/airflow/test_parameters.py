"""What operators make of parameters that are typed wrong, and of no context."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pyarrow as pa
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from deltalake import write_deltalake

from aporia_provider.client import AporiaClient
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.errors import ValidationError
from aporia_provider.hooks.aporia import AporiaHook
from aporia_provider.models import Model
from aporia_provider.operators.completion import CompleteModelVersionOperator
from aporia_provider.operators.dataset import (
    ConnectActualsOperator,
    ConnectServingOperator,
    ConnectTrainingOperator,
    SetSyncEnabledOperator,
)
from aporia_provider.operators.model import AddModelTagsOperator, CreateModelOperator, DeleteModelOperator
from aporia_provider.operators.retirement import RetireModelVersionsOperator
from aporia_provider.operators.sync import SyncDatasetOperator
from aporia_provider.operators.version import CreateModelVersionOperator
from aporia_provider.schema import VersionSchema
from tests.airflow.running import START, finish, new_dag, run
from tests.conftest import S3
from tests.recording import recording

SCHEMA = VersionSchema(
    model_type="binary", features={"a": "numeric"}, predictions={"p": "boolean", "proba": "numeric"}
)
SOURCE = S3DataSource(object_path="b/k", object_format="delta")
VERSION = {"model_id": "m", "model_version": "v1"}
COLUMNS = {"data_source": SOURCE, "id_column": "id", "timestamp_column": "at"}
WRONG = [
    (CreateModelOperator, {"model_id": "m"}, "if_exists", "fial", "fail"),
    (CreateModelOperator, {"model_id": "m"}, "color", "Blu", "blue"),
    (CreateModelOperator, {"model_id": "m"}, "icon", "fraud_detection", "fraud-detection"),
    (CreateModelOperator, {"model_id": "m"}, "aggregation_period", "dayly", "daily"),
    (CreateModelOperator, {"model_id": "m"}, "aggregation_period", "day", "daily"),
    (DeleteModelOperator, {"model_id": "m"}, "ignore_if_missing", "flase", "false"),
    (CreateModelVersionOperator, {**VERSION, "schema": SCHEMA}, "if_exists", "skipp", "skip"),
    (
        CreateModelVersionOperator,
        {**VERSION, "infer_from": SOURCE, "predictions": ["p"]},
        "model_type",
        "multi_class",
        "multiclass",
    ),
    (ConnectServingOperator, {**VERSION, **COLUMNS}, "if_exists", "Match", "match"),
    (ConnectTrainingOperator, {**VERSION, **COLUMNS}, "preflight", "flase", "false"),
    (ConnectActualsOperator, {**VERSION, **COLUMNS}, "check_rows", "ture", "true"),
    (SetSyncEnabledOperator, VERSION, "enabled", "fals", "false"),
    (SyncDatasetOperator, VERSION, "role", "servng", "serving"),
    (SyncDatasetOperator, {**VERSION, "role": "serving"}, "full", "tru", "true"),
]
Make = Callable[..., Any]


@pytest.mark.parametrize(("make", "given", "name", "typed", "meant"), WRONG)
def test_a_wrong_value_is_refused_with_the_nearest_when_the_dag_is_read(
    make: Make, given: dict[str, Any], name: str, typed: str, meant: str
) -> None:
    with pytest.raises(ValidationError) as failure:
        make(task_id="t", **{**given, name: typed})
    assert failure.value.message.startswith(f"{name}: {typed!r} is ")
    assert failure.value.message.endswith(f"; did you mean {meant!r}?")


@pytest.mark.parametrize(("make", "given", "name", "typed", "meant"), WRONG)
def test_a_template_is_checked_once_rendered_and_then_fails_the_task_at_once(
    make: Make, given: dict[str, Any], name: str, typed: str, meant: str
) -> None:
    for value in (typed, meant):
        operator = make(task_id="t", **{**given, name: "{{ typed }}"})
        context = cast("Any", {"typed": value})
        if value == typed:
            with pytest.raises(AirflowFailException, match=f"did you mean {meant!r}"):
                operator.render_template_fields(context)
        else:
            operator.render_template_fields(context)
            assert str(getattr(operator, name)).lower() == meant


def test_a_retention_has_to_fit_the_buckets_when_the_dag_is_read() -> None:
    with pytest.raises(ValidationError, match="begins with 'hourly', but the buckets of the model are daily"):
        CreateModelOperator(task_id="t", model_id="m", retention="hourly for 30 days")
    fits = CreateModelOperator(
        task_id="t", model_id="m", retention="Hourly for one day", aggregation_period="hourly"
    )
    assert fits.retention == "hourly for 1 day"


WORDS: dict[str, Any] = {
    "model_type": "binary",
    "features": {"a": "numeric"},
    "predictions": {"p": "boolean"},
}
REFUSED: list[tuple[Make, dict[str, Any], list[str]]] = [
    (
        CreateModelOperator,
        {"model_id": "m", "retention": "dayly for 30 dais, monthly for 1 week"},
        ["did you mean 'daily'", "did you mean 'days'"],
    ),
    (CreateModelOperator, {"model_id": "m", "retention": 30}, ["retention: 30 is not a text"]),
    (RetireModelVersionsOperator, {"model_id": "m"}, ["Give keep, ended_for or both"]),
    (
        RetireModelVersionsOperator,
        {"model_id": "m", "keep": 0, "ended_for": 30},
        ["keep is 0: give a whole number", "ended_for is 30: give a timedelta"],
    ),
    (RetireModelVersionsOperator, {"model_id": "m", "keep": "3"}, ["keep is '3': give a whole number"]),
    (RetireModelVersionsOperator, {"model_id": "m", "keep": 3, "dry_run": "flase"}, ["did you mean 'false'"]),
    (CreateModelVersionOperator, VERSION, ["Give either schema or infer_from"]),
    (
        CreateModelVersionOperator,
        {**VERSION, "schema": SCHEMA, "infer_from": SOURCE, "model_type": "binary", "predictions": ["p"]},
        ["Give either schema or infer_from"],
    ),
    (CreateModelVersionOperator, {**VERSION, "infer_from": SOURCE}, ["requires model_type and predictions"]),
    (
        CreateModelVersionOperator,
        {**VERSION, "schema": {**WORDS, "model_type": "binry", "features": {"a": "numerc"}}},
        ["schema: ", "did you mean 'binary'", "features.a.type: ", "did you mean 'numeric'"],
    ),
    (CreateModelVersionOperator, {**VERSION, "schema": "binary"}, ["schema is a str; write VersionSchema("]),
    (
        CreateModelVersionOperator,
        {**VERSION, "infer_from": "s3://b/k", "model_type": "binary", "predictions": ["p"]},
        ["infer_from is a str; write S3DataSource(object_path=…, object_format=…)"],
    ),
    (
        CreateModelVersionOperator,
        {**VERSION, "infer_from": SOURCE, "model_type": "binary", "predictions": "p"},
        ["predictions is a str; write ['p']"],
    ),
    (
        ConnectServingOperator,
        {**VERSION, **COLUMNS, "data_source": "s3://b/k"},
        ["data_source is a str; write S3DataSource(object_path=…, object_format=…)"],
    ),
    (
        ConnectServingOperator,
        {**VERSION, **COLUMNS, "data_source": {"type": "s3", "config": {"object_format": "detla"}}},
        ["data_source: ", "object_path: ", "did you mean 'delta'"],
    ),
    (ConnectServingOperator, {**VERSION, **COLUMNS, "schema": WORDS}, ["schema is a dict; write Version"]),
]


@pytest.mark.parametrize(("make", "given", "said"), REFUSED)
def test_what_is_no_template_is_checked_when_the_dag_is_read(
    make: Any, given: dict[str, Any], said: list[str]
) -> None:
    for construct in (make, make.partial):
        if construct is not make and set(given) <= set(VERSION) | {"infer_from"}:
            # The others may be mapped over.
            continue
        with pytest.raises(ValidationError) as failure:
            construct(task_id="t", **given)
        assert [part for part in said if part not in failure.value.message] == []


def test_what_has_yet_to_be_rendered_is_left_to_the_task() -> None:
    for given in (
        {"schema": {**WORDS, "features": "{{ params.features }}"}},
        {"schema": "{{ params.schema }}"},
        {
            "infer_from": {"type": "s3", "config": "{{ x }}"},
            "model_type": "{{ x }}",
            "predictions": "{{ x }}",
        },
    ):
        operator = CreateModelVersionOperator(task_id="t", **VERSION, **given)
        assert {name: getattr(operator, name) for name in given} == given
        mapped = CreateModelVersionOperator.partial(task_id="t", **VERSION, **given)
        assert {name: mapped.kwargs[name] for name in given} == given


@pytest.mark.parametrize("value", ["yes", "1", "", 1, 0, None])
def test_what_is_neither_true_nor_false_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError, match=r"enabled: .* is neither true nor false"):
        SetSyncEnabledOperator(task_id="t", enabled=value, **VERSION)


@pytest.fixture
def registered(registry: Any) -> Any:
    registry.create_model(Model(id="m", name="m"))
    registry.create_model_version("m", "v1", SCHEMA)
    return registry


@pytest.mark.parametrize("value", [False, "false", "False", " FALSE "])
def test_false_in_words_is_false(registered: Any, value: Any) -> None:
    registered.connect_dataset("m", "v1", DatasetConnection(role="serving", **COLUMNS))
    result = SetSyncEnabledOperator(task_id="t", enabled=value, **VERSION).execute({})
    assert result["enabled"] is False
    assert registered.get_dataset_sync_status("m", "v1", "serving")["enabled"] is False


DATASET = DatasetConnection(role="serving", **COLUMNS)
CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any], str]] = [
    ("create_model", (Model(id="m", name="M"),), {"if_exists": "fial"}, "did you mean 'fail'"),
    ("create_model_version", ("m", "v1", SCHEMA), {"if_exists": "fial"}, "did you mean 'fail'"),
    ("connect_dataset", ("m", "v1", DATASET), {"if_exists": "fial"}, "did you mean 'fail'"),
    ("set_sync_enabled", ("m", "v1", "flase"), {}, "did you mean 'false'"),
]


@pytest.mark.parametrize(("call", "arguments", "more", "says"), CALLS)
def test_the_calls_of_hooks_refuse_them_as_well(
    registered: Any, call: str, arguments: Any, more: Any, says: str
) -> None:
    with AporiaHook().get_conn() as api, pytest.raises(ValidationError, match=says):
        getattr(api, call)(*arguments, **more)
    with recording() as server, AporiaClient(server.url, "some-token", "prod") as client:
        with pytest.raises(ValidationError, match=says):
            getattr(client, call)(*arguments, **more)
        assert server.asked == []


def test_a_role_that_does_not_exist_is_refused_before_any_call() -> None:
    with pytest.raises(ValidationError, match="did you mean 'serving'"):
        DatasetConnection(role="servng", **COLUMNS)


def table(s3: S3, **more: Any) -> S3DataSource:
    at = pa.array([START], pa.timestamp("us", "UTC"))
    rows = pa.table({"id": ["x"], "at": at, "a": [1.0], "p": [True], "proba": [0.5], **more})
    write_deltalake(s3.uri("t"), rows, storage_options=s3.delta_options)
    return S3DataSource(object_path=s3.uri("t"), object_format="delta")


@pytest.mark.very_slow
def test_every_operator_works_without_a_context(aws: S3, registry: Any) -> None:
    columns = {**COLUMNS, "data_source": table(aws)}
    done = [
        CreateModelOperator(task_id="t", model_id="m").execute({}),
        CreateModelVersionOperator(task_id="t", schema=SCHEMA, **VERSION).execute({}),
        ConnectTrainingOperator(task_id="t", **VERSION, **columns).execute({}),
        ConnectServingOperator(task_id="t", **VERSION, **columns).execute({}),
        ConnectActualsOperator(task_id="t", **VERSION, **columns).execute({}),
    ]
    assert [result["status"] for result in done] == ["created"] * 5
    assert AddModelTagsOperator(task_id="t", model_id="m", tags={"a": "b"}).execute({}) == {"a": "b"}
    roles = ["serving", "training"]
    assert (
        CompleteModelVersionOperator(task_id="t", datasets=roles, **VERSION).execute({})["datasets"] == roles
    )
    with pytest.raises(AirflowFailException, match="give datasets"):
        CompleteModelVersionOperator(task_id="t", **VERSION).execute({})
    synced = SyncDatasetOperator(task_id="t", role="training", **VERSION).execute({})
    assert (synced["status"], synced["changed"]) == ("synced", True)
    assert DeleteModelOperator(task_id="t", model_id="m").execute({})["status"] == "deleted"


@pytest.mark.very_slow
@pytest.mark.usefixtures("airflow_database")
def test_parameters_of_a_run_are_rendered_and_checked(registered: Any) -> None:
    registered.connect_dataset("m", "v1", DatasetConnection(role="serving", **COLUMNS))
    with new_dag("rendered", enabled=False) as dag:
        SetSyncEnabledOperator(task_id="pause", enabled="{{ params.enabled }}", **VERSION)
    assert run(dag)["pause"]["enabled"] is False
    with new_dag("refused", exists="fial") as dag:
        CreateModelOperator(task_id="model", model_id="m", if_exists="{{ params.exists }}", retries=3)
    (ti,) = finish(dag).get_task_instances()
    # A task that may be retried would be up_for_retry.
    assert ti.state == "failed"


@pytest.mark.usefixtures("airflow_database")
def test_parameters_of_mapped_tasks_are_checked_with_the_dag_and_never_retried(registered: Any) -> None:
    with new_dag("mapped", exists="fial"):
        with pytest.raises(ValidationError) as caught:
            ConnectServingOperator.partial(task_id="wrong", if_exists="fial", preflight="maybe", **VERSION)
        assert "if_exists: 'fial'" in str(caught.value)
        assert "preflight: 'maybe'" in str(caught.value)

    with new_dag("expanded") as dag:
        CreateModelOperator.partial(task_id="model", model_id="m", retries=3).expand(
            if_exists=["fial", "skip"]
        )
    assert [ti.state for ti in _by_index(finish(dag))] == ["failed", "success"]

    with new_dag("expanded_templates", exists="fial") as dag:
        mapped = CreateModelOperator.partial(task_id="model", model_id="m", retries=3)
        mapped.expand(if_exists=["{{ params.exists }}", "{{ 'skip' }}"])
    assert [ti.state for ti in _by_index(finish(dag))] == ["failed", "success"]


def _by_index(dag_run: Any) -> list[Any]:
    return sorted(dag_run.get_task_instances(), key=lambda ti: ti.map_index)


@pytest.mark.very_slow
def test_actuals_without_labels_say_which_predictions_have_none(aws: S3, registered: Any) -> None:
    source = table(aws, bought=[True])
    columns = {
        **COLUMNS,
        "data_source": source.model_copy(update={"select_expr": ["id", "at", "p", "bought"]}),
    }
    with pytest.raises(AirflowFailException) as failure:
        ConnectActualsOperator(task_id="t", **VERSION, **columns).execute({})
    told = str(failure.value)
    assert "the actuals of each prediction are read from the column of its name" in told
    assert "but the table has none for 'proba' (" in told
    assert "Write labels={'p': 'p', 'proba': 'column'}" in told
    assert "a prediction that is not in labels has no actuals" in told
    with pytest.raises(AirflowFailException, match="labels is empty"):
        ConnectActualsOperator(task_id="t", labels={}, **VERSION, **columns).execute({})
    left_out = ConnectActualsOperator(task_id="t", labels={"p": "bought"}, **VERSION, **columns)
    assert left_out.execute({})["status"] == "created"
