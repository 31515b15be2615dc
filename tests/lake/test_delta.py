"""The Delta log read from a real S3 and from disk."""

from __future__ import annotations

import json
import tempfile
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from aporia_provider.errors import NotFoundError, TransientError, ValidationError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.log.commits import LogExpiredError
from aporia_provider.lake.log.metadata import PHYSICAL_NAME, identity
from aporia_provider.lake.log.table import DeltaLog
from tests import servers
from tests.conftest import S3
from tests.lake import logs


def credentials(s3: S3) -> AwsCredentials:
    return AwsCredentials(
        servers.S3_KEY, servers.S3_SECRET, region=servers.S3_REGION, endpoint_url=s3.endpoint
    )


def opened(folder: Path) -> DeltaLog:
    return DeltaLog(f"file://{folder}")


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


ROWS = pa.table(
    {
        "id": ["a", "b", None, "d"],
        "at": pa.array([at(2024, 1, 1), at(2024, 1, 2), at(2024, 1, 3), None], pa.timestamp("us", "UTC")),
        "n": pa.array([1, 2, 3, 4], pa.int32()),
        "price": pa.array([Decimal("1.50"), None, None, Decimal("9.00")], pa.decimal128(10, 2)),
        "v": [[1.0], [2.0], None, [3.0]],
        "day": [date(2024, 1, 1), date(2024, 1, 1), date(2024, 1, 2), None],
    }
)


class TestMetadata:
    def test_on_s3(self, s3: S3) -> None:
        write_deltalake(s3.uri("models/t"), ROWS, storage_options=s3.delta_options, partition_by=["day"])
        log = DeltaLog(s3.uri("models/t/"), credentials(s3))
        assert log.version == log.metadata.version == 0
        assert log.metadata.partition_columns == ("day",)
        assert log.metadata.columns == (
            ("id", "string"),
            ("at", "timestamp"),
            ("n", "integer"),
            ("price", "decimal(10,2)"),
            ("v", {"type": "array", "elementType": "double", "containsNull": True}),
            ("day", "date"),
        )

    def test_an_earlier_version(self, tmp_path: Path) -> None:
        write_deltalake(tmp_path, ROWS)
        write_deltalake(tmp_path, ROWS, mode="append")
        assert DeltaLog(f"file://{tmp_path}", version=0).files(["id"]).row_count == 4
        assert opened(tmp_path).files(["id"]).row_count == 8
        assert [entry["version"] for entry in opened(tmp_path).history(1)] == [1]

    def test_column_mapping_is_undone(self, tmp_path: Path) -> None:
        def mapped(name: str, physical: str, number: int) -> dict[str, object]:
            names = {"delta.columnMapping.id": number, "delta.columnMapping.physicalName": physical}
            return logs.field(name, "string", **names)

        logs.commit(
            tmp_path,
            0,
            [
                logs.protocol("columnMapping"),
                *logs.metadata(
                    [mapped("id", "col-1", 1), mapped("region", "col-2", 2)],
                    ["region"],
                    delta_columnMapping_mode="name",
                    delta_columnMapping_maxColumnId="2",
                ),
                logs.add(
                    "x.parquet",
                    {
                        "numRecords": 10,
                        "nullCount": {"col-1": 2},
                        "minValues": {"col-1": "a"},
                        "maxValues": {"col-1": "k"},
                    },
                    partitionValues={"col-2": "eu"},
                ),
            ],
        )
        log = opened(tmp_path)
        assert log.metadata.columns == (("id", "string"), ("region", "string"))
        assert log.metadata.physical_names == {"col-1": "id", "col-2": "region"}
        files = log.files()
        assert (files.null_count("id"), files.bounds("id")) == (2, ("a", "k"))
        assert (files.null_count("region"), files.bounds("region")) == (0, ("eu", "eu"))


