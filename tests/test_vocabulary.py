"""The words users write: what they accept and refuse, what they put on the wire, and what they hide."""

from __future__ import annotations

import json
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aporia_provider.data_sources import (
    DATA_SOURCES,
    AthenaDataSource,
    BigQueryDataSource,
    DataSource,
    GlueDataSource,
    JDBCDataSource,
    PostgresJDBCDataSource,
    S3DataSource,
    SnowflakeDataSource,
    as_data_source,
    data_source_from_wire,
    with_login,
)
from aporia_provider.datasets import ROLES, DatasetConnection
from aporia_provider.errors import ValidationError
from aporia_provider.models import Model, ModelTags, Monitor
from aporia_provider.schema import FIELD_TYPES, MODEL_TYPES, VersionSchema

PLANTED = "planted-7f3a"
NAMES = st.text(min_size=1, max_size=12).filter(lambda name: name.strip() and "{{" not in name)
FIELDS = st.sampled_from([kind for kind in FIELD_TYPES if kind != "tensor"]) | st.builds(
    lambda dimensions: {"type": "tensor", "dimensions": dimensions},
    st.lists(st.integers(1, 1000), min_size=1, max_size=3),
)
SCHEMAS = st.builds(
    VersionSchema,
    model_type=st.sampled_from(MODEL_TYPES),
    features=st.dictionaries(NAMES, FIELDS, max_size=5),
    predictions=st.dictionaries(NAMES, FIELDS, max_size=3),
    raw_inputs=st.none() | st.dictionaries(NAMES, FIELDS, max_size=3),
    metrics=st.none() | st.dictionaries(NAMES, FIELDS, max_size=3),
    labels=st.none() | st.lists(st.text(max_size=5), max_size=3),
)
S3_SOURCE = S3DataSource(object_path="bucket/key", object_format="delta")


@pytest.mark.slow
@given(SCHEMAS)
def test_a_schema_survives_the_wire(schema: VersionSchema) -> None:
    body = json.loads(json.dumps(schema.to_wire("v")))
    assert VersionSchema.from_wire(body) == schema
    positions = body["version_schema"]["feature_positions"]
    assert sorted(positions, key=positions.__getitem__) == list(schema.features)


def test_the_body_of_the_protocol_reference() -> None:
    schema = VersionSchema(
        model_type="binary",
        features={"a": "numeric", "e": {"type": "tensor", "dimensions": [3]}},
        predictions={"p": "boolean"},
    )
    assert json.dumps(schema.to_wire("v1"), separators=(",", ":")) == (
        '{"name":"v1","model_type":"binary","version_schema":{"features":{"a":"numeric","e":{"type":"tensor",'
        '"dimensions":[3]}},"predictions":{"p":"boolean"},"raw_inputs":null,"metrics":null,'
        '"feature_positions":{"a":0,"e":1}},"model_data_type":null,"labels":null,"feature_importance":null,'
        '"mapping":null}'
    )


def test_every_fault_of_a_schema_is_named_at_once() -> None:
    with pytest.raises(ValidationError) as failure:
        VersionSchema(
            model_type="binry",
            features={"a": "number", "b": {"type": "tensor"}, "c": {"type": "text", "dimensions": [1]}},
            predictions={"p": {"type": "tensor", "dimensions": [0]}},
            unknown=1,
        )
    places = [problem.split(":")[0] for problem in failure.value.problems]
    assert places == [
        "model_type",
        "features.a.type",
        "features.b",
        "features.c",
        "predictions.p.dimensions.0",
        "unknown",
    ]
    with pytest.raises(ValidationError) as failure:
        VersionSchema(
            model_type="ranking",
            features={"a": "numeric"},
            predictions={"p": "array"},
            feature_importance={"z": 1.0},
            mapping={"batch_id_column_name": "q", "relevance_column_name": "r", "colour": "x"},
        )
    assert all(fault in failure.value.message for fault in ("'z'", "'q'", "'r'", "'colour'"))


