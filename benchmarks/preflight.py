"""
How long preflight takes on a Delta table of many files, with its log on an S3 server on loopback.

Run ``python -m benchmarks.preflight``. The tables have no data files: their logs are written by hand.
"""

from __future__ import annotations

import statistics
import time

from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.preflight.checks import preflight
from aporia_provider.schema import VersionSchema
from tests import servers
from tests.lake import logs

BUCKET = "benchmark-bucket"
RUNS = 5
WANTED = 3.0


def dataset(path: str) -> DatasetConnection:
    source = S3DataSource(object_path=f"{BUCKET}/{path}", object_format="delta")
    return DatasetConnection(role="serving", data_source=source, id_column="id", timestamp_column="at")


def seconds(credentials: AwsCredentials, files: int) -> float:
    """Median of a few runs of preflight on a table of so many files."""
    client, path = credentials.client(), f"table-{files}"
    body = logs.many_files(files).encode()
    client.put_object(Bucket=BUCKET, Key=f"{path}/_delta_log/{0:020}.json", Body=body)
    schema = VersionSchema(
        model_type="regression",
        features=dict.fromkeys(logs.NUMBERS[1:], "numeric"),
        predictions={logs.NUMBERS[0]: "numeric"},
    )
    taken = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        report = preflight(dataset(path), schema, credentials=credentials)
        taken.append(time.perf_counter() - begin)
        assert report.rows == files * 100
        assert not report.problems
    return statistics.median(taken)


def main() -> None:
    with servers.moto() as endpoint:
        credentials = AwsCredentials("key", "secret", region=servers.S3_REGION, endpoint_url=endpoint)
        credentials.client().create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": servers.S3_REGION}
        )
        small = seconds(credentials, 100)
        large = seconds(credentials, 10_000)
    print(f"    100 files: {small:.3f} s")
    print(f" 10,000 files: {large:.3f} s, {large / small:.1f} times as long for 100 times the files")
    print(f"  at most {WANTED:.0f} s for 10,000 files: {'yes' if large <= WANTED else 'NO'}")
    raise SystemExit(large > WANTED)


if __name__ == "__main__":
    main()
