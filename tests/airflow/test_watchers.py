"""Watchers of Delta tables, in Airflow's own runner of triggers and against a real S3."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from airflow.sdk import Asset, AssetWatcher
from deltalake import DeltaTable, write_deltalake

from aporia_provider.errors import ValidationError
from aporia_provider.lake.log.positions import BEFORE_CREATION, CommitRange, TablePosition
from aporia_provider.table_assets import delta_table_asset
from aporia_provider.triggers import poll_intervals
from aporia_provider.triggers.polled_table import PolledTable
from aporia_provider.triggers.s3_access import s3_access
from aporia_provider.triggers.table_commits import DeltaTableCommitTrigger
from tests import servers
from tests.airflow.proxies import Refusing
from tests.airflow.triggerer import WATCHES, Metadata, Triggerer, running
from tests.conftest import S3

INTERVAL = 0.02
Running = Callable[[Metadata], Any]


@pytest.fixture(autouse=True)
def short_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll_intervals, "MIN_POLL_INTERVAL", INTERVAL)
    monkeypatch.setattr(poll_intervals, "MAX_DELAY_SECONDS", INTERVAL)


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Running:
    if not WATCHES:
        pytest.skip("Airflow before 3.3 has neither state stores of assets nor shared streams")
    return lambda metadata: running(metadata, monkeypatch)


@pytest.fixture
def between(aws: S3, set_connection: Callable[..., None]) -> Iterator[Refusing]:
    """A server between the connection ``aws_default`` and S3."""
    proxy = Refusing(aws.endpoint)
    set_connection(
        "aws_default",
        conn_type="aws",
        login=servers.S3_KEY,
        password=servers.S3_SECRET,
        extra={
            "endpoint_url": f"http://127.0.0.1:{proxy.server_port}",
            "region_name": servers.S3_REGION,
        },
    )
    yield proxy
    proxy.stop()


def append(s3: S3, name: str, **more: Any) -> None:
    options = {"storage_options": s3.delta_options, "mode": "append", **more}
    write_deltalake(s3.uri(name), pa.table({"amount": [1]}), **options)


def watched(metadata: Metadata, uri: str, name: str | None = None, **more: Any) -> list[Any]:
    """Watch a table; the list of the events that are stored."""
    asset = delta_table_asset(uri, watch=True, poll_interval=INTERVAL, **more)
    if name is not None:
        trigger = DeltaTableCommitTrigger(uri, poll_interval=INTERVAL, asset_name=name, **more)
        asset = Asset(name=name, uri=f"x-test://{name}", watchers=[AssetWatcher(name="w", trigger=trigger)])
    events: list[Any] = metadata.events.setdefault(metadata.watch(asset), [])
    return events


def event(uri: str, first: int, last: int, *, recreated: bool = False) -> dict[str, object]:
    return {"table_uri": uri, "from_version": first, "to_version": last, "recreated": recreated}


def positions(metadata: Metadata) -> list[int]:
    return [state["version"] for state in metadata.states.values()]


async def test_a_commit_is_noticed_and_none_while_the_triggerer_is_down_is_lost(
    aws: S3, start: Running
) -> None:
    append(aws, "t")
    metadata = Metadata()
    events = watched(metadata, aws.uri("t"))
    async with start(metadata) as triggerer:
        await triggerer.until(lambda: positions(metadata) == [0])
        assert events == []
        append(aws, "t")
        await triggerer.until(lambda: positions(metadata) == [1])
    append(aws, "t")
    append(aws, "t")
    async with start(metadata) as triggerer:
        await triggerer.until(lambda: len(events) > 1)
    assert events == [event(aws.uri("t"), 1, 1), event(aws.uri("t"), 2, 3)]


async def test_compaction_is_an_event_only_if_one_asks_for_it(aws: S3, start: Running) -> None:
    for _ in range(3):
        append(aws, "t")
    metadata, uri = Metadata(), aws.uri("t")
    changes = watched(metadata, uri, "changes")
    commits = watched(metadata, uri, "commits", data_changes_only=False)
    async with start(metadata) as triggerer:
        await triggerer.until(lambda: positions(metadata) == [2, 2])
        DeltaTable(uri, storage_options=aws.delta_options).optimize.compact()
        await triggerer.until(lambda: positions(metadata) == [3, 3])
        assert (changes, commits) == ([], [event(uri, 3, 3)])
        append(aws, "t")
        await triggerer.until(lambda: positions(metadata) == [4, 4])
    assert changes == [event(uri, 4, 4)]
    assert commits == [event(uri, 3, 3), event(uri, 4, 4)]


async def test_a_table_may_be_created_and_created_again_while_it_is_watched(aws: S3, start: Running) -> None:
    metadata, uri = Metadata(), aws.uri("t")
    events = watched(metadata, uri)
    async with start(metadata) as triggerer:
        await triggerer.until(lambda: positions(metadata) == [-1])
        append(aws, "t")
        await triggerer.until(lambda: positions(metadata) == [0])
        append(aws, "t")
        await triggerer.until(lambda: positions(metadata) == [1])
        s3 = aws.client()
        for item in s3.list_objects_v2(Bucket=aws.bucket)["Contents"]:
            s3.delete_object(Bucket=aws.bucket, Key=item["Key"])
        append(aws, "t")
        await triggerer.until(lambda: len(events) > 2)
    assert events == [event(uri, 0, 0), event(uri, 1, 1), event(uri, 0, 0, recreated=True)]


@pytest.mark.parametrize("refusal", [(403, "AccessDenied"), (503, "SlowDown")])
async def test_a_watcher_outlives_errors(
    aws: S3, between: Refusing, start: Running, refusal: tuple[int, str], caplog: pytest.LogCaptureFixture
) -> None:
    append(aws, "t")
    metadata = Metadata()
    events = watched(metadata, aws.uri("t"))
    async with start(metadata) as triggerer:
        await triggerer.until(lambda: positions(metadata) == [0])
        between.always = refusal
        append(aws, "t")
        refused = len(between.requests) + 3
        await triggerer.until(lambda: len(between.requests) > refused)
        assert events == []
        between.always = None
        await triggerer.until(lambda: events)
    assert events == [event(aws.uri("t"), 1, 1)]
    told = {
        record.message.partition("; the next poll")[0]
        for record in caplog.records
        if record.levelname == "ERROR"
    }
    assert len(told) == 1
    assert ("AWS denies s3:ListBucket" if refusal[0] == 403 else "SlowDown") in told.pop()
    assert servers.S3_SECRET not in caplog.text


async def test_a_connection_that_is_missing_is_waited_for(
    aws: S3, start: Running, set_connection: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    append(aws, "t")
    metadata = Metadata()
    watched(metadata, aws.uri("t"), aws_conn_id="elsewhere")
    async with start(metadata) as triggerer:
        await triggerer.until(lambda: "no Airflow connection 'elsewhere'" in caplog.text)
        extra = {"endpoint_url": aws.endpoint, "region_name": servers.S3_REGION}
        set_connection(
            "elsewhere", conn_type="aws", login=servers.S3_KEY, password=servers.S3_SECRET, extra=extra
        )
        await triggerer.until(lambda: positions(metadata))
    assert positions(metadata) == [0]


async def test_a_hundred_watchers_of_one_table_send_one_request_for_each_poll(
    aws: S3, between: Refusing, start: Running
) -> None:
    append(aws, "t")
    metadata = Metadata()
    every = [watched(metadata, aws.uri("t"), f"asset_{number}") for number in range(100)]
    async with start(metadata) as triggerer:
        began = time.monotonic()
        await triggerer.until(lambda: positions(metadata) == [0] * 100)
        append(aws, "t")
        await triggerer.until(lambda: positions(metadata) == [1] * 100)
        polls = (time.monotonic() - began) / INTERVAL + 1
    assert every == [[event(aws.uri("t"), 1, 1)]] * 100
    listings = [path for path in between.requests if "list-type=2" in path]
    assert 2 <= len(listings) <= polls
    assert [path for path in between.requests if path not in listings] == [
        f"/{aws.bucket}/t/_delta_log/{1:020}.json"
    ]


@pytest.mark.parametrize("kill", [None, "before an event is stored", "after an event is stored"])
async def test_two_hundred_commits_are_handled_across_twenty_restarts(
    tmp_path: Path, start: Running, kill: str | None
) -> None:
    """
    None is handled twice.

    If the triggerer is killed after an event is stored and before it has heard of it, the event is repeated.
    """
    restarts, chance = 20, random.Random(1)
    write_deltalake(tmp_path, pa.table({"amount": [1]}))
    metadata, uri = Metadata(), f"file://{tmp_path}"
    events = watched(metadata, uri)
    async with start(metadata) as triggerer:
        await triggerer.until(lambda: positions(metadata) == [0])
    versions = iter(range(1, 201))
    for restart in range(restarts):
        async with start(metadata) as triggerer:
            for version in itertools.islice(versions, 10):
                commit(tmp_path, version)
                if chance.random() < 0.5 and kill is None:
                    await steps(triggerer, chance.randrange(30))
            if kill == "before an event is stored" and restart + 1 < restarts:
                await polled(triggerer, 4)
                assert triggerer.runner.events
            elif kill and restart + 1 < restarts:
                await triggerer.until(lambda: triggerer.supervisor.unconfirmed)
            else:
                await triggerer.until(lambda: positions(metadata) == [10 * restart + 10])  # noqa: B023
    ranges = [(item["from_version"], item["to_version"]) for item in events]
    handled = [version for first, last in ranges for version in range(first, last + 1)]
    assert sorted(set(handled)) == list(range(1, 201))
    repeated = [(a, b) for a, b in itertools.pairwise(ranges) if b[0] <= a[1]]
    assert len(repeated) == (restarts - 1 if kill == "after an event is stored" else 0)
    # A repeated event begins where it began before, and may have more commits.
    assert all(a[0] == b[0] for a, b in repeated)


async def test_a_table_that_is_missing_when_the_triggerer_starts_may_be_created_again(tmp_path: Path) -> None:
    uri, data = f"file://{tmp_path / 't'}", pa.table({"amount": [1]})
    write_deltalake(tmp_path / "t", data)
    position = await PolledTable(uri, s3_access(None)).poll()
    shutil.rmtree(tmp_path / "t")
    table = PolledTable(uri, s3_access(None))
    assert await table.poll() == BEFORE_CREATION
    assert await table.commits_after(position) is None
    write_deltalake(tmp_path / "t", data)
    end = await table.poll()
    assert await table.commits_after(position) == CommitRange(0, end, is_recreated=True)


async def polled(triggerer: Triggerer, times: int) -> None:
    """Let the table be polled without telling the metadata database of events."""
    groups = triggerer.runner._shared_streams._groups
    while sum(group._next_event_id for group in groups.values()) < times:
        await asyncio.sleep(0.001)


async def steps(triggerer: Triggerer, count: int) -> None:
    for _ in range(count):
        assert await triggerer.sync() == []
        await asyncio.sleep(0.001)


def commit(table: Path, version: int) -> None:
    """Add a file to a table, as a writer does: at once."""
    add = {
        "path": f"{version}.parquet",
        "partitionValues": {},
        "size": 1,
        "modificationTime": 0,
        "dataChange": True,
    }
    temporary = table / f"{version}.tmp"
    temporary.write_text(json.dumps({"add": add}))
    temporary.rename(table / "_delta_log" / f"{version:020}.json")


async def test_without_a_state_store_a_watcher_starts_at_the_version_of_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow before 3.3 runs the trigger alone."""
    write_deltalake(tmp_path, pa.table({"amount": [1]}))
    path, kwargs = DeltaTableCommitTrigger(f"file://{tmp_path}", poll_interval=INTERVAL).serialize()
    assert path == "aporia_provider.triggers.table_commits.DeltaTableCommitTrigger"
    trigger = DeltaTableCommitTrigger(**json.loads(json.dumps(kwargs)))
    # Airflow before 3.3 sets no such attribute.
    vars(trigger).pop("asset_state_store", None)
    poll, polls = PolledTable.poll, asyncio.Semaphore(0)

    async def counted(table: PolledTable) -> TablePosition:
        position = await poll(table)
        polls.release()
        return position

    monkeypatch.setattr(PolledTable, "poll", counted)
    found = asyncio.create_task(anext(aiter(trigger.run())))
    async with asyncio.timeout(120):
        # The trigger asks for a poll when it has handled the one before.
        await polls.acquire()
        await polls.acquire()
        commit(tmp_path, 1)
        payload = (await found).payload
    assert payload == event(f"file://{tmp_path}", 1, 1)