@pytest.mark.parametrize(
    ("source", "wire"),
    [
        (
            S3DataSource(object_path="b/k", object_format="delta"),
            '{"type": "s3", "config": {"sample_size": 1.0, "select_expr": null, "read_options": null, '
            '"object_path": "b/k", "object_format": "delta"}}',
        ),
        (
            JDBCDataSource(url="u", query="q"),
            '{"type": "jdbc", "config": {"sample_size": 1, "select_expr": null, "read_options": null, '
            '"url": "u", "query": "q", "user": null, "password": null}}',
        ),
        (
            AthenaDataSource(url="u", query="q", password=PLANTED, s3_output_location="s3://o"),
            '{"type": "athena", "config": {"sample_size": 1, "select_expr": null, "read_options": null, '
            f'"url": "u", "query": "q", "user": null, "password": "{PLANTED}", "s3_output_location": "s3://o"}}}}',
        ),
        (
            GlueDataSource(query="q"),
            '{"type": "glue", "config": {"sample_size": 1.0, "select_expr": null, "query": "q"}}',
        ),
        (
            SnowflakeDataSource(url="u", query="q", user="me", password="p", database="d", schema="s"),
            '{"type": "snowflake", "config": {"sample_size": 1.0, "select_expr": null, "read_options": null, '
            '"url": "u", "query": "q", "user": "me", "password": "p", "database": "d", "sfschema": "s", '
            '"warehouse": null}}',
        ),
        (
            BigQueryDataSource(credentials_base64="c", table="t"),
            '{"type": "bigquery", "config": {"sample_size": 1.0, "select_expr": null, "read_options": null, '
            '"credentials_base64": "c", "table": "t", "dataset": null, "project": null, '
            '"parent_project": null}}',
        ),
    ],
    ids=lambda value: value.type if isinstance(value, DataSource) else "",
)
def test_data_sources_on_the_wire(source: DataSource, wire: str) -> None:
    assert json.dumps(source.to_wire()) == wire
    assert data_source_from_wire(json.loads(wire)) == source == as_data_source(source)
    assert source.checked() == source


SECRETIVE = [
    PostgresJDBCDataSource(
        url=f"jdbc:postgresql://h/d?password={PLANTED}&ssl=true", query="q", password=PLANTED
    ),
    JDBCDataSource(url=f"jdbc:redshift:iam://h/d?AccessKeyID={PLANTED};SecretAccessKey={PLANTED}", query="q"),
    SnowflakeDataSource(url="u", query="q", user="me", password=PLANTED, database="d", schema="s"),
    BigQueryDataSource(credentials_base64=PLANTED, table="t"),
    S3DataSource(
        object_path="b/k",
        object_format="csv",
        read_options={
            "header": "true",
            "fs.s3a.secret.key": PLANTED,
            "fs.s3a.access.key": PLANTED,
            "fs.azure.sas.container": PLANTED,
            "url": f"https://h/?key={PLANTED}",
            "Authorization": f"Bearer {PLANTED}",
        },
    ),
]


@pytest.mark.parametrize("source", SECRETIVE, ids=lambda source: source.type)
def test_secrets_show_on_the_wire_only(source: DataSource) -> None:
    dataset = DatasetConnection(role="serving", data_source=source, id_column="id", timestamp_column="t")
    shown = [
        repr(source),
        str(source),
        json.dumps(source.serialize()),
        repr(dataset),
        json.dumps(dataset.serialize()),
    ]
    assert not [text for text in shown if PLANTED in text]
    assert all("***" in text for text in shown)
    assert PLANTED in json.dumps(dataset.to_wire("prod"))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("3", "3"), (3, "3"), (-7, "-7"), (True, "true"), (False, "false"), (0.5, "0.5"), (1.0, "1.0"),
        ("True", "True"), ("", ""), (np.int64(3), "3"), (np.bool_(True), "true"), (np.float64(0.1), "0.1"),
    ],
)  # fmt: skip
def test_options_are_kept_as_the_text_that_spark_makes_of_them(given: Any, kept: str) -> None:
    from pyspark.sql.utils import to_str

    source = S3DataSource(object_path="b/k", object_format="csv", read_options={"nullValue": given})
    assert source.read_options == {"nullValue": kept}
    if not isinstance(given, np.generic):
        assert to_str(given) == kept
    assert source == S3DataSource(object_path="b/k", object_format="csv", read_options={"nullValue": kept})
    assert data_source_from_wire(source.to_wire()) == source
    assert source.serialize()["config"]["read_options"] == {"nullValue": kept}


