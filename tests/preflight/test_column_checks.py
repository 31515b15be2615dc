"""What preflight tells from columns and counts."""

from __future__ import annotations

from typing import Any

import pytest

from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.errors import ValidationError
from aporia_provider.preflight.column_checks import Findings, check
from aporia_provider.schema import VersionSchema
from tests.columns.test_inference import array, mapping, struct

SCHEMA = VersionSchema(
    model_type="binary",
    raw_inputs={"note": "text"},
    features={
        "amount": "numeric",
        "owner": "string",
        "kind": "categorical",
        "is_new": "boolean",
        "since": "datetime",
        "scores": "vector",
        "image": {"type": "tensor", "dimensions": [2, 3]},
        "per_class": "dict",
        "tags": "array",
    },
    predictions={"will_buy": "boolean", "proba": "numeric"},
)
COLUMNS: dict[str, Any] = {
    "prediction_id": "string",
    "occurred_at": "timestamp",
    "note": "string",
    "amount": "decimal(10,2)",
    "owner": "string",
    "kind": "long",
    "is_new": "boolean",
    "since": "date",
    "scores": array("float"),
    "image": array(array("double")),
    "per_class": mapping("string", "double"),
    "tags": array("string"),
    "will_buy": "boolean",
    "proba": "double",
    "bought": "boolean",
}


def dataset(role: str = "serving", **more: Any) -> DatasetConnection:
    values = {"id_column": "prediction_id", "timestamp_column": "occurred_at", **more}
    source = S3DataSource(object_path="s3://bucket/t", object_format="delta")
    return DatasetConnection(role=role, data_source=source, **values)


def found(
    changes: dict[str, Any] | None = None, *, schema: VersionSchema | None = SCHEMA, **more: Any
) -> Findings:
    """Check the good dataset with some columns changed (``...`` removes one) and some arguments."""
    columns = {name: type_ for name, type_ in {**COLUMNS, **(changes or {})}.items() if type_ is not ...}
    counts = {key: more.pop(key) for key in ("rows", "null_ids", "null_timestamps") if key in more}
    return check(dataset(**more), schema, list(columns.items()), **counts)


def test_good_data_passes() -> None:
    assert found(rows=10, null_ids=0, null_timestamps=0, labels={"will_buy": "bought"}) == Findings([], [])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"amount": ..., "amuont": "double"},
            ["feature 'amount'", "no column 'amount'; did you mean 'amuont'?"],
        ),
        ({"amount": ..., "Amount": "double"}, ["no column 'amount'; did you mean 'Amount'?"]),
        ({"note": ...}, ["raw input 'note'", "no column 'note'"]),
        ({"proba": ...}, ["prediction 'proba'", "no column 'proba'"]),
        ({"prediction_id": ...}, ["id_column names 'prediction_id'", "no column 'prediction_id'"]),
        (
            {"occurred_at": ..., "ocurred_at": "timestamp"},
            ["timestamp_column names", "did you mean 'ocurred_at'?"],
        ),
        ({"amount": "string"}, ["'amount' is numeric", "is string", "cast(amount AS double) AS amount"]),
        ({"owner": "double"}, ["'owner' is string", "is double", "cast(owner AS string) AS owner"]),
        ({"kind": array("string")}, ["'kind' is categorical", "array<string>"]),
        ({"is_new": "string"}, ["'is_new' is boolean", "cast(is_new AS boolean)"]),
        ({"since": "double"}, ["'since' is datetime", "timestamp_seconds(since)"]),
        ({"note": "long"}, ["'note' is text", "is bigint"]),
        ({"scores": "double"}, ["'scores' is vector", "is double"]),
        ({"scores": array("string")}, ["'scores' is vector", "array<string>"]),
        ({"image": array(array(array("double")))}, ["tensor[2, 3]", "not array<array<double>>"]),
        ({"image": "binary"}, ["tensor[2, 3]", "is binary"]),
        ({"image": array(array("string"))}, ["tensor[2, 3]", "array<array<string>>"]),
        ({"per_class": mapping("string", "string")}, ["'per_class' is dict", "map<string, string>"]),
        ({"per_class": struct(a="string")}, ["'per_class' is dict", "struct<a: string>"]),
        ({"tags": "string"}, ["'tags' is array", "is string"]),
        ({"occurred_at": "string"}, ["not a timestamp or date", "to_timestamp(occurred_at) AS occurred_at"]),
        ({"occurred_at": "long"}, ["not a timestamp or date", "timestamp_millis(occurred_at)"]),
        ({"occurred_at": "double"}, ["not a timestamp or date", "choose a column"]),
        ({"prediction_id": array("string")}, ["id_column", "not text or a whole number"]),
        ({"prediction_id": "double"}, ["id_column", "cast(prediction_id AS string)"]),
    ],
)
def test_columns_that_do_not_fit(changes: dict[str, Any], expected: list[str]) -> None:
    (problem,) = found(changes).problems
    for part in expected:
        assert part in problem


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"timestamp_column": "prediction_id"}, ["both 'prediction_id'"]),
        ({"null_ids": 3, "rows": 10}, ["id_column 'prediction_id' is null in 3 of 10 rows"]),
        ({"null_timestamps": 3}, ["timestamp_column 'occurred_at' is null in 3 rows"]),
        ({"features": {"amuont": "amount"}}, ["features: 'amuont'", "did you mean 'amount'?"]),
        ({"features": {"bought": "amount"}}, ["looks reversed", "write 'amount': 'bought'"]),
        ({"raw_inputs": {"remark": "note"}}, ["raw_inputs: 'remark'", "not among the raw_inputs"]),
        (
            {"labels": {"would_buy": "bought"}},
            ["labels: 'would_buy'", "not among the predictions", "'will_buy'?"],
        ),
        ({"labels": {"will_buy": "boght"}}, ["label of 'will_buy' reads 'boght'", "did you mean 'bought'?"]),
        ({"features": {"amount": "amuont"}}, ["feature 'amount' reads 'amuont'", "did you mean 'amount'?"]),
        ({"predictions": {"proba": "owner"}}, ["prediction 'proba' is numeric", "column 'owner' is string"]),
        (
            {"labels": {"proba": "tags"}},
            [
                "label of 'proba' of a binary model has to be a class",
                "column 'tags' is array<string>",
                "write 'cast(tags AS string) AS tags' in select_expr, or choose another column",
            ],
        ),
    ],
)
def test_arguments_that_do_not_fit(arguments: dict[str, Any], expected: list[str]) -> None:
    problems = "\n".join(found(**arguments).problems)
    for part in expected:
        assert part in problems


