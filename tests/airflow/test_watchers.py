"""Watchers of Delta tables, in Airflow's own runner of triggers and against a real S3."""

from __future__ import annotations

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from aporia_provider.table_assets import delta_table_asset
from aporia_provider.triggers import poll_intervals
from tests.airflow.triggerer import Metadata, running
from tests.conftest import S3

INTERVAL = 0.02


@pytest.fixture(autouse=True)
def short_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll_intervals, "MIN_POLL_INTERVAL", INTERVAL)


def append(s3: S3, name: str, rows: int = 1) -> None:
    table = pa.table({"amount": list(range(rows))})
    write_deltalake(s3.uri(name), table, storage_options=s3.delta_options, mode="append")


def event(uri: str, first: int, last: int, *, recreated: bool = False) -> dict[str, object]:
    return {"table_uri": uri, "from_version": first, "to_version": last, "recreated": recreated}


async def test_a_commit_is_noticed_and_none_while_the_triggerer_is_down_is_lost(
    aws: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(aws, "t")
    metadata = Metadata()
    watched = metadata.watch(delta_table_asset(aws.uri("t"), watch=True, poll_interval=INTERVAL))
    events = metadata.events.setdefault(watched, [])
    async with running(metadata, monkeypatch) as triggerer:
        await triggerer.until(lambda: metadata.states)
        assert events == []
        append(aws, "t")
        await triggerer.until(lambda: events and positions(metadata) == [1])
    append(aws, "t")
    append(aws, "t")
    async with running(metadata, monkeypatch) as triggerer:
        await triggerer.until(lambda: len(events) > 1)
    assert events == [event(aws.uri("t"), 1, 1), event(aws.uri("t"), 2, 3)]


async def test_compaction_is_no_event(aws: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        append(aws, "t")
    metadata = Metadata()
    by_kind = {}
    for only in (True, False):
        asset = delta_table_asset(aws.uri("t"), watch=True, poll_interval=INTERVAL, data_changes_only=only)
        by_kind[only] = metadata.events.setdefault(metadata.watch(asset), [])
    async with running(metadata, monkeypatch) as triggerer:
        await triggerer.until(lambda: metadata.states)
        DeltaTable(aws.uri("t"), storage_options=aws.delta_options).optimize.compact()
        await triggerer.until(lambda: by_kind[False] and positions(metadata) == [3])
        assert by_kind[True] == []
        append(aws, "t")
        await triggerer.until(lambda: by_kind[True] and len(by_kind[False]) == 2)
    assert by_kind[True] == [event(aws.uri("t"), 4, 4)]
    assert by_kind[False] == [event(aws.uri("t"), 3, 3), event(aws.uri("t"), 4, 4)]


def positions(metadata: Metadata) -> list[int]:
    return [state["version"] for state in metadata.states.values()]
