"""
What it costs to judge the freshness of 1,000 Delta tables on S3, for the first time and with nothing new.

Run ``python -m benchmarks.freshness``. Each table has 60 daily commits with statistics of 20 columns; one of
1,000 is late. The logs are on an S3 server on loopback, which is another process. The requests for a sample
of the tables are recorded by a proxy, which counts those for objects outside of logs.
Seconds of processors are those of this process.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aporia_provider.backend.freshness.tables import check_tables
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.log.history_folder import HistoryFolder
from benchmarks.measuring import load
from tests import servers
from tests.lake import histories, logs
from tests.lake.strict_s3 import strict_s3

WANTED_SECONDS = 60.0 / 1000
_BUCKET = "freshness"
_COLUMNS = [f"column_{number}" for number in range(20)]
_NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)


def written_log(commits: int, last: int) -> dict[str, bytes]:
    """The files of the log of a table whose last commit was some days ago."""
    times = [_NOW - timedelta(days=last + day, hours=10) for day in range(commits)][::-1]
    fields = [logs.field(name, "double") for name in _COLUMNS]
    files = histories.written_log(times[:1], fields=fields)
    for version, moment in enumerate(times, 1):
        stats = {
            "numRecords": 1000 + version % 7,
            "minValues": dict.fromkeys(_COLUMNS, 0.5),
            "maxValues": dict.fromkeys(_COLUMNS, 9.5),
            "nullCount": dict.fromkeys(_COLUMNS, version % 3),
        }
        files[histories.name(version)] = histories.commit(
            moment, [logs.add(f"part-{version}.parquet", stats)]
        )
    return files


def prepare(credentials: AwsCredentials, tables: int, commits: int) -> list[str]:
    """Write the logs; the URIs of the tables."""
    client = credentials.client()
    client.create_bucket(Bucket=_BUCKET, CreateBucketConfiguration={"LocationConstraint": servers.S3_REGION})
    usual, late = written_log(commits, 0), written_log(commits, 3)
    for number in range(tables):
        for name, content in (late if number % 1000 == 500 else usual).items():
            client.put_object(Bucket=_BUCKET, Key=f"table-{number}/_delta_log/{name}", Body=content)
    return [f"s3://{_BUCKET}/table-{number}" for number in range(tables)]


def judge(when: str, uris: list[str], credentials: AwsCredentials, histories_in: Path) -> float:
    """Print how long it takes to judge the tables; the seconds for each."""
    clock, processor = time.perf_counter(), time.process_time()
    checked = check_tables(uris, lambda: credentials, now=_NOW, histories=HistoryFolder(histories_in))
    clock, processor = time.perf_counter() - clock, time.process_time() - processor
    assert [table.uri for table in checked if table.late.outcome == "fail"] == uris[500::1000]
    assert not any(table.error for table in checked)
    print(
        f"  {when:22}: {clock:7.2f} s (processors {processor:7.2f} s), "
        f"{60 * len(uris) / clock:8,.0f} tables a minute; {load()}",
        flush=True,
    )
    return clock / len(uris)


def data_requests(endpoint: str, uris: list[str], credentials: AwsCredentials, folder: Path) -> int:
    """Count the requests for objects outside of logs, through a proxy that records each request."""
    with strict_s3(endpoint) as proxy:
        recorded = AwsCredentials(
            credentials.access_key_id,
            credentials.secret_access_key,
            region=credentials.region,
            endpoint_url=proxy.endpoint,
        )
        judge("recorded, a sample", uris, recorded, folder)
        return sum("/_delta_log/" not in f"/{key}" for key in proxy.seen_keys())


def main() -> None:
    parser = argparse.ArgumentParser(description="What judging the freshness of tables costs.")
    parser.add_argument("--tables", type=int, default=1000)
    parser.add_argument("--commits", type=int, default=60)
    chosen = parser.parse_args()
    with servers.moto() as endpoint, tempfile.TemporaryDirectory() as folder:
        credentials = AwsCredentials(
            servers.S3_KEY, servers.S3_SECRET, region=servers.S3_REGION, endpoint_url=endpoint
        )
        print(f"{chosen.tables} tables of {chosen.commits} commits; {load()}", flush=True)
        uris = prepare(credentials, chosen.tables, chosen.commits)
        judge("for the first time", uris, credentials, Path(folder, "histories"))
        seconds = judge("with nothing new", uris, credentials, Path(folder, "histories"))
        others = data_requests(endpoint, uris[:20], credentials, Path(folder, "others"))
    is_fine = seconds <= WANTED_SECONDS and not others
    print(f"  data files read: {others}; 1,000 tables a minute: {'yes' if is_fine else 'NO'}", flush=True)
    raise SystemExit(not is_fine)


if __name__ == "__main__":
    main()