def test_what_is_no_option_of_spark_is_named() -> None:
    wrong = {"none": None, "list": [PLANTED], "object": {"a": PLANTED}, "bytes": PLANTED.encode(), "good": 1}
    with pytest.raises(ValidationError) as failure:
        S3DataSource(object_path="b/k", object_format="csv", read_options=wrong)
    says = "an option is text, an integer, a float, or true or false"
    assert failure.value.problems == [
        f"read_options.none: {says}; omit the option instead of giving None",
        f"read_options.list: {says}; not list",
        f"read_options.object: {says}; not dict",
        f"read_options.bytes: {says}; not bytes",
    ]
    assert PLANTED not in str(failure.value)
    with pytest.raises(ValidationError, match="'header' and 'Header' are the same option"):
        S3DataSource(object_path="b/k", object_format="csv", read_options={"header": True, "Header": False})


def test_a_secret_option_that_is_a_number_is_hidden() -> None:
    source = JDBCDataSource(url="u", query="q", read_options={"password": 4711, "fetchsize": 10})
    assert source.serialize()["config"]["read_options"] == {"password": "***", "fetchsize": "10"}


def test_a_fault_does_not_echo_a_secret() -> None:
    with pytest.raises(ValidationError) as failure:
        SnowflakeDataSource(
            url="u", query="q", user="me", password={"oops": PLANTED}, database="d", schema="s"
        )
    assert failure.value.problems == ["password: Input should be a valid string"]
    with pytest.raises(ValidationError) as failure:
        data_source_from_wire({"type": PLANTED})
    assert "config" in failure.value.message


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("bucket/key", "s3://bucket/key"),
        ("s3://bucket/key/", "s3://bucket/key"),
        ("s3a://bucket/key", "s3://bucket/key"),
        ("s3n://bucket/key", "s3://bucket/key"),
        ("/data/table/", "file:///data/table"),
        ("file:///data/table", "file:///data/table"),
    ],
)
def test_every_way_to_write_a_path(path: str, uri: str) -> None:
    assert S3DataSource(object_path=path, object_format="delta").uri == uri


def test_a_path_that_holds_a_login_is_refused_without_showing_it() -> None:
    with pytest.raises(ValidationError, match="object_path: contains a login") as failure:
        S3DataSource(object_path=f"s3://key:{PLANTED}@bucket/key", object_format="delta")
    assert PLANTED not in failure.value.message
    assert S3DataSource(object_path="s3://bucket/a@b", object_format="delta").uri == "s3://bucket/a@b"


def test_login_goes_only_where_it_belongs() -> None:
    source = with_login(JDBCDataSource(url="u", query="q"), "me", PLANTED)
    assert source.to_wire()["config"]["password"] == PLANTED
    with pytest.raises(ValidationError, match="type s3 does not accept a user and password"):
        with_login(S3_SOURCE, "me", PLANTED)


MAPPING = st.none() | st.dictionaries(NAMES, NAMES, max_size=3)


@pytest.mark.slow
@given(
    role=st.sampled_from(ROLES), labels=MAPPING, features=MAPPING, enabled=st.booleans(), environment=NAMES
)
def test_a_dataset_survives_the_wire(
    role: str, labels: Any, features: Any, enabled: bool, environment: str
) -> None:
    dataset = DatasetConnection(
        role=role,
        data_source=S3_SOURCE,
        id_column="id",
        timestamp_column="t",
        labels=labels,
        features=None if role == "actuals" else features,
        schedule="*/5 * * * *",
        enabled=enabled,
    )
    body = json.loads(json.dumps(dataset.to_wire(environment)))
    assert body["sync"] == {"enabled": enabled, "environment": environment, "schedule": "*/5 * * * *"}
    assert DatasetConnection.from_wire(body) == dataset
    assert pickle.loads(pickle.dumps(dataset)) == dataset