def test_many_faults_are_named_at_once() -> None:
    findings = found(
        {"amount": "string", "owner": ..., "Owner": "string", "image": "double", "occurred_at": "string"},
        null_ids=2,
        rows=9,
        features={"shares": "scores"},
        labels={"proba": "nowhere"},
    )
    assert len(findings.problems) == 7
    for part in (
        "feature 'amount' is numeric",
        "no column 'owner'; did you mean 'Owner'?",
        "tensor[2, 3]",
        "timestamp_column 'occurred_at' is string",
        "null in 2 of 9 rows",
        "features: 'shares'",
        "label of 'proba' reads 'nowhere'",
    ):
        assert part in "\n".join(findings.problems)
    with pytest.raises(ValidationError) as caught:
        findings.raise_for_problems()
    assert caught.value.problems == findings.problems


@pytest.mark.parametrize(
    "changes",
    [
        {"is_new": "integer"},
        {"since": "string"},
        {"image": array("double")},
        {"amount": "boolean"},
    ],
)
def test_what_depends_on_the_values_is_a_warning(changes: dict[str, Any]) -> None:
    findings = found(changes)
    assert findings.problems == []
    assert len(findings.warnings) == 1
    assert repr(next(iter(changes))) in findings.warnings[0]
    findings.raise_for_problems()


@pytest.mark.parametrize(
    "changes",
    [
        {"prediction_id": "long"},
        {"occurred_at": "timestamp_ntz"},
        {"occurred_at": "date"},
        {"per_class": struct(a="double", b="long")},
        {"kind": "boolean"},
        {"owner": "integer"},
        {"scores": array("integer")},
    ],
)
def test_other_types_that_fit(changes: dict[str, Any]) -> None:
    assert found(changes) == Findings([], [])


def test_an_empty_table_is_a_warning() -> None:
    findings = found(rows=0, null_ids=0, null_timestamps=0)
    assert findings.problems == []
    assert "empty" in findings.warnings[0]


def test_duplicate_columns_matter_if_they_are_used() -> None:
    columns = [*COLUMNS.items(), ("unused", "long"), ("unused", "long"), ("amount", "double")]
    (problem,) = check(dataset(), SCHEMA, columns).problems
    assert "2 columns named 'amount'" in problem


class TestActuals:
    columns = [("prediction_id", "string"), ("occurred_at", "timestamp"), ("will_buy", "boolean")]

    def test_only_labels_are_asked_for(self) -> None:
        labels = {"will_buy": "will_buy"}
        assert check(dataset("actuals", labels=labels), SCHEMA, self.columns) == Findings([], [])

    def test_without_a_mapping_each_prediction_needs_its_label(self) -> None:
        (problem,) = check(dataset("actuals"), SCHEMA, self.columns).problems
        told = "the column of its name, but the table has none for 'proba'"
        assert told in problem
        assert "Write labels={'will_buy': 'will_buy', 'proba': 'column'}" in problem

    def test_no_labels_at_all_are_no_actuals(self) -> None:
        (problem,) = check(dataset("actuals", labels={}), SCHEMA, self.columns).problems
        assert "labels is empty" in problem

    @pytest.mark.parametrize(
        ("prediction", "label"), [("dict", "string"), ("boolean", "integer"), ("numeric", "boolean")]
    )
    def test_a_label_may_be_the_class_alone(self, prediction: str, label: str) -> None:
        schema = VersionSchema(model_type="multiclass", features={}, predictions={"y": prediction})
        columns = [*self.columns, ("y", label)]
        assert check(dataset("actuals"), schema, columns).problems == []


def test_without_a_schema_only_named_columns_are_checked() -> None:
    findings = found(schema=None, features={"anything": "amount", "other": "nowhere"})
    (problem,) = findings.problems
    assert "'nowhere'" in problem


def test_without_columns_the_rest_is_checked() -> None:
    broken = dataset(timestamp_column="prediction_id", features={"nope": "x"})
    assert len(check(broken, SCHEMA, None).problems) == 2


def test_advice_quotes_odd_names() -> None:
    schema = VersionSchema(model_type="regression", features={"a b": "numeric"}, predictions={})
    (problem,) = check(
        dataset(), schema, [("prediction_id", "string"), ("occurred_at", "date"), ("a b", "string")]
    ).problems
    assert "cast(`a b` AS double) AS `a b`" in problem
