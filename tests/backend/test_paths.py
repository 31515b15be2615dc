"""Paths with special characters: preflight accepts what the sync reads, and no more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from aporia_provider.data_sources import S3DataSource
from aporia_provider.engine.readers import read
from aporia_provider.engine.session import spark_session
from aporia_provider.errors import AporiaError, TransientError, ValidationError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.log.table import DeltaLog
from aporia_provider.preflight.inspection import inspect
from tests import servers
from tests.backend.agreement import assert_reads, assert_refuses, rewrite
from tests.backend.syncing import SyncedVersion, spread
from tests.backend.test_sync_sources import write_file
from tests.conftest import S3
from tests.lake import logs
from tests.sizes import sized

ROWS = spread(1, 2, 3)
NASTY = "ab []{}*?%#+:&=;,'\"`\\<>^|~@!$()ü日é\u0301\U0001f642"
SEGMENTS = st.text(NASTY, min_size=1, max_size=6).map(lambda text: f"a{text}z")


def numbered(count: int) -> pa.Table:
    return pa.table({"id": [str(number) for number in range(count)], "n": list(range(count))})


@pytest.fixture(scope="module")
def spark(engine: str) -> Iterator[Any]:
    with spark_session(engine) as opened:
        yield opened


class TestLocal:
    @settings(max_examples=sized(15, 40), suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        segments=st.lists(SEGMENTS, min_size=1, max_size=2),
        object_format=st.sampled_from(["delta", "parquet", "csv", "json"]),
        as_uri=st.booleans(),
    )
    @example(segments=["a%20b", "ü"], object_format="delta", as_uri=False)
    @example(segments=["[ab]", "{a,b}", "x*y?"], object_format="delta", as_uri=True)
    @example(segments=["[ab]", "{a,b}", "x*y?"], object_format="parquet", as_uri=False)
    @example(segments=["a\\b", "%25", "a#b?c"], object_format="delta", as_uri=True)
    def test_any(
        self,
        spark: Any,
        engine: str,
        tmp_path_factory: pytest.TempPathFactory,
        segments: list[str],
        object_format: str,
        as_uri: bool,
    ) -> None:
        """The same rows by preflight and by the engine, whatever the names of the folders."""
        root = tmp_path_factory.mktemp("root") / "x"
        folder = root.joinpath(*segments)
        folder.parent.mkdir(parents=True)
        plain = root / "plain"
        if object_format == "delta":
            write_deltalake(plain, numbered(7))
        else:
            plain.mkdir()
            write_file(plain / f"f.{object_format}", numbered(7))
        plain.rename(folder)
        place = f"file://{quote(str(folder))}" if as_uri else str(folder)
        options = {"header": "true"} if object_format == "csv" else None
        source = S3DataSource(object_path=place, object_format=object_format, read_options=options)
        assert [name for name, _ in inspect(source, engine=engine).columns] == ["id", "n"]
        (row,) = read(spark, source, embedded=False).selectExpr("count(*) AS c", "sum(n) AS s").collect()
        assert (row["c"], row["s"]) == (7, 21)
        if object_format == "delta":
            log = DeltaLog(source.uri)
            assert (log.files([]).row_count, len(log.commits(-1))) == (7, 1)

    @pytest.mark.parametrize("name", ["a b", "ü [1] {2} *", "100%25", "a#b?c"])
    def test_a_sync(self, monitored: SyncedVersion, name: str) -> None:
        monitored.write("plain", ROWS)
        Path(monitored.path("plain")).rename(monitored.path(name))
        monitored.connect("serving", path=monitored.path(name))
        assert_reads(monitored, ROWS)

    def test_patterns_of_files_stay(self, monitored: SyncedVersion) -> None:
        for day, name in enumerate(("a b/1.parquet", "ü/1.parquet", "ü/2.parquet"), 1):
            path = monitored.folder / "files" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(spread(day, day, 2), path)
        monitored.connect("serving", path=f"{monitored.folder}/files/*/1.parquet", format="parquet")
        assert_reads(monitored, pa.concat_tables([spread(1, 1, 2), spread(2, 2, 2)]))

    def test_a_name_that_exists_is_no_pattern(self, monitored: SyncedVersion) -> None:
        for day, name in enumerate(("[12]", "1", "2"), 1):
            path = monitored.folder / "files" / name / "f.parquet"
            path.parent.mkdir(parents=True)
            pq.write_table(spread(day, day, 2), path)
        monitored.connect("serving", path=f"{monitored.folder}/files/[12]", format="parquet")
        assert_reads(monitored, spread(1, 1, 2))


class TestPartitions:
    VALUES = (
        "ä",
        "a b",
        "a%20b",
        "a=b",
        "a/b",
        "a:b",
        "[x]",
        "{y}",
        "*",
        "#",
        "?",
        "+",
        "日本",
        "'q'",
        '"q"',
        "\\",
    )

    def test_values_with_special_characters(self, monitored: SyncedVersion) -> None:
        rows = spread(1, 2, 8)
        rows = rows.set_column(rows.column_names.index("city"), "city", pa.array(self.VALUES))
        monitored.write("serving", rows, partition_by=["city"])
        monitored.connect("serving")
        assert_reads(monitored, rows)

    @pytest.mark.parametrize("encoded", [True, False])
    def test_deleted_rows_below_them(self, monitored: SyncedVersion, encoded: bool) -> None:
        """Spark writes ``city=ä`` as it is, deltalake encodes it twice: the deleted rows are the same."""
        rows = spread(1, 2, 12)
        rows = rows.set_column(rows.column_names.index("city"), "city", pa.array(["ä"] * 24))
        rows = rows.set_column(0, "id", pa.array([None, *(str(n) for n in range(23))], pa.string()))
        monitored.write("serving", rows, partition_by=["city"])
        table = Path(monitored.path("serving"))
        (data,) = table.glob("city=*/*.parquet")
        if not encoded:
            (table / "city=ä").mkdir()
            data.rename(table / "city=ä" / data.name)

        def deleting(actions: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
            for action in actions:
                if "protocol" in action:
                    yield logs.protocol("deletionVectors")
                elif "add" in action:
                    path = action["add"]["path"] if encoded else f"city=ä/{data.name}"
                    yield {
                        "add": {**action["add"], "path": path, "deletionVector": logs.deletion_vector([0])}
                    }
                else:
                    yield action

        rewrite(table, deleting)
        files = DeltaLog(f"file://{table}").files(["id"])
        assert (files.row_count, files.table["deleted"].to_pylist()) == (23, [1])
        monitored.connect("serving")
        assert_reads(monitored, rows.slice(1))


class TestOnS3:
    @pytest.fixture
    def on_s3(self, s3: S3, monitored: SyncedVersion) -> SyncedVersion:
        monitored.place, monitored.options, monitored.engine = (
            f"s3://{s3.bucket}",
            s3.delta_options,
            "embedded",
        )
        monitored.credentials = AwsCredentials(
            servers.S3_KEY, servers.S3_SECRET, region=servers.S3_REGION, endpoint_url=s3.endpoint
        )
        return monitored

    def test_deletion_vectors_in_files_beside_statistics_that_are_no_json(
        self, on_s3: SyncedVersion, s3: S3
    ) -> None:
        rows = spread(1, 3, 4)
        on_s3.write("serving", rows)
        vector, path, body = logs.deletion_vector_in_a_file([0, 5, 11])
        prefix = on_s3.path("serving").removeprefix(f"s3://{s3.bucket}/")
        log = f"{prefix}/_delta_log/{0:020}.json"
        client = s3.client()
        actions = client.get_object(Bucket=s3.bucket, Key=log)["Body"].read().decode().splitlines()
        changed = [json.loads(action) for action in actions if '"protocol"' not in action]
        for action in changed:
            if "add" in action:
                action["add"] |= {"deletionVector": vector, "stats": '{"numRecords":12,"nullCount":NaN}'}
        lines = map(json.dumps, [logs.protocol("deletionVectors"), *changed])
        client.put_object(Bucket=s3.bucket, Key=log, Body="\n".join(lines).encode())
        client.put_object(Bucket=s3.bucket, Key=f"{prefix}/{path}", Body=body)
        on_s3.connect("serving")
        assert_reads(on_s3, rows.take([1, 2, 3, 4, 6, 7, 8, 9, 10]))

    def test_the_root_of_a_bucket(self, on_s3: SyncedVersion) -> None:
        place = str(on_s3.place)
        write_deltalake(place, ROWS, storage_options=on_s3.options)
        on_s3.connect("serving", path=place)
        assert_reads(on_s3, ROWS)

    def test_characters_that_every_reader_takes(self, on_s3: SyncedVersion) -> None:
        on_s3.write("a+b:c=d,e@(1);f!$g&'h'/t", ROWS)
        on_s3.connect("serving", path=on_s3.path("a+b:c=d,e@(1);f!$g&'h'/t"))
        assert_reads(on_s3, ROWS)

    @pytest.mark.parametrize(
        ("name", "shown"),
        [("a b", "' '"), ("ü[1]", "'[', ']', 'ü'"), ("x#?", "'#', '?'"), ("a%20b~", "'%', '~'")],
    )
    def test_others_are_refused(self, s3: S3, on_s3: SyncedVersion, name: str, shown: str) -> None:
        # The writer decodes percent signs more than once, so the table is copied to such a path.
        on_s3.write("plain", ROWS)
        client = s3.client()
        for entry in client.list_objects_v2(Bucket=s3.bucket, Prefix="plain/")["Contents"]:
            origin = {"Bucket": s3.bucket, "Key": entry["Key"]}
            key = f"{name}/{entry['Key'].removeprefix('plain/')}"
            client.copy_object(Bucket=s3.bucket, Key=key, CopySource=origin)
        assert DeltaLog(on_s3.path(name), on_s3.credentials).files([]).row_count == len(ROWS)
        on_s3.connect("serving", path=on_s3.path(name))
        assert_refuses(on_s3, f"has {shown} in its path", "Copy the table to a path of ASCII letters")

    def test_files_of_other_formats(self, s3: S3, on_s3: SyncedVersion) -> None:
        names = ["a b", "ü", "a%20b", "x#y", "plain"]
        for count, name in enumerate(names, 1):
            sink = pa.BufferOutputStream()
            pq.write_table(numbered(count), sink)
            key = f"{name}/f.parquet"
            s3.client().put_object(Bucket=s3.bucket, Key=key, Body=sink.getvalue().to_pybytes())
        with spark_session("embedded", on_s3.credentials) as spark:
            for count, name in enumerate(names, 1):
                source = S3DataSource(object_path=f"{s3.bucket}/{name}", object_format="parquet")
                assert read(spark, source).count() == count, name
            source = S3DataSource(object_path=f"{s3.bucket}/*/f.parquet", object_format="parquet")
            assert read(spark, source).count() == sum(range(len(names) + 1))
            source = S3DataSource(object_path=f"{s3.bucket}/[x]", object_format="parquet")
            with pytest.raises(AporiaError, match="begin patterns in it"):
                read(spark, source)


def test_another_scheme_is_no_reason_to_try_again() -> None:
    for path in ("https://host/t", "gs://b/t", "s3:/b/t"):
        with pytest.raises(ValidationError) as caught:
            S3DataSource(object_path=path, object_format="delta")
        assert not isinstance(caught.value, TransientError)
