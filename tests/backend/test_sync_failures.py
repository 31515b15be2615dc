"""What cannot be read is said, and the last good states are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from sqlalchemy import select

from aporia_provider.backend.store.tables import DatasetRow
from aporia_provider.errors import (
    AporiaError,
    AuthenticationError,
    NotFoundError,
    TransientError,
    ValidationError,
)
from tests.backend.syncing import SyncedVersion, labelled, served, spread
from tests.lake.guarded import guarded_s3

pytestmark = pytest.mark.process


@pytest.fixture
def serving(monitored: SyncedVersion) -> SyncedVersion:
    """Predictions of two days, synced; those of a third are there."""
    monitored.connect("serving")
    monitored.write("serving", spread(1, 2, 5))
    monitored.sync()
    monitored.write("serving", spread(3, 3, 5))
    return monitored


@contextmanager
def failing(
    monitored: SyncedVersion, error: type[AporiaError], *words: str, role: str = "serving"
) -> Iterator[None]:
    """Whatever happens in the block, the next sync fails with these words and changes nothing."""
    before, good = monitored.stored(), monitored.status(role)
    yield
    with pytest.raises(error) as caught:
        monitored.sync(role)
    status = monitored.status(role)
    assert (status["status"], status["last_error"]) == ("failed", str(caught.value))
    assert [word for word in words if word not in status["last_error"]] == [], status["last_error"]
    assert "race" not in status["last_error"], "no traces of stacks"
    kept = ("table_version", "last_sync_at", "rows", "buckets", "reason")
    assert [status[name] for name in kept] == [good[name] for name in kept]
    assert monitored.stored() == before


def expressions(monitored: SyncedVersion, *select_expr: str) -> None:
    """Change expressions behind the registry's back: it refuses those it knows to be wrong."""
    with monitored.registry.database.write_transaction() as session:
        row = session.scalars(select(DatasetRow)).one()
        source = row.registration["data_source"]
        config = {**source["config"], "select_expr": list(select_expr)}
        row.registration = {**row.registration, "data_source": {**source, "config": config}}


def data_files(monitored: SyncedVersion, version: int, name: str = "serving") -> list[Path]:
    """The data files that a version added."""
    folder = Path(monitored.path(name))
    new = set(DeltaTable(folder, version=version).file_uris())
    old = set(DeltaTable(folder, version=version - 1).file_uris()) if version else set()
    return [Path(uri) for uri in new - old]


class TestColumns:
    @pytest.mark.parametrize(
        ("expression", "words"),
        [
            ("no_such_function(age) AS x", ("no_such_function",)),
            ("no_such_column AS x", ("serving", "no_such_column")),
            ("age +", ("age +",)),
            ("rand() AS x", ("rand",)),
        ],
    )
    def test_an_expression_that_is_broken(
        self, serving: SyncedVersion, expression: str, words: tuple[str, ...]
    ) -> None:
        with failing(serving, ValidationError, *words):
            expressions(serving, "*", expression)

    def test_an_expression_that_fails_on_the_values(self, serving: SyncedVersion) -> None:
        serving.write("serving", spread(4, 4, 1).set_column(3, "city", pa.array(["not JSON"])))
        columns = ["id", "at", "vip", "city", "score", "cast(city AS double) AS age"]
        with failing(serving, ValidationError, serving.path("serving"), "Cannot cast string"):
            expressions(serving, *columns)

    def test_a_column_that_vanished_comes_back(self, serving: SyncedVersion) -> None:
        with failing(serving, ValidationError, "'age'", "no column"):
            serving.write(
                "serving", spread(4, 4, 2).drop_columns(["age"]), "overwrite", schema_mode="overwrite"
            )
        status = serving.status()
        assert (status["table_version"], status["latest_version"], status["lag"]) == (0, 2, 2)
        serving.write("serving", spread(5, 5, 2), mode="overwrite", schema_mode="overwrite")
        status = serving.sync()
        assert (status["status"], status["last_error"], status["lag"]) == ("synced", None, 0)
        serving.check()

    def test_the_times_vanished(self, serving: SyncedVersion) -> None:
        with failing(serving, ValidationError, "'at'", "timestamp_column"):
            renamed = spread(4, 4, 2).rename_columns(["id", "when", "age", "city", "vip", "score"])
            serving.write("serving", renamed, mode="overwrite", schema_mode="overwrite")

    @pytest.mark.parametrize(
        ("column", "values"), [("age", ["old", "young"]), ("at", ["2024-01-01", "x"]), ("vip", ["yes", "no"])]
    )
    def test_a_type_that_changed(self, serving: SyncedVersion, column: str, values: list[str]) -> None:
        rows = spread(4, 4, 2)
        rows = rows.set_column(rows.column_names.index(column), column, pa.array(values))
        with failing(serving, ValidationError, repr(column), "string"):
            serving.write("serving", rows, mode="overwrite", schema_mode="overwrite")