def test_columns_are_named_after_fields_unless_mapped() -> None:
    schema = VersionSchema(
        model_type="binary", raw_inputs={"r": "text"}, features={"a": "numeric"}, predictions={"p": "boolean"}
    )
    common: dict[str, Any] = {"data_source": S3_SOURCE, "id_column": "id", "timestamp_column": "t"}
    serving = DatasetConnection(role="serving", features={"a": "f.a"}, labels={"p": "truth"}, **common)
    assert list(serving.columns(schema)) == [
        ("raw_inputs", "r", "r"),
        ("features", "a", "f.a"),
        ("predictions", "p", "p"),
        ("labels", "p", "truth"),
    ]
    actuals = DatasetConnection(role="actuals", **common)
    assert list(actuals.columns(schema)) == [("labels", "p", "p")]


def test_every_fault_of_a_dataset_is_named_at_once() -> None:
    with pytest.raises(ValidationError) as failure:
        DatasetConnection(
            role="server",
            data_source={
                "type": "s3",
                "config": {"object_path": "", "object_format": "orc", "sample_size": 2},
            },
            id_column=" ",
            timestamp_column="t",
            schedule="every hour",
        )
    for fault in ("role: 'server'", "object_path", "'orc'", "id_column", "'every hour'"):
        assert fault in failure.value.message
    with pytest.raises(ValidationError, match="actuals can have only labels, not features, raw_inputs"):
        DatasetConnection(
            role="actuals",
            data_source=S3_SOURCE,
            id_column="id",
            timestamp_column="t",
            features={},
            raw_inputs={},
        )


def test_models_tags_and_monitors() -> None:
    assert list(Model(id="m", name="My model").to_wire()) == [
        "id",
        "name",
        "description",
        "owner",
        "color",
        "icon",
        "tags",
    ]
    assert Model(id="m", name="n", aggregation_period="hourly").to_wire()["aggregation_period"] == "hourly"
    with pytest.raises(ValidationError, match="aggregation_period: 'weekly' is not one of hourly, daily"):
        Model(id="m", name="n", aggregation_period="weekly")
    with pytest.raises(ValidationError) as failure:
        Model(id="", name="n", color="octarine", icon="x", tags={"much too long a key": "v", "k": "x" * 101})
    for fault in ("id: must not be empty", "'octarine'", "icon", "'much too long a key'", "100 characters"):
        assert fault in failure.value.message
    with pytest.raises(ValidationError, match="at most 10 tags, not 11"):
        ModelTags(tags={str(number): "v" for number in range(11)})
    with pytest.raises(ValidationError) as failure:
        Monitor(name="n", type="drift", scheduling="* *", configuration={})
    assert [problem.split(":")[0] for problem in failure.value.problems] == [
        "type",
        "scheduling",
        "configuration",
    ]


def test_there_is_a_class_for_every_source_of_the_protocol() -> None:
    assert set(DATA_SOURCES) == {"jdbc", "postgres-jdbc", "athena", "bigquery", "snowflake", "glue", "s3"}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *(("float", "numeric"), ("Int", "numeric"), ("double", "numeric"), ("str", "string")),
        *(("bool", "boolean"), ("timestamp", "datetime"), ("list", "array"), ("numerc", "numeric")),
    ],
)
def test_a_type_of_another_vocabulary_says_what_it_is_called_here(written: str, meant: str) -> None:
    with pytest.raises(ValidationError, match=f"features.a.type: .*; did you mean '{meant}'"):
        VersionSchema(model_type="binary", features={"a": written}, predictions={"p": "boolean"})