class TestStatistics:
    def test_what_the_files_tell(self, tmp_path: Path) -> None:
        write_deltalake(tmp_path, ROWS, partition_by=["day"])
        write_deltalake(tmp_path, ROWS.slice(0, 1), mode="append")
        files = opened(tmp_path).files()
        assert (files.file_count, files.row_count) == (4, 5)
        assert [files.null_count(name) for name in ("id", "at", "n", "price", "day")] == [1, 1, 0, 2, 1]
        # Times are cut to milliseconds.
        assert files.bounds("at") == (at(2024, 1, 1), at(2024, 1, 3) + timedelta(microseconds=999))
        assert files.bounds("n") == (1, 4)
        assert files.bounds("day") == (date(2024, 1, 1), date(2024, 1, 2))

    def test_what_they_do_not_tell_is_not_made_up(self, tmp_path: Path) -> None:
        write_deltalake(tmp_path, ROWS)
        files = opened(tmp_path).files(["v", "unheard_of"])
        assert files.null_count("v") is None
        assert files.bounds("v") is None
        assert files.null_count("unheard_of") is None

    def test_one_file_without_statistics_makes_the_totals_unknown(self, tmp_path: Path) -> None:
        counted = {
            "numRecords": 3,
            "nullCount": {"id": 0},
            "minValues": {"id": "a"},
            "maxValues": {"id": "b"},
        }
        actions = [logs.protocol(), *logs.metadata([logs.field("id", "string")])]
        logs.commit(tmp_path, 0, [*actions, logs.add("a.parquet", counted), logs.add("b.parquet")])
        files = opened(tmp_path).files()
        assert files.table["num_records"].to_pylist() in ([3, None], [None, 3])
        assert (files.row_count, files.null_count("id"), files.bounds("id")) == (None, None, None)

    def test_an_empty_table_has_no_rows_and_no_nulls(self, tmp_path: Path) -> None:
        DeltaTable.create(tmp_path, pa.schema([("id", pa.string())]))
        files = opened(tmp_path).files()
        assert (files.row_count, files.null_count("id"), files.bounds("id")) == (0, 0, None)

    def test_deleted_rows_do_not_count(self, tmp_path: Path) -> None:
        fields = [logs.field("id", "string"), logs.field("other", "string"), logs.field("p", "string")]
        stats = {"numRecords": 10, "nullCount": {"id": 2, "other": 0}, "tightBounds": False}
        vector = logs.deletion_vector([1, 3, 4])
        whole = {"numRecords": 5, "nullCount": {"id": 1, "other": 0}}
        logs.commit(
            tmp_path,
            0,
            [
                logs.protocol("deletionVectors"),
                *logs.metadata(fields, ["p"], delta_enableDeletionVectors="true"),
                logs.add("p=a/b%20c.parquet", stats, deletionVector=vector, partitionValues={"p": "a"}),
                logs.add("z.parquet", whole, partitionValues={"p": None}),
            ],
        )
        files = opened(tmp_path).files()
        assert files.row_count == 10 - 3 + 5
        assert sorted(files.table["deleted"].to_pylist()) == [0, 3]
        assert files.null_count("id") is None, "which of the two nulls were deleted is not known"
        assert files.null_count("other") == 0
        assert files.null_count("p") == 5

    def test_a_column_with_a_dot_is_no_struct(self, tmp_path: Path) -> None:
        write_deltalake(tmp_path, pa.table({"s": [{"age": 1}, {"age": 2}], "s.age": [None, 7]}))
        files = opened(tmp_path).files()
        assert files.null_count("s.age") == 1
        assert files.bounds("s.age") == (7, 7)
        assert files.null_count("s") is None


