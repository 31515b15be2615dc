"""What goes wrong on a cluster is told as what goes wrong on the embedded engine is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from aporia_provider.data_sources import S3DataSource
from aporia_provider.engine.error_messages import engine_errors
from aporia_provider.engine.readers import columns, read
from aporia_provider.errors import (
    AporiaError,
    AuthenticationError,
    NotFoundError,
    TransientError,
    ValidationError,
)
from tests import servers
from tests.conftest import S3
from tests.lake.strict_s3 import strict_s3
from tests.spark.conftest import Engines

FORMATS = ["delta", "parquet", "csv", "json"]


def failure(engines: Engines, source: S3DataSource, error: type[AporiaError]) -> str:
    """What the cluster's failure to tell a source's columns is told as."""
    with pytest.raises(AporiaError) as caught:
        columns(engines.cluster.spark, source, embedded=False)
    assert type(caught.value) is error, caught.value
    assert "\n" not in caught.value.message
    assert source.uri in caught.value.message
    return caught.value.message


def files(s3: S3, rows: Sequence[int]) -> S3DataSource:
    write_deltalake(s3.uri("t"), pa.table({"n": rows}), storage_options=s3.delta_options)
    return S3DataSource(object_path=s3.uri("t"), object_format="delta")


@pytest.mark.parametrize("object_format", FORMATS)
class TestPlaces:
    def test_nothing_there(self, engines: Engines, s3: S3, object_format: str) -> None:
        failure(engines, S3DataSource(object_path=s3.uri("t"), object_format=object_format), NotFoundError)

    def test_no_bucket(self, engines: Engines, s3: S3, object_format: str) -> None:
        place = f"s3://{s3.bucket}-none/t"
        failure(engines, S3DataSource(object_path=place, object_format=object_format), NotFoundError)

    def test_denied(self, engines: Engines, s3: S3, object_format: str) -> None:
        nobody: dict[str, Any] = {"Version": "2012-10-17", "Statement": []}
        with strict_s3(s3.endpoint, nobody) as proxy:
            options = {"fs.s3a.endpoint": proxy.endpoint}
            source = S3DataSource(object_path=s3.uri("t"), object_format=object_format, read_options=options)
            failure(engines, source, AuthenticationError)

    def test_nobody_answers(self, engines: Engines, s3: S3, object_format: str) -> None:
        options = {"fs.s3a.endpoint": f"http://127.0.0.1:{servers.free_port()}"}
        source = S3DataSource(object_path=s3.uri("t"), object_format=object_format, read_options=options)
        failure(engines, source, TransientError)


def test_a_file_of_the_table_is_missing(engines: Engines, s3: S3) -> None:
    source = files(s3, [1, 2])
    (data,) = DeltaTable(s3.uri("t"), storage_options=s3.delta_options).file_uris()
    s3.client().delete_object(Bucket=s3.bucket, Key=data.removeprefix(f"s3://{s3.bucket}/"))
    for engine in engines:
        frame = read(engine.spark, source, embedded=engine.embedded)
        with pytest.raises(NotFoundError, match=data.rpartition("/")[2]), engine_errors(source):
            frame.collect()


def test_no_parquet(engines: Engines, s3: S3) -> None:
    s3.client().put_object(Bucket=s3.bucket, Key="t/x.parquet", Body=b"nonsense")
    source = S3DataSource(object_path=s3.uri("t"), object_format="parquet")
    assert "is not a Parquet file" in failure(engines, source, ValidationError)


@pytest.mark.parametrize("expression", ["no_such_column", "no_such_function(n)", "n +", "n + m"])
def test_expressions_the_engine_refuses(engines: Engines, s3: S3, expression: str) -> None:
    source = files(s3, [1]).model_copy(update={"select_expr": [expression]})
    assert len(failure(engines, source, ValidationError)) < 500


def test_a_version_that_is_not_there(engines: Engines, s3: S3) -> None:
    source = files(s3, [1]).model_copy(update={"read_options": {"versionAsOf": "7"}})
    assert "version 7" in failure(engines, source, ValidationError)
