"""Bytes that change between S3 and the reader."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyarrow import parquet

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.errors import NotFoundError, TransientError
from aporia_provider.lake.credentials import AwsCredentials
from tests import servers
from tests.backend.syncing import SyncedVersion, spread
from tests.conftest import S3
from tests.lake.faulty_s3 import FaultyS3, faulty_s3

pytestmark = pytest.mark.very_slow

AGE = 41.123


@pytest.fixture
def proxy(s3_endpoint: str) -> Iterator[FaultyS3]:
    with faulty_s3(s3_endpoint) as proxy:
        yield proxy


@pytest.fixture
def monitored(s3: S3, proxy: FaultyS3, tmp_path: Path) -> Iterator[SyncedVersion]:
    known = AwsCredentials(
        servers.S3_KEY, servers.S3_SECRET, region=servers.S3_REGION, endpoint_url=proxy.endpoint
    )
    with EmbeddedRegistry(f"sqlite:///{tmp_path}/aporia.db", "prod") as registry:
        place = s3.uri("lake")
        yield SyncedVersion(tmp_path, registry, "embedded", known, place, s3.delta_options).register()


def write(monitored: SyncedVersion, s3: S3, *, checksums: bool) -> tuple[str, int]:
    """Make a table of one file; the path of the file, and where the first age is in it."""
    rows = spread(1, 2, 20)
    ages = pa.array([AGE, *rows["age"].to_pylist()[1:]])
    rows = rows.set_column(rows.schema.get_field_index("age"), "age", ages)
    made = monitored.folder / "made"
    write_deltalake(made, rows)
    (data,) = made.glob("*.parquet")
    before = data.stat().st_size
    parquet.write_table(rows, data, compression="none", use_dictionary=False, write_page_checksum=checksums)
    (commit,) = (made / "_delta_log").glob("*.json")
    told = commit.read_text().replace(f'"size":{before}', f'"size":{data.stat().st_size}')
    commit.write_text(told)
    client = AwsCredentials(
        servers.S3_KEY, servers.S3_SECRET, region=servers.S3_REGION, endpoint_url=s3.endpoint
    ).client()
    for path in (data, commit):
        # Without the checksum of the object that boto3 adds, and compares: writers of tables add none.
        client.meta.config.request_checksum_calculation = "when_required"
        key = f"lake/serving/{path.relative_to(made)}"
        client.put_object(Bucket=s3.bucket, Key=key, Body=path.read_bytes())
    return f"/{s3.bucket}/lake/serving/{data.name}", data.read_bytes().index(struct.pack("<d", AGE))


def test_a_page_that_changes_on_the_way_is_no_value(
    monitored: SyncedVersion, s3: S3, proxy: FaultyS3
) -> None:
    path, place = write(monitored, s3, checksums=True)
    monitored.connect("serving")
    # A bit of the exponent: the number is plausible to whoever reads it.
    proxy.flips = {path: (place + 6, 0x10)}
    with pytest.raises(TransientError, match=f"{Path(path).name} was changed during transfer.*use https"):
        monitored.sync()
    assert proxy.hits
    assert monitored.stored() == {}
    proxy.forget()
    assert monitored.sync()["rows"] == 40
    monitored.check()


def test_what_has_no_checksums_is_read_anew_with_full(
    monitored: SyncedVersion, s3: S3, proxy: FaultyS3
) -> None:
    """What remains: without checksums nobody notices, a rerun keeps the number, and ``full`` replaces it."""
    path, place = write(monitored, s3, checksums=False)
    monitored.connect("serving")
    proxy.flips = {path: (place + 6, 0x10)}
    monitored.sync()
    assert proxy.hits
    wrong = monitored.states("features.age")
    proxy.forget()
    assert not monitored.sync()["changed"]
    assert monitored.states("features.age") == wrong
    assert monitored.sync(full=True)["changed"]
    assert monitored.states("features.age") != wrong


def test_files_without_checksums_are_not_read_for_them(
    monitored: SyncedVersion, s3: S3, proxy: FaultyS3
) -> None:
    path, _ = write(monitored, s3, checksums=False)
    monitored.connect("serving")
    monitored.sync()
    plain = [asked for asked in proxy.seen if asked[1] == path]
    assert len(plain) < 12


def test_a_file_that_is_missing_is_named(monitored: SyncedVersion, s3: S3) -> None:
    path, _ = write(monitored, s3, checksums=True)
    monitored.connect("serving")
    s3.client().delete_object(Bucket=s3.bucket, Key=path.removeprefix(f"/{s3.bucket}/"))
    with pytest.raises(NotFoundError, match=f"the data file .*{Path(path).name}, which does not exist"):
        monitored.sync()
