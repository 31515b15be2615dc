"""
What 1,000 deferred sensors of Delta tables cost the triggerer.

Run ``python -m benchmarks.sensors``. Each sensor has a table of its own on an S3 server on loopback, whose
rows are too few, so that all of them wait. The triggers are made anew from what Airflow stores of them, and
run in one event loop, as in a triggerer. Measured are the seconds of processors and the memory of this
process, after each trigger has read its table once: the S3 server is another process.

``--peer`` runs the trigger of the Amazon provider's sensor of a key instead, for keys that do not exist. It
requires ``aiobotocore``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil

from tests import servers

BUCKET = "benchmark"
CPU_TARGET = 0.10
"""Share of a core, at most."""
MEMORY_TARGET = 300
"""Megabytes, at most."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--triggers", type=int, default=1000)
    arguments.add_argument("--interval", type=float, default=60.0, help="seconds between checks")
    arguments.add_argument("--seconds", type=float, default=30.0, help="seconds that are measured")
    arguments.add_argument("--peer", action="store_true", help="run the Amazon provider's trigger")
    given = arguments.parse_args()
    logging.disable(logging.INFO)
    with servers.moto() as endpoint, connected(endpoint):
        write_tables(endpoint, given.triggers)
        make = peer_trigger if given.peer else own_trigger
        triggers = [make(number, given.interval) for number in range(given.triggers)]
        asyncio.run(measure(triggers, given.interval, given.seconds))


@contextmanager
def connected(endpoint: str) -> Iterator[None]:
    """Define the connection ``aws_default``."""
    extra = {"endpoint_url": endpoint, "region_name": servers.S3_REGION}
    connection = {"conn_type": "aws", "login": servers.S3_KEY, "password": servers.S3_SECRET, "extra": extra}
    os.environ["AIRFLOW_CONN_AWS_DEFAULT"] = json.dumps(connection)
    yield


def write_tables(endpoint: str, count: int) -> None:
    """Write a table, and copy its log as often as there are triggers."""
    import pyarrow as pa
    from deltalake import write_deltalake

    from aporia_provider.hooks.delta_lake import DeltaLakeHook

    credentials = DeltaLakeHook().get_credentials()
    s3 = credentials.client(connections=8)
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": servers.S3_REGION})
    options = credentials.delta_options()
    write_deltalake(f"s3://{BUCKET}/0", pa.table({"amount": [1, 2, 3]}), storage_options=options)
    log = f"_delta_log/{0:020}.json"
    content = s3.get_object(Bucket=BUCKET, Key=f"0/{log}")["Body"].read()

    def copy(number: int) -> None:
        s3.put_object(Bucket=BUCKET, Key=f"{number}/{log}", Body=content)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(copy, range(1, count)))


def own_trigger(number: int, interval: float) -> Any:
    from aporia_provider.lake.log.conditions import TableCondition
    from aporia_provider.triggers.table_waiting import DeltaTableTrigger

    end_time = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    trigger = DeltaTableTrigger(
        table_uri=f"s3://{BUCKET}/{number}",
        aws_conn_id="aws_default",
        condition=TableCondition(min_rows=4).to_json(),
        poll_interval=interval,
        end_time=end_time,
        max_errors=10,
    )
    _, stored = trigger.serialize()
    return DeltaTableTrigger(**json.loads(json.dumps(stored)))


def peer_trigger(number: int, interval: float) -> Any:
    from airflow.providers.amazon.aws.triggers.s3 import S3KeyTrigger

    return S3KeyTrigger(bucket_name=BUCKET, bucket_key=f"{number}/missing", poke_interval=interval)


async def measure(triggers: list[Any], interval: float, seconds: float) -> None:
    """Run triggers, and print what they cost."""
    process = psutil.Process()
    before = process.memory_info().rss
    started, began = time.process_time(), time.monotonic()
    tasks = [asyncio.create_task(first_event(trigger)) for trigger in triggers]
    latest = asyncio.create_task(longest_delay())
    # Each has waited for a random part of the interval before its first check.
    await asyncio.sleep(interval + 2)
    while any(getattr(trigger, "_earlier", trigger) is None for trigger in triggers):
        await asyncio.sleep(1)
    first = (time.process_time() - started) / (time.monotonic() - began)
    started, began = time.process_time(), time.monotonic()
    await asyncio.sleep(seconds)
    share = (time.process_time() - started) / (time.monotonic() - began)
    memory = process.memory_info().rss
    assert not any(task.done() for task in tasks), next(task for task in tasks if task.done())
    for task in (*tasks, latest):
        task.cancel()
    await asyncio.gather(*tasks, latest, return_exceptions=True)
    print(f"{len(tasks)} triggers, a check every {interval:.0f} s")
    print(f"first checks: {first:.1%} of a core; then {share:.1%} (target: {CPU_TARGET:.0%})")
    grown = (memory - before) >> 20
    print(f"memory: {memory >> 20} MB (target: {MEMORY_TARGET}), {grown} MB of them since the start")
    print(f"longest time for which the event loop was blocked: {LONGEST[0] * 1000:.0f} ms")


async def first_event(trigger: Any) -> Any:
    async for event in trigger.run():
        return event


LONGEST = [0.0]


async def longest_delay() -> None:
    while True:
        began = time.monotonic()
        await asyncio.sleep(0.05)
        LONGEST[0] = max(LONGEST[0], time.monotonic() - began - 0.05)


if __name__ == "__main__":
    main()