class TestCommits:
    def test_each_commit_with_what_it_adds_and_removes(self, s3: S3) -> None:
        uri, options = s3.uri("log"), s3.delta_options
        write_deltalake(uri, ROWS, storage_options=options)
        write_deltalake(uri, ROWS, storage_options=options, mode="append")
        DeltaTable(uri, storage_options=options).optimize.compact()
        DeltaTable(uri, storage_options=options).delete("n = 1")
        commits = DeltaLog(uri, credentials(s3)).commits(0)
        assert [(commit.version, commit.operation) for commit in commits] == [
            (1, "WRITE"),
            (2, "OPTIMIZE"),
            (3, "DELETE"),
        ]
        assert [commit.data_change for commit in commits] == [True, False, True]
        assert [(len(commit.adds), len(commit.removes)) for commit in commits] == [(1, 0), (1, 2), (1, 1)]
        assert commits[0].adds[0].stats is not None
        assert commits[0].adds[0].stats["numRecords"] == 4
        made = commits[0].timestamp
        assert made is not None
        assert abs((datetime.now(UTC) - made).total_seconds()) < 120
        assert DeltaLog(uri, credentials(s3)).commits(3) == []

    def test_an_expired_commit_is_named(self, tmp_path: Path) -> None:
        for mode in ("error", "append", "append"):
            write_deltalake(tmp_path, ROWS, mode=mode)  # type: ignore[call-overload]
        DeltaTable(tmp_path).create_checkpoint()
        (tmp_path / "_delta_log" / f"{1:020}.json").unlink()
        assert [commit.version for commit in opened(tmp_path).commits(1)] == [2]
        with pytest.raises(LogExpiredError, match="Version 1 of"):
            opened(tmp_path).commits(0)

    def test_a_table_that_went_back_was_made_anew(self, tmp_path: Path) -> None:
        write_deltalake(tmp_path, ROWS)
        with pytest.raises(ValidationError, match="at version 0, but version 7 was read before"):
            opened(tmp_path).commits(7)

    def test_schema_change_and_deletion_vectors_are_told(self, tmp_path: Path) -> None:
        begin = [logs.protocol("deletionVectors"), *logs.metadata([logs.field("id", "string")])]
        logs.commit(tmp_path, 0, [*begin, logs.add("a.parquet", {"numRecords": 9})])
        again = logs.add("a.parquet", {"numRecords": 9}, deletionVector=logs.deletion_vector([2, 5]))
        wider = logs.metadata([logs.field("id", "string"), logs.field("x", "double")])
        logs.commit(tmp_path, 1, [*wider, again], "UPDATE")
        first, second = opened(tmp_path).commits(-1)
        assert (first.changes_metadata, second.changes_metadata) == (True, True)
        assert [action.deleted for action in (*first.adds, *second.adds)] == [0, 2]


class TestFailures:
    def test_no_table(self, s3: S3, tmp_path: Path) -> None:
        with pytest.raises(NotFoundError, match=rf"no Delta table at s3://{s3.bucket}/nothing"):
            DeltaLog(s3.uri("nothing"), credentials(s3))
        with pytest.raises(NotFoundError, match="no Delta table at file://"):
            opened(tmp_path / "nothing")
        assert not (tmp_path / "nothing").exists()

    def test_no_bucket(self, s3: S3) -> None:
        with pytest.raises(NotFoundError, match="no bucket 'no-such-bucket'"):
            DeltaLog("s3://no-such-bucket/t", credentials(s3))

    def test_nobody_at_the_endpoint(self) -> None:
        dead = AwsCredentials(
            "k", "s" * 20, region="eu-west-1", endpoint_url=f"http://127.0.0.1:{servers.free_port()}"
        )
        with pytest.raises(TransientError, match="does not respond"):
            DeltaLog("s3://some-bucket/t", dead)

    @pytest.mark.parametrize(
        "content",
        [
            b'{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}\n{not json',
            b'{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}\n',
            b"\x00\x01\x02",
        ],
    )
    def test_a_broken_log(self, s3: S3, content: bytes) -> None:
        s3.client().put_object(Bucket=s3.bucket, Key=f"bad/_delta_log/{0:020}.json", Body=content)
        with pytest.raises(
            ValidationError, match=rf"The Delta log of s3://{s3.bucket}/bad cannot be read"
        ) as caught:
            DeltaLog(s3.uri("bad"), credentials(s3))
        assert "\n" not in caught.value.message
        assert servers.S3_SECRET not in caught.value.message

    def test_a_broken_commit(self, tmp_path: Path) -> None:
        write_deltalake(tmp_path, ROWS)
        log = opened(tmp_path)
        path = tmp_path / "_delta_log" / f"{0:020}.json"
        path.write_text(json.dumps({"add": {"size": 1}}))
        with pytest.raises(ValidationError, match=r"Version 0 of .* is invalid"):
            log.commits(-1)


