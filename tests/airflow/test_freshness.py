"""Freshness of tables, by the hook and by the command, on an S3 whose requests are counted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.backend.freshness.datasets import dataset_freshness
from aporia_provider.cli.main import main
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.errors import NotFoundError, ValidationError
from aporia_provider.hooks.delta_lake import DeltaLakeHook
from aporia_provider.models import Model
from aporia_provider.schema import VersionSchema
from tests import servers
from tests.conftest import S3
from tests.lake import histories
from tests.lake.strict_s3 import StrictS3, strict_s3

NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)
DAILY = [NOW - timedelta(days=day, hours=10) for day in range(40)][::-1]
PAGE = (Path(__file__).parents[2] / "docs" / "how_to" / "check_table_freshness.md").read_text()


@pytest.fixture
def proxy(s3: S3, monkeypatch: pytest.MonkeyPatch) -> Iterator[StrictS3]:
    with strict_s3(s3.endpoint) as proxy:
        connection = {
            "conn_type": "aws",
            "login": servers.S3_KEY,
            "password": servers.S3_SECRET,
            "extra": {"endpoint_url": proxy.endpoint, "region_name": servers.S3_REGION},
        }
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
        yield proxy


def put(s3: S3, table: str, times: list[datetime]) -> str:
    client = s3.client()
    for name, content in histories.written_log(times).items():
        client.put_object(Bucket=s3.bucket, Key=f"{table}/_delta_log/{name}", Body=content)
    return s3.uri(table)


@pytest.fixture
def tables(s3: S3) -> dict[str, str]:
    return {"fresh": put(s3, "fresh", DAILY), "stale": put(s3, "stale", DAILY[:-3])}


def test_the_hook_reads_logs_only(s3: S3, proxy: StrictS3, tables: dict[str, str], tmp_path: Path) -> None:
    written = s3.uri("written")
    for number in range(3):
        write_deltalake(written, pa.table({"id": [number]}), mode="append", storage_options=s3.delta_options)
    DeltaTable(written, storage_options=s3.delta_options).create_checkpoint()
    paths = [*tables.values(), written, s3.uri("missing")]
    result = DeltaLakeHook().check_freshness(paths, now=NOW, history_folder=str(tmp_path))
    assert result == json.loads(json.dumps(result))
    assert (result["outcome"], result["late"]) == ("fail", [tables["stale"]])
    assert result["unreadable"] == [s3.uri("missing")]
    fresh, stale, new, missing = result["tables"]
    assert {metric: each["outcome"] for metric, each in fresh["verdicts"].items()} == {
        **dict.fromkeys(("late", "commit_gap", "rows_added", "files_added", "schema_changed"), "pass"),
        "null_share": "pass",
    }
    assert (fresh["version"], fresh["commits"], fresh["last_writer"]) == (40, 41, "hand-written/1")
    assert stale["verdicts"]["late"]["value"] > 2 * 86400
    assert new["verdicts"]["late"]["outcome"] == "insufficient"
    assert (
        missing["error"]
        == f"There is no Delta table at {s3.uri('missing')}: its _delta_log contains no commit"
    )
    # Neither data files nor checkpoints.
    assert {key.rpartition("/")[0].partition("/")[2] for key in proxy.seen_keys()} == {"_delta_log"}
    assert all(key.endswith(".json") for key in proxy.seen_keys())
    proxy.requests.clear()
    assert DeltaLakeHook().check_freshness(paths, now=NOW, history_folder=str(tmp_path)) == result
    assert [(request.method, request.key) for request in proxy.requests] == [("GET", "")] * 4


def test_parameters_that_are_wrong(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="no time zone"):
        DeltaLakeHook().check_freshness(str(tmp_path), now=datetime(2024, 1, 1))  # noqa: DTZ001
    with pytest.raises(ValidationError, match="settings of freshness"):
        DeltaLakeHook().check_freshness(str(tmp_path), timezone="Nowhere")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = datetime.now(UTC)
    times = [now - timedelta(days=day, hours=1) for day in range(30)][::-1]
    fresh = histories.put(tmp_path / "fresh", histories.written_log(times))
    stale = histories.put(tmp_path / "stale", histories.written_log(times[:-3]))
    assert main(["freshness", fresh]) == 0
    capsys.readouterr()
    assert main(["freshness", fresh, stale, f"{tmp_path}/missing"]) == 1
    printed = capsys.readouterr()
    _, _, first, second, third = printed.out.splitlines()
    assert re.findall(r"\b(?:pass|fail|insufficient)\b", first)[0] == "pass"
    assert re.findall(r"\b(?:pass|fail|insufficient)\b", second)[0] == "fail"
    assert third.split()[1:] == ["insufficient"]
    assert f"{stale}: late: fail: the last write was at" in printed.err
    assert main(["freshness", f"{tmp_path}/missing"]) == 2
    capsys.readouterr()
    assert main(["freshness", stale, "--max-gap", "4d", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["late"] == []


def test_a_dataset(tmp_path: Path) -> None:
    table = histories.put(tmp_path / "table", histories.written_log(DAILY[:-3]))
    registered: list[tuple[str, Any]] = [
        ("serving", S3DataSource(object_path=table, object_format="delta")),
        ("training", S3DataSource(object_path=f"{table}-files", object_format="parquet")),
    ]
    with EmbeddedRegistry(f"sqlite:///{tmp_path}/registry.db", "test") as registry:
        registry.create_model(Model(id="m", name="m"))
        schema = VersionSchema(
            model_type="regression", features={"id": "numeric"}, predictions={"p": "numeric"}
        )
        registry.create_model_version("m", "v", schema)
        for role, source in registered:
            registry.connect_dataset(
                "m",
                "v",
                DatasetConnection(role=role, data_source=source, id_column="id", timestamp_column="at"),
            )
        checked = dataset_freshness(registry, "m", "v", "serving", NOW)
        assert (checked.uri, checked.late.outcome) == (table, "fail")
        with pytest.raises(ValidationError, match="not a Delta table"):
            dataset_freshness(registry, "m", "v", "training", NOW)
        with pytest.raises(NotFoundError, match="no actuals dataset"):
            dataset_freshness(registry, "m", "v", "actuals", NOW)


@pytest.mark.very_slow
def test_the_examples_of_the_page(s3: S3, proxy: StrictS3, tables: dict[str, str]) -> None:
    check, fail = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(
        check.replace("my-bucket/orders", f"{s3.bucket}/fresh").replace(
            "my-bucket/customers", f"{s3.bucket}/stale"
        ),
        names,
    )
    result = names["check_tables"].function()
    # Today, both are late.
    assert result["late"] == list(tables.values())
    exec(fail, names)
    with pytest.raises(Exception, match="Late tables"):
        names["fail_if_late"].function(result)
    names["fail_if_late"].function({"late": []})