async def test_assets_that_share_a_trigger_need_names(
    tmp_path: Path, start: Running, caplog: pytest.LogCaptureFixture
) -> None:
    write_deltalake(tmp_path, pa.table({"amount": [1]}))
    trigger = DeltaTableCommitTrigger(f"file://{tmp_path}", poll_interval=INTERVAL)
    metadata = Metadata()
    asset = Asset(name="one", uri="x-test://one", watchers=[AssetWatcher(name="w", trigger=trigger)])
    metadata.watch(asset)
    metadata.also_watched = {"two": "x-test://two"}
    async with start(metadata) as triggerer:
        await triggerer.until(lambda: "Several assets share one trigger" in caplog.text)
        # Nothing tells which version the watcher has started at.
        versions = itertools.count(1)
        while not metadata.events.get(1):
            commit(tmp_path, next(versions))
            await steps(triggerer, 30)
    assert metadata.states == {}


def test_the_asset_of_a_table() -> None:
    asset = delta_table_asset("s3a://lake/sales/")
    assert (asset.name, asset.uri, asset.watchers) == ("x-delta://lake/sales", "x-delta://lake/sales", [])
    assert delta_table_asset("lake/a b#c?d=1/é").uri == "x-delta://lake/a%20b%23c%3Fd=1/%C3%A9"
    assert delta_table_asset("file:///data/a%20b").uri == "x-delta:///data/a%20b"
    (watcher,) = delta_table_asset("s3://lake/sales", watch=True).watchers
    _, kwargs = watcher.trigger.serialize()
    assert kwargs == {
        "table_uri": "s3://lake/sales",
        "aws_conn_id": "aws_default",
        "poll_interval": 60.0,
        "data_changes_only": True,
        "asset_name": "x-delta://lake/sales",
    }


@pytest.mark.parametrize(
    ("uri", "lineage"),
    [
        ("s3://lake/a b#c/é", ("s3://lake", "a b#c/é")),
        ("file:///data/a%20b", ("file", "/data/a b")),
    ],
)
def test_the_asset_of_a_table_becomes_the_lineage_of_its_folder(uri: str, lineage: tuple[str, str]) -> None:
    from airflow.providers.openlineage.utils.utils import translate_airflow_asset

    dataset = translate_airflow_asset(delta_table_asset(uri), None)
    assert dataset is not None
    assert (dataset.namespace, dataset.name) == lineage


def test_what_cannot_be_watched_is_told_when_the_dag_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    with pytest.raises(ValidationError) as failure:
        DeltaTableCommitTrigger("gs://lake/sales", poll_interval=1)
    first, second = failure.value.problems
    assert first.startswith("table_uri has the scheme gs:")
    assert second == "poll_interval 1 is not a number of at least 5 seconds"
    for faulty in ("{{ var.value.table }}", "s3://"):
        with pytest.raises(ValidationError, match="table_uri"):
            delta_table_asset(faulty, watch=True)
