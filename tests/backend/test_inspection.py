"""Preflight of real Delta tables on a real S3, with a real Sail where an engine is needed."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from aporia_provider.data_sources import JDBCDataSource, S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.errors import AuthenticationError, NotFoundError, TransientError, ValidationError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.preflight import inspection
from aporia_provider.preflight.checks import inspect, preflight
from aporia_provider.schema import VersionSchema
from tests import servers
from tests.conftest import S3
from tests.lake import logs
from tests.lake.strict_s3 import StrictS3, strict_s3

SECRET = "planted-secret-access-key"
SCHEMA = VersionSchema(
    model_type="regression",
    features={"x": "numeric", "v": {"type": "tensor", "dimensions": [2]}},
    predictions={"y": "numeric"},
)
NOW = datetime(2024, 5, 1, tzinfo=UTC)
ROWS = pa.table(
    {
        "id": ["a", "b", None],
        "at": pa.array([NOW, None, NOW], pa.timestamp("us", "UTC")),
        "x": [1.0, 2.0, 3.0],
        "v": [[1.0, 2.0]] * 3,
        "y": [1.0, 2.0, 3.0],
    }
)
GOOD = ROWS.set_column(0, "id", [["a", "b", "c"]]).set_column(
    1, "at", pa.array([NOW] * 3, pa.timestamp("us", "UTC"))
)


def source(path: Path | str, object_format: str = "delta", **more: Any) -> S3DataSource:
    return S3DataSource(object_path=str(path), object_format=object_format, **more)


def dataset(where: Any, role: str = "serving", **more: Any) -> DatasetConnection:
    values = {"id_column": "id", "timestamp_column": "at", **more}
    return DatasetConnection(role=role, data_source=where, **values)


def seen_through(proxy: StrictS3) -> AwsCredentials:
    return AwsCredentials("AKIA", SECRET, region=servers.S3_REGION, endpoint_url=proxy.endpoint)


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("an engine was started")

    monkeypatch.setattr(inspection, "spark_session", refuse)


class TestInspect:
    def test_expressions_that_name_no_column_say_which_is_nearest(self, tmp_path: Path, engine: str) -> None:
        write_deltalake(tmp_path, GOOD)
        pq.write_table(GOOD, tmp_path / "t.parquet")
        expressions = ["id", "at", "upper(idd) AS x", "vv", "`at x` AS z"]
        for where in (source(tmp_path), source(tmp_path / "t.parquet", "parquet")):
            wrong = where.model_copy(update={"select_expr": expressions})
            with pytest.raises(ValidationError) as failure:
                inspect(wrong, engine=engine)
            assert failure.value.message == (
                f"{where.uri} could not be read: "
                "select_expr[2]: there is no column 'idd', did you mean 'id'?; "
                "select_expr[3]: there is no column 'vv', did you mean 'v'?; "
                "select_expr[4]: there is no column 'at x', did you mean 'at'?"
            )

    @pytest.mark.parametrize("object_format", ["parquet", "csv", "json"])
    @pytest.mark.parametrize("place", ["disk", "s3"])
    def test_a_delta_table_is_not_read_in_another_format(
        self, s3: S3, tmp_path: Path, no_engine: None, object_format: str, place: str
    ) -> None:
        where = s3.uri("t") if place == "s3" else str(tmp_path / "t")
        write_deltalake(where, GOOD, storage_options=s3.delta_options if place == "s3" else None)
        credentials = AwsCredentials(
            servers.S3_KEY, servers.S3_SECRET, region=servers.S3_REGION, endpoint_url=s3.endpoint
        )
        found = preflight(
            dataset(source(f"{where}/", object_format)), SCHEMA, credentials=credentials, check_rows=True
        )
        assert any("is a Delta table" in line and "object_format='delta'" in line for line in found.problems)

    @pytest.mark.usefixtures("no_engine")
    def test_a_delta_table_is_known_from_its_log_alone(self, s3: S3) -> None:
        write_deltalake(s3.uri("t"), ROWS, storage_options=s3.delta_options)
        with strict_s3(s3.endpoint) as proxy:
            told = inspect(source(s3.uri("t")), credentials=seen_through(proxy), nulls_of=["id", "at", "v"])
            assert all("/_delta_log/" in key for key in proxy.seen_keys())
        assert (told.uri, told.version, told.rows) == (s3.uri("t"), 0, 3)
        assert told.null_counts == {"id": 1, "at": 1}, "the log counts no nulls of arrays"
        assert [name for name, _ in told.columns] == ["id", "at", "x", "v", "y"]

    def test_expressions_are_analysed_and_nulls_of_copies_still_come_from_the_log(
        self, tmp_path: Path, engine: str
    ) -> None:
        write_deltalake(tmp_path, ROWS)
        (data,) = tmp_path.glob("*.parquet")
        data.unlink()
        expressions = ["id AS key", "to_date(at) AS at", "x * 2 AS twice"]
        told = inspect(source(tmp_path, select_expr=expressions), engine=engine, nulls_of=["key", "at"])
        assert told.columns == (("key", "string"), ("at", "date"), ("twice", "double"))
        assert (told.rows, told.null_counts) == (3, {"key": 1})

    def test_other_formats_are_analysed(self, tmp_path: Path, engine: str) -> None:
        pq.write_table(GOOD, tmp_path / "t.parquet")
        told = inspect(source(tmp_path / "t.parquet", "parquet"), engine=engine, nulls_of=["id"])
        assert dict(told.columns)["x"] == "double"
        assert (told.version, told.rows, told.null_counts) == (None, None, {})

    @pytest.mark.usefixtures("no_engine")
    def test_a_version_by_its_number(self, tmp_path: Path) -> None:
        write_deltalake(tmp_path, GOOD)
        write_deltalake(tmp_path, GOOD, mode="append")
        for wanted in ("0", 0):
            old = inspect(source(tmp_path, read_options={"versionAsOf": wanted}))
            assert (old.version, old.rows) == (0, 3)
        for wrong in ("latest", True, 1.0, -1, "²"):
            with pytest.raises(ValidationError, match="which is not a version"):
                inspect(source(tmp_path, read_options={"versionAsOf": wrong}))
        with pytest.raises(ValidationError, match="the table has no version 7; its latest is 1"):
            inspect(source(tmp_path, read_options={"versionAsOf": 7}))
        with pytest.raises(ValidationError, match="versionAsOf"):
            inspect(source(tmp_path, read_options={"timestampAsOf": "2024-01-01"}))

    @pytest.mark.usefixtures("no_engine")
    def test_changes_of_a_table_are_not_its_rows(self, tmp_path: Path) -> None:
        write_deltalake(tmp_path, GOOD, configuration={"delta.enableChangeDataFeed": "true"})
        options = {"readChangeFeed": True, "startingVersion": 0, "versionAsOf": "last"}
        with pytest.raises(ValidationError) as caught:
            inspect(source(tmp_path, read_options=options))
        told = str(caught.value)
        assert "readChangeFeed and startingVersion in read_options select the changes" in told
        assert "versionAsOf is 'last'" in told

    def test_the_columns_are_those_of_the_version(self, tmp_path: Path, engine: str) -> None:
        write_deltalake(tmp_path, GOOD)
        later = pa.table({"id": ["d"], "later": [1]})
        write_deltalake(tmp_path, later, mode="overwrite", schema_mode="overwrite")
        pinned = {"versionasof": 0}
        expected = ("id", "at", "x", "v", "y")
        assert tuple(name for name, _ in inspect(source(tmp_path, read_options=pinned)).columns) == expected
        analysed = inspect(source(tmp_path, read_options=pinned, select_expr=["*"]), engine=engine)
        assert tuple(name for name, _ in analysed.columns) == expected
        assert (analysed.version, analysed.rows) == (0, 3)

    @pytest.mark.usefixtures("no_engine")
    @pytest.mark.parametrize("option", ["versionAsOf", "timestampAsOf"])
    def test_files_without_a_log_have_no_versions(self, tmp_path: Path, option: str) -> None:
        with pytest.raises(ValidationError, match=f"{option} in read_options is for Delta tables"):
            inspect(source(tmp_path, "csv", read_options={"header": True, option: 0}))

    @pytest.mark.usefixtures("no_engine")
    def test_faulty_expressions_never_reach_an_engine(self, tmp_path: Path) -> None:
        write_deltalake(tmp_path, GOOD)
        with pytest.raises(ValidationError) as caught:
            inspect(source(tmp_path, select_expr=["reflect('a')", "(SELECT 1)"]))
        assert len(caught.value.problems) >= 2

    def test_what_s3_refuses_the_engine_is_told_by_name(self, s3: S3) -> None:
        s3.client().put_object(Bucket=s3.bucket, Key="p/t.parquet", Body=b"x")
        denied = {"Version": "2012-10-17", "Statement": []}
        with strict_s3(s3.endpoint, denied) as proxy, pytest.raises(AuthenticationError) as caught:
            inspect(source(s3.uri("p"), "parquet"), credentials=seen_through(proxy))
        assert f"denies s3:ListBucket on prefix 'p' of bucket '{s3.bucket}'" in caught.value.message

    def test_other_errors_keep_their_kind(self, s3: S3) -> None:
        with strict_s3(s3.endpoint) as proxy, pytest.raises(NotFoundError):
            inspect(source(s3.uri("none")), credentials=seen_through(proxy))
        with pytest.raises(ValidationError, match="would require a JDBC driver"):
            inspect(JDBCDataSource(url="jdbc:x", query="SELECT 1"))


class TestTenThousandFiles:
    """The table has no data file at all: its log was written by hand."""

    @pytest.mark.usefixtures("no_engine")
    def test_no_data_file_is_read(self, s3: S3) -> None:
        body = logs.many_files(10_000).encode()
        s3.client().put_object(Bucket=s3.bucket, Key=f"big/_delta_log/{0:020}.json", Body=body)
        schema = VersionSchema(
            model_type="regression",
            features=dict.fromkeys(logs.NUMBERS[1:], "numeric"),
            predictions={logs.NUMBERS[0]: "numeric"},
        )
        with strict_s3(s3.endpoint) as proxy:
            report = preflight(dataset(source(s3.uri("big"))), schema, credentials=seen_through(proxy))
            keys = proxy.seen_keys()
        assert (report.problems, report.warnings) == ([], [])
        assert (report.table_version, report.rows) == (0, 1_000_000)
        assert keys == {"big/_delta_log/_last_checkpoint", f"big/_delta_log/{0:020}.json"}
        assert len(proxy.requests) < 10


class TestPreflight:
    @pytest.mark.usefixtures("no_engine")
    def test_good_data(self, tmp_path: Path) -> None:
        write_deltalake(tmp_path, GOOD)
        report = preflight(dataset(source(tmp_path)), SCHEMA)
        report.raise_for_problems()
        assert (report.problems, report.table_version, report.rows) == ([], 0, 3)
        assert report.columns is not None
        assert len(report.columns) == 5

    def test_everything_at_once(self, tmp_path: Path, engine: str) -> None:
        write_deltalake(tmp_path, ROWS)
        where = source(
            tmp_path,
            select_expr=[
                "id",
                "at",
                "reflect('a') AS y",
                "x AS xx",
                "(SELECT 1) AS z",
                "cast(v AS string) AS v",
            ],
        )
        report = preflight(dataset(where, features={"vv": "v"}), SCHEMA, engine=engine)
        told = "\n".join(report.problems)
        for part in (
            "select_expr[2] \"reflect('a') AS y\": reflect() is not allowed",
            "select_expr[4] '(SELECT 1) AS z': subqueries",
            "id_column 'id' is null in 1 of 3 rows",
            "timestamp_column 'at' is null in 1 of 3 rows",
            "feature 'x', but the table has no column 'x'; did you mean 'xx'?",
            "feature 'v' is tensor[2], but column 'v' is string",
            "features: 'vv' is not among the features of the version",
        ):
            assert part in told
        assert "'y'" not in told.replace("AS y", ""), "the refused expression would have made y"
        with pytest.raises(ValidationError) as caught:
            report.raise_for_problems()
        assert caught.value.problems == report.problems

    def test_an_unreadable_table_is_one_problem_beside_the_others(self, tmp_path: Path) -> None:
        where = source(tmp_path / "none", select_expr=["uuid() AS id"])
        broken = dataset(where, timestamp_column="id", features={"zz": "x"})
        problems = preflight(broken, SCHEMA).problems
        assert len(problems) == 4
        for part in ("uuid()", "no Delta table", "both 'id'", "features: 'zz'"):
            assert part in "\n".join(problems)

    def test_a_denied_table_is_a_problem_with_bucket_prefix_and_action(self, s3: S3) -> None:
        write_deltalake(s3.uri("t"), GOOD, storage_options=s3.delta_options)
        with strict_s3(s3.endpoint, {"Version": "2012-10-17", "Statement": []}) as proxy:
            (problem,) = preflight(
                dataset(source(s3.uri("t"))), SCHEMA, credentials=seen_through(proxy)
            ).problems
        for part in ("s3:ListBucket", f"bucket '{s3.bucket}'", "prefix 't/_delta_log/'"):
            assert part in problem

    @pytest.mark.process
    def test_lost_connections_stay_worth_a_retry(self) -> None:
        dead = AwsCredentials("k", SECRET, endpoint_url=f"http://127.0.0.1:{servers.free_port()}")
        for object_format in ("delta", "parquet"):
            with pytest.raises(TransientError):
                preflight(dataset(source("s3://some-bucket/t", object_format)), SCHEMA, credentials=dead)

    def test_without_an_engine_the_log_still_tells(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from aporia_provider.engine import session

        real = session.importlib.util.find_spec
        monkeypatch.setattr(
            session.importlib.util, "find_spec", lambda name: None if name == "pysail" else real(name)
        )
        write_deltalake(tmp_path, GOOD)
        assert preflight(dataset(source(tmp_path)), SCHEMA).problems == []
        (problem,) = preflight(dataset(source(tmp_path, select_expr=["*"])), SCHEMA).problems
        assert "airflow-provider-aporia[embedded]" in problem

    def test_secrets_are_nowhere(
        self, s3: S3, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        write_deltalake(s3.uri("t"), ROWS, storage_options=s3.delta_options)
        texts: list[str] = []
        with caplog.at_level(logging.DEBUG, "aporia_provider"), strict_s3(s3.endpoint) as proxy:
            known = seen_through(proxy)
            for where in (source(s3.uri("t"), select_expr=["*"]), source(s3.uri("none"), "parquet")):
                report = preflight(dataset(where), SCHEMA, credentials=known, check_rows=True)
                texts += [repr(report), repr(known), *report.problems, *report.warnings]
        out, err = capfd.readouterr()
        assert SECRET not in "\n".join([*texts, caplog.text, out, err, *os.environ.values()])


class TestRows:
    schema = VersionSchema(
        model_type="regression",
        raw_inputs={"when": "datetime"},
        features={
            "x": "numeric",
            "flag": "boolean",
            "flat": {"type": "tensor", "dimensions": [2, 2]},
            "deep": {"type": "tensor", "dimensions": [2, 2]},
            "cube": {"type": "tensor", "dimensions": [1, 2, 1]},
        },
        predictions={"y": "numeric"},
    )

    def table(self, folder: Path, **changes: list[Any]) -> S3DataSource:
        good = {
            "id": ["a", "b", "c", "d"],
            "at": [NOW] * 4,
            "when": ["2024-01-01", "2024-01-01T10:00:00Z", None, "2024-01-01 10:00:00"],
            "x": [1.0, None, 2.0, 3.0],
            "flag": [0, 1, None, 1],
            "flat": [[1.0] * 4] * 3 + [None],
            "deep": [[[1.0] * 2] * 2] * 3 + [None],
            "cube": [[[[1.0], [1.0]]]] * 4,
            "y": [1.0] * 4,
        }
        write_deltalake(folder, pa.table({**good, **changes}))
        return source(folder)

    @pytest.fixture(autouse=True)
    def use(self, engine: str) -> None:
        self.engine = engine

    def told(self, where: S3DataSource, role: str = "serving") -> tuple[list[str], list[str]]:
        report = preflight(dataset(where, role), self.schema, check_rows=True, engine=self.engine)
        assert report.rows == 4
        depends = ("its values are read as",)
        return report.problems, [
            line for line in report.warnings if not any(part in line for part in depends)
        ]

    def test_good_rows(self, tmp_path: Path) -> None:
        assert self.told(self.table(tmp_path)) == ([], [])

    def test_every_fault_with_its_count_and_an_example(self, tmp_path: Path) -> None:
        late = (datetime.now(UTC) + timedelta(days=2)).replace(microsecond=123456)
        where = self.table(
            tmp_path,
            id=["a", "a", "c", None],
            at=[NOW, late, None, NOW],
            when=["2024-01-01", "soon", None, "2024-01-01"],
            x=[1.0, float("nan"), None, float("nan")],
            flag=[0, 7, None, 1],
            flat=[[1.0] * 4, [1.0] * 3, None, []],
            deep=[[[1.0] * 2] * 2, [[1.0] * 2], [[1.0] * 3, [1.0]], None],
            cube=[[[[1.0], [1.0]]], [[[1.0], [1.0, 2.0]]], [[[1.0]]], [[[1.0], None]]],
        )
        problems, warnings = self.told(where)
        two = "in 2 of 4 rows, for example "
        shown = f"'{late:%Y-%m-%d %H:%M:%S.%f}'"
        needs = "a prediction must have id and timestamp"
        assert set(problems) == {
            f"id_column 'id' is null in 1 of 4 rows: {needs}",
            f"timestamp_column 'at' is null in 1 of 4 rows: {needs}",
            "1 values of id_column 'id' occur more than once, for example 'a'",
            f"timestamp_column 'at' is in the future in 1 of 4 rows, for example {shown}",
            "raw input 'when' is not a date or time in 1 of 4 rows, for example 'soon'",
            "feature 'flag' is neither 0 nor 1 in 1 of 4 rows, for example '7'",
            f"feature 'flat' is not of the dimensions [2, 2] {two}'[1.0, 1.0, 1.0]'",
            f"feature 'deep' is not of the dimensions [2, 2] {two}'[[1.0, 1.0, 1.0], [1.0]]'",
            "feature 'cube' is not of the dimensions [1, 2, 1] in 3 of 4 rows, for example '[[[1.0], NULL]]'",
        }
        assert len(problems) == 9
        assert warnings == ["feature 'x' is NaN in 2 of 4 rows, for example 'NaN'"]

    def test_nan_beside_one_value(self, tmp_path: Path) -> None:
        """Statistics say that this column is 1 in all rows."""
        _, warnings = self.told(self.table(tmp_path, x=[1.0, float("nan"), 1.0, 1.0]))
        assert warnings == ["feature 'x' is NaN in 1 of 4 rows, for example 'NaN'"]

    def test_numbers_as_text_are_counted(self, tmp_path: Path) -> None:
        problems, _ = self.told(self.table(tmp_path, x=["1", "two", None, "3e5"]))
        assert "feature 'x' is not a number in 1 of 4 rows, for example 'two'" in problems

    def test_labels_may_be_corrected_later(self, tmp_path: Path) -> None:
        problems, warnings = self.told(self.table(tmp_path, id=["a", "a", "b", "b"]), role="actuals")
        assert problems == []
        assert warnings == ["2 values of id_column 'id' occur more than once, for example 'a'"]

    def test_the_data_is_scanned_once(self, s3: S3) -> None:
        write_deltalake(s3.uri("t"), GOOD, storage_options=s3.delta_options)
        with strict_s3(s3.endpoint) as proxy:
            where = dataset(source(s3.uri("t")))
            preflight(where, SCHEMA, credentials=seen_through(proxy), check_rows=True)
            read = [request.key for request in proxy.requests if request.key.endswith(".parquet")]
        footer_and_body = 2
        assert len(set(read)) == 1
        assert len(read) <= 2 * footer_and_body

    def test_a_table_that_lost_its_data_is_a_problem(self, tmp_path: Path) -> None:
        write_deltalake(tmp_path, GOOD)
        (path,) = DeltaTable(tmp_path).file_uris()
        Path(path.removeprefix("file://")).unlink()
        (problem,) = preflight(
            dataset(source(tmp_path)), SCHEMA, check_rows=True, engine=self.engine
        ).problems
        assert "could not be read" in problem


class TestClasses:
    """Labels of a binary model that are neither true nor false."""

    @pytest.fixture(autouse=True)
    def use(self, engine: str) -> None:
        self.engine = engine

    def told(
        self, folder: Path, columns: dict[str, list[Any]], labels: list[str] | None
    ) -> tuple[list[str], list[str]]:
        count = len(columns["score"])
        base = {"id": [f"{n}" for n in range(count)], "at": [NOW] * count}
        write_deltalake(folder, pa.table({**base, **columns}))
        schema = VersionSchema(
            model_type="binary",
            features={"x": "numeric"},
            predictions={"score": "numeric", "class": "string"},
            labels=labels,
        )
        where = dataset(source(folder), labels={"score": "true"})
        report = preflight(where, schema, check_rows=True, engine=self.engine)
        return report.problems, report.warnings

    def test_undeclared(self, tmp_path: Path) -> None:
        columns = {
            "x": [1.0] * 4,
            "score": [0.5] * 4,
            "class": ["Yes", "no", "it's", None],
            "true": [1, 2, 2, None],
        }
        problems, warnings = self.told(tmp_path / "one", columns, None)
        advice = (
            "(declare both classes as labels of the version, the positive one last, such as "
            'labels=["1", "2"] in the schema)'
        )
        shown = "is neither true nor false " + advice
        assert problems == [f"prediction 'class' {shown} in 1 of 4 rows, for example \"it's\""]
        assert warnings == [f"label of 'score' {shown} in 2 of 4 rows, for example '2'"]

    def test_declared(self, tmp_path: Path) -> None:
        columns = {
            "x": [1.0] * 4,
            "score": [0.5] * 4,
            "class": ["it's", "no\\", "NO", "No"],
            "true": ["it's", "no\\", "yes", "it's"],
        }
        problems, warnings = self.told(tmp_path / "one", columns, ["no\\", "it's"])
        shown = "is not one of the classes declared as labels, 'no\\\\' and \"it's\", in"
        assert problems == []
        assert sorted(warnings) == [
            f"label of 'score' {shown} 1 of 4 rows, for example 'yes'",
            f"prediction 'class' {shown} 2 of 4 rows, for example 'NO'",
        ]