class TestFiles:
    @pytest.mark.parametrize(
        "damage", [lambda held: b"", lambda held: held[:200], lambda held: b"x" * len(held)]
    )
    def test_a_corrupt_data_file(self, serving: SyncedVersion, damage: Callable[[bytes], bytes]) -> None:
        (path,) = data_files(serving, 1)
        with failing(serving, ValidationError, serving.path("serving")):
            path.write_bytes(damage(path.read_bytes()))

    def test_a_missing_data_file(self, serving: SyncedVersion) -> None:
        (path,) = data_files(serving, 1)
        with failing(serving, NotFoundError, path.name):
            path.unlink()

    def test_a_commit_cut_short(self, serving: SyncedVersion) -> None:
        commit = Path(serving.path("serving"), "_delta_log", f"{1:020}.json")
        content = commit.read_bytes()
        with failing(serving, ValidationError, serving.path("serving")):
            commit.write_bytes(content[: len(content) // 2])
        commit.write_bytes(content)
        assert serving.sync()["rows"] == 15
        serving.check()

    def test_no_table_any_more(self, serving: SyncedVersion) -> None:
        with failing(serving, NotFoundError, "no Delta table", serving.path("serving")):
            Path(serving.path("serving")).rename(serving.folder / "elsewhere")

    @pytest.mark.very_slow
    def test_access_denied_to_the_data(self, monitored: SyncedVersion) -> None:
        monitored.engine = "embedded"
        with guarded_s3() as s3:
            monitored.place, monitored.options, monitored.credentials = (
                f"s3://{s3.bucket}/tables",
                s3.delta_options,
                s3.user(reading(s3.bucket, "tables/serving*")),
            )
            monitored.connect("serving")
            monitored.write("serving", spread(1, 2, 5))
            with s3.enforced():
                monitored.sync()
            monitored.write("serving", spread(3, 3, 5))
            refused = s3.user(reading(s3.bucket, "tables/serving/_delta_log/*"))
            where = f"s3://{s3.bucket}/tables/serving"
            with s3.enforced(), failing(monitored, AuthenticationError, where):
                monitored.credentials = refused


def reading(bucket: str, keys: str) -> dict[str, Any]:
    resources = {"s3:ListBucket": f"arn:aws:s3:::{bucket}", "s3:GetObject": f"arn:aws:s3:::{bucket}/{keys}"}
    statements = [
        {"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in resources.items()
    ]
    return {"Version": "2012-10-17", "Statement": statements}


class TestEngines:
    @pytest.mark.parametrize(
        ("address", "error", "words"),
        [
            ("sc://127.0.0.1:1/;token=secret", TransientError, "does not respond"),
            ("sc://user:secret@127.0.0.1:1", ValidationError, "before an '@'"),
            ("spark://127.0.0.1:7077", ValidationError, "is not an engine"),
        ],
    )
    def test_none_there(
        self, serving: SyncedVersion, address: str, error: type[AporiaError], words: str
    ) -> None:
        with failing(serving, error, words):
            serving.engine = address
        assert "secret" not in serving.status()["last_error"]


class TestLabels:
    def test_broken_labels_do_not_hold_up_the_predictions(self, serving: SyncedVersion) -> None:
        serving.connect("actuals")
        serving.write("actuals", labelled(8, {"x": True}))
        serving.sync("serving")
        serving.sync("actuals")
        compared = serving.stored("performance")
        serving.write("serving", spread(4, 4, 5))
        serving.write("actuals", labelled(9, {"x": True}))
        (path,) = data_files(serving, 1, "actuals")
        content = path.read_bytes()
        path.unlink()
        with pytest.raises(NotFoundError, match=path.name):
            serving.sync("serving")
        status = serving.status()
        assert (status["status"], status["rows"], status["table_version"]) == ("synced", 20, 2)
        performance = status["performance"]
        assert (performance["status"], performance["table_version"], performance["lag"]) == ("failed", 1, 1)
        assert path.name in performance["last_error"]
        assert serving.stored("performance") == compared
        # The sync of the labels, which are due, compares the predictions again as well.
        assert [found["role"] for found in serving.registry.get_due_datasets()] == ["actuals"]
        path.write_bytes(content)
        serving.sync("serving")
        serving.sync("actuals")
        assert serving.status()["performance"]["status"] == "synced"
        serving.check()

    def test_labels_that_are_not_there_yet(self, serving: SyncedVersion) -> None:
        serving.connect("actuals")
        with pytest.raises(NotFoundError, match=r"no Delta table at .*actuals"):
            serving.sync("serving")
        assert serving.status()["rows"] == 15
        assert serving.status()["performance"]["status"] == "failed"
        with pytest.raises(NotFoundError, match=r"no Delta table at .*actuals"):
            serving.sync("actuals")
        assert serving.status("actuals")["status"] == "failed"
        serving.write("actuals", labelled(8, {}))
        serving.sync("actuals")
        assert serving.status()["performance"]["status"] == "synced"
        serving.check()

    def test_the_baseline_cannot_be_read(self, serving: SyncedVersion) -> None:
        with failing(serving, NotFoundError, "no Delta table", "training"):
            serving.connect("training")
        serving.write("training", served(1.5, 1.6))
        assert serving.sync()["rows"] == 15
        serving.check()
