"""What S3 answers, put into words that say what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from botocore.exceptions import ClientError
from deltalake import DeltaTable, write_deltalake

from aporia_provider.errors import (
    AporiaError,
    AuthenticationError,
    NotFoundError,
    TransientError,
    ValidationError,
)
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.failures import response_error
from aporia_provider.lake.log.table import DeltaLog
from tests.lake import logs

KNOWN = AwsCredentials("AKIA", "planted-secret", "planted-token", "eu-west-1")


def test_a_file_in_the_place_of_a_table(tmp_path: Path) -> None:
    file = tmp_path / "table.parquet"
    file.write_bytes(b"PAR1")
    with pytest.raises(
        ValidationError, match=r"table.parquet is a file: specify the folder of the Delta table"
    ):
        DeltaLog(file.as_uri())


@pytest.mark.slow
def test_a_commit_that_is_cut(tmp_path: Path) -> None:
    write_deltalake(tmp_path, pa.table({"v": [1]}))
    commit = tmp_path / "_delta_log" / f"{0:020}.json"
    commit.write_bytes(commit.read_bytes()[:-80])
    with pytest.raises(ValidationError, match=r"not valid JSON.*Restore its last commits"):
        DeltaLog(tmp_path.as_uri()).files()


def answer(code: str, status: int, message: str = "planted-secret planted-token") -> ClientError:
    body = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(body, "GetObject")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "status", "kind", "expected_text"),
    [
        (
            "AccessDenied",
            403,
            AuthenticationError,
            "denies s3:GetObject on prefix 'models/t' of bucket 'lake'",
        ),
        ("ExpiredToken", 400, AuthenticationError, "session token has expired"),
        ("RequestExpired", 400, AuthenticationError, "expired"),
        ("InvalidAccessKeyId", 403, AuthenticationError, "rejected"),
        ("SignatureDoesNotMatch", 403, AuthenticationError, "rejected"),
        ("NoSuchBucket", 404, NotFoundError, "no bucket 'lake'"),
        ("PermanentRedirect", 301, ValidationError, "not in the configured region (eu-west-1)"),
        ("AuthorizationHeaderMalformed", 400, ValidationError, "not in the configured region"),
        ("SlowDown", 503, TransientError, "SlowDown"),
        ("InternalError", 500, TransientError, "InternalError"),
        ("Strange", 400, ValidationError, "Strange"),
    ],
)
def test_each_answer(code: str, status: int, kind: type[AporiaError], expected_text: str) -> None:
    found = response_error(answer(code, status), "lake", "models/t", "s3:GetObject", KNOWN)
    assert type(found) is kind
    assert expected_text in found.message
    assert "planted" not in found.message


def test_a_refused_key_of_kms_is_named() -> None:
    message = "User: arn:aws:sts::1:assumed-role/r is not authorized to perform: kms:Decrypt on this resource"
    found = response_error(answer("AccessDenied", 403, message), "lake", "t", "s3:GetObject", KNOWN)
    assert found is not None
    assert "denies kms:Decrypt" in found.message


@pytest.mark.parametrize("code", ["NoSuchKey", "404"])
def test_a_missing_object_refuses_nothing(code: str) -> None:
    assert response_error(answer(code, 404), "lake", "t", "s3:GetObject", KNOWN) is None


SCHEMA = logs.metadata([logs.field("id", "string")])
BEGIN = [logs.protocol(), *SCHEMA]


def _gap(folder: Path) -> None:
    for version in (0, 2):
        logs.commit(folder, version, BEGIN if version == 0 else [])


def _gap_behind_a_checkpoint(folder: Path) -> None:
    logs.commit(folder, 0, BEGIN)
    DeltaTable(folder).create_checkpoint()
    logs.commit(folder, 2, [])


def _broken_checkpoint(folder: Path) -> None:
    logs.commit(folder, 0, BEGIN)
    DeltaTable(folder).create_checkpoint()
    (folder / "_delta_log" / f"{0:020}.checkpoint.parquet").write_bytes(b"nonsense")


def _feature(name: str) -> Callable[[Path], None]:
    return lambda folder: logs.commit(folder, 0, [logs.protocol(name), *SCHEMA])


def _lost_deletion_vector(folder: Path) -> None:
    vector = {
        "storageType": "u",
        "pathOrInlineDv": "ab^-aqEH.-t@S}K{vb[*k^",
        "offset": 1,
        "sizeInBytes": 36,
        "cardinality": 2,
    }
    add = logs.add("f.parquet", {"numRecords": 9}, deletionVector=vector)
    logs.commit(folder, 0, [logs.protocol("deletionVectors"), *SCHEMA, add])


@pytest.mark.parametrize(
    ("write", "expected_text"),
    [
        (_feature("catalogManaged"), "managed by its catalogue .*Read it through the catalogue"),
        (_feature("catalogOwned-preview"), "managed by its catalogue"),
        (_feature("unheardOf"), "requires the reader feature unheardOf.*DROP FEATURE unheardOf"),
        (_gap, "commits between existing commits are missing"),
        (_gap_behind_a_checkpoint, "between version 0, which has a checkpoint, and version 2 are missing"),
        (lambda folder: logs.commit(folder, 1, []), "no commit or checkpoint in it contains the schema"),
        (_broken_checkpoint, "its checkpoint is not a complete Parquet file. If all commits exist"),
        (
            lambda folder: logs.commit(
                folder, 0, [logs.protocol(), *logs.metadata([logs.field("n", "null")])]
            ),
            "has the type null, which is not supported",
        ),
        (
            lambda folder: logs.commit(folder, 0, [*BEGIN, {"add": {"path": "a"}}]),
            "has an unexpected form",
        ),
        (
            lambda folder: logs.commit(
                folder, 0, [{"protocol": {"minReaderVersion": 9, "minWriterVersion": 9}}, *SCHEMA]
            ),
            "requires version 9 of the reader protocol",
        ),
        (
            _lost_deletion_vector,
            "names the deletion vector .*deletion_vector_d2c639aa.*, which does not exist",
        ),
    ],
)
def test_faults_of_a_log(tmp_path: Path, write: Callable[[Path], None], expected_text: str) -> None:
    write(tmp_path)
    with pytest.raises(
        ValidationError, match=f"The Delta log of .* cannot be read: .*{expected_text}"
    ) as caught:
        DeltaLog(f"file://{tmp_path}").files([])
    for internal in ("Kernel", "with_max_catalog_version", "ParsedLogPath", "\n"):
        assert internal not in caught.value.message
