"""Preflight notes types that differ from the types of the other datasets of the version."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from aporia_provider.data_sources import JDBCDataSource, S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.preflight import inspection
from aporia_provider.preflight.checks import preflight
from aporia_provider.schema import VersionSchema

SCHEMA = VersionSchema(
    model_type="regression",
    features={"price": "numeric", "vip": "categorical", "age": "numeric"},
    predictions={"y": "numeric"},
)


@pytest.fixture(autouse=True)
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("an engine was started")

    monkeypatch.setattr(inspection, "spark_session", refuse)


def dataset(role: str, path: Path) -> DatasetConnection:
    source = S3DataSource(object_path=str(path), object_format="delta")
    return DatasetConnection(role=role, data_source=source, id_column="id", timestamp_column="at")


def written(role: str, folder: Path, **columns: pa.Array) -> DatasetConnection:
    at = pa.array([datetime(2024, 5, 1, tzinfo=UTC)], pa.timestamp("us", "UTC"))
    usual = {"price": pa.array([19.99]), "vip": pa.array([True]), "age": pa.array([1]), "y": pa.array([0.5])}
    write_deltalake(folder / role, pa.table({"id": ["a"], "at": at, **usual, **columns}))
    return dataset(role, folder / role)


def test_other_types_are_warnings(tmp_path: Path) -> None:
    training = written("training", tmp_path)
    price = pa.array([Decimal("19.99")], pa.decimal128(10, 2))
    age = pa.array([1], pa.int32())
    serving = written("serving", tmp_path, price=price, vip=pa.array([1]), age=age)
    found = preflight(serving, SCHEMA, others=[serving, training])
    assert found.problems == []
    assert found.warnings == [
        "feature 'price' is decimal(10,2) here and double in the training dataset",
        "feature 'vip' is bigint here and boolean in the training dataset",
    ]
    assert preflight(serving, SCHEMA, others=[serving]).warnings == []
    assert preflight(training, SCHEMA, others=[training]).warnings == []


def test_what_is_not_compared_is_told(tmp_path: Path) -> None:
    serving = written("serving", tmp_path)
    testing = written("testing", tmp_path, y=pa.array([0.5], pa.float32()))
    elsewhere = JDBCDataSource(url="jdbc:postgresql://h/db", query="select 1")
    actuals = DatasetConnection(
        role="actuals", data_source=elsewhere, id_column="id", timestamp_column="at", labels={"y": "y"}
    )
    found = preflight(serving, SCHEMA, others=[dataset("training", tmp_path / "none"), actuals, testing])
    assert found.problems == []
    compared, missed = found.warnings
    assert compared == "prediction 'y' is double here and float in the testing dataset"
    assert missed.startswith("types are not compared with the types of the training dataset: ")
    assert f"{tmp_path}/none" in missed


def test_an_outage_of_another_dataset_is_told(tmp_path: Path) -> None:
    serving = written("serving", tmp_path)
    training = DatasetConnection(
        role="training",
        data_source=S3DataSource(object_path="s3://bucket/training", object_format="delta"),
        id_column="id",
        timestamp_column="at",
    )
    # Nothing listens there.
    nowhere = AwsCredentials("k", "s", region="us-east-1", endpoint_url="http://127.0.0.1:1")
    found = preflight(serving, SCHEMA, others=[training], credentials=nowhere)
    assert found.problems == []
    (missed,) = found.warnings
    assert missed.startswith("types are not compared with the types of the training dataset: ")
    assert "s3://bucket/training" in missed