class TestIdentities:
    """What the values of a column depend on."""

    def identity(self, type_: Any, *, by_id: bool = False, name: str = "a", **more: Any) -> str:
        return identity(logs.field(name, type_, **{PHYSICAL_NAME: "col-1", **more}), by_id=by_id)

    def test_its_place_and_its_type(self) -> None:
        known = self.identity("long")
        assert known == self.identity("long", name="b", comment="what else it says")
        assert known != self.identity("integer")
        assert known != self.identity("long", **{PHYSICAL_NAME: "col-2"})

    def test_its_id_where_files_are_read_by_it(self) -> None:
        first, second = ({"delta.columnMapping.id": number} for number in (1, 2))
        assert self.identity("long", **first) == self.identity("long", **second)
        assert self.identity("long", by_id=True, **first) != self.identity("long", by_id=True, **second)

    @pytest.mark.parametrize("around", ["struct", "array", "map"])
    def test_the_fields_inside_of_it(self, around: str) -> None:
        def wrapped(place: str, name: str = "x") -> dict[str, Any]:
            inner = {"type": "struct", "fields": [logs.field(name, "long", **{PHYSICAL_NAME: place})]}
            key = {"array": "elementType", "map": "valueType"}.get(around)
            return inner if key is None else {"type": around, key: inner}

        known = self.identity(wrapped("col-7"))
        assert known == self.identity(wrapped("col-7"))
        assert known != self.identity(wrapped("col-8"))
        assert known != self.identity(wrapped("col-7", "y"))


class TestCopies:
    """Logs that delta-rs cannot take from where they are, such as those below a percent sign."""

    def test_names_that_lead_out_of_the_table_are_not_written(
        self, s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        vector = {"storageType": "u", "offset": 1, "sizeInBytes": 36, "cardinality": 1}
        prefix = "../outside"
        outside = logs.add(
            "a.parquet", {"numRecords": 2}, deletionVector={**vector, "pathOrInlineDv": prefix + "0" * 20}
        )
        fields = [logs.field("id", "string")]
        begin = [logs.protocol("deletionVectors"), *logs.metadata(fields), outside]
        objects = {
            "_delta_log/00000000000000000000.json": "\n".join(map(json.dumps, begin)),
            "_delta_log/../../stolen.py": "raise SystemExit",
            f"{prefix}/deletion_vector_{uuid.UUID(int=0)}.bin": "x",
        }
        for name, content in objects.items():
            s3.client().put_object(Bucket=s3.bucket, Key=f"models/of%20a/{name}", Body=content)
        log = DeltaLog(s3.uri("models/of%20a"), credentials(s3))
        assert log.version == 0
        (made,) = tmp_path.iterdir()
        assert [path.name for path in made.rglob("*") if path.is_file()] == ["00000000000000000000.json"]

    @pytest.mark.parametrize(
        "line",
        [
            '{"add":{"path":"x.parquet",',
            '{"add":5}',
            '[1,"add"]',
            '{"add":{"path":"x","deletionVector":"no"}}',
            '{"add":{"path":"x","deletionVector":{"storageType":"u"}}}',
            '{"add":{"path":"x","deletionVector":{"storageType":"u","pathOrInlineDv":"short"}}}',
        ],
    )
    def test_what_is_wrong_is_said_as_without_a_copy(self, s3: S3, tmp_path: Path, line: str) -> None:
        fields = [logs.field("id", "string")]
        logs.commit(tmp_path, 0, [logs.protocol(), *logs.metadata(fields), logs.add("a.parquet")])
        (tmp_path / "_delta_log" / f"{1:020}.json").write_text(line)
        for path in (tmp_path / "_delta_log").iterdir():
            s3.client().upload_file(str(path), s3.bucket, f"broken/_delta_log/{path.name}")
        with pytest.raises(
            ValidationError, match="an entry of it is not valid JSON, or has an unexpected form"
        ):
            DeltaLog(s3.uri("broken"), credentials(s3))
