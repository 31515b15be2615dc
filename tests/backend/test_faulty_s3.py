"""Answers of S3 that are not whole: each ends in a transient error or in the right result."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.errors import AporiaError, TransientError, ValidationError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.log.latest_commits import log_end
from aporia_provider.lake.log.table import DeltaLog
from aporia_provider.preflight.checks import preflight
from tests import servers
from tests.backend.syncing import SCHEMA, SyncedVersion, spread
from tests.conftest import S3
from tests.lake.faulty_s3 import Asked, Fault, FaultyS3, faulty_s3
from tests.sizes import sized

pytestmark = pytest.mark.very_slow

FAULTS = itertools.cycle(Fault)


@pytest.fixture(scope="module")
def proxy(s3_endpoint: str) -> Iterator[FaultyS3]:
    with faulty_s3(s3_endpoint) as proxy:
        yield proxy


@pytest.fixture
def credentials(proxy: FaultyS3) -> AwsCredentials:
    proxy.forget()
    return AwsCredentials(
        servers.S3_KEY, servers.S3_SECRET, region=servers.S3_REGION, endpoint_url=proxy.endpoint
    )


@pytest.fixture(scope="module")
def engine(proxy: FaultyS3) -> Iterator[str]:
    known = AwsCredentials(
        servers.S3_KEY, servers.S3_SECRET, region=servers.S3_REGION, endpoint_url=proxy.endpoint
    )
    with servers.sail(known.engine_environment()) as url:
        yield url


@pytest.fixture
def table(s3: S3, tmp_path: Path) -> S3DataSource:
    """A table with a checkpoint, and a commit after it."""
    with EmbeddedRegistry(f"sqlite:///{tmp_path}/writer.db", "prod") as registry:
        monitored = SyncedVersion(tmp_path, registry, place=s3.uri("lake"), options=s3.delta_options)
        monitored.write("serving", spread(1, 3, 20))
        monitored.delta("serving").create_checkpoint()
        monitored.write("serving", spread(4, 4, 20, seed=1))
    return S3DataSource(object_path=s3.uri("lake/serving"), object_format="delta")


@pytest.fixture
def sync(
    table: S3DataSource, credentials: AwsCredentials, engine: str, tmp_path: Path
) -> Callable[[], dict[Any, Any]]:
    numbers = itertools.count()

    def first_sync() -> dict[Any, Any]:
        """Everything that the first sync of the table stores."""
        with EmbeddedRegistry(f"sqlite:///{tmp_path}/{next(numbers)}.db", "prod") as registry:
            monitored = SyncedVersion(tmp_path, registry, engine, credentials).register()
            monitored.connect("serving", path=table.object_path)
            monitored.sync()
            return monitored.stored()

    return first_sync


def check(table: S3DataSource, credentials: AwsCredentials, engine: str, **more: Any) -> Any:
    """What preflight says, if it says anything about the table itself."""
    dataset = DatasetConnection(role="serving", data_source=table, id_column="id", timestamp_column="at")
    report = preflight(dataset, SCHEMA, credentials=credentials, engine=engine, **more)
    return report.problems, report.warnings, report.table_version, report.rows, report.columns


def wrong_outcomes(
    proxy: FaultyS3, call: Callable[[], Any], faults: dict[Asked, list[Fault]], times: int = 1
) -> dict[tuple[Asked, Fault], str]:
    """Break the answers to one request after the other: outcomes neither right nor transient errors."""
    assert faults, "no request is broken"
    expected = call()
    outcomes = {}
    for asked, kinds in faults.items():
        for kind in kinds:
            proxy.forget()
            proxy.fault, proxy.broken, proxy.times = kind, {asked}, times
            try:
                outcomes[asked, kind] = "right" if call() == expected else "wrong"
            except TransientError:
                outcomes[asked, kind] = "transient"
            except AporiaError as error:
                outcomes[asked, kind] = f"{type(error).__name__}: {error}"
            assert proxy.hits, f"{asked} was not sent"
    proxy.forget()
    return {key: told for key, told in outcomes.items() if told not in ("right", "transient")}


def requests(proxy: FaultyS3, call: Callable[[], Any]) -> list[Asked]:
    """The requests that a call makes, each time in the same way."""
    proxy.forget()
    call()
    seen, proxy.seen = proxy.seen, []
    call()
    return [asked for asked in seen if asked in proxy.seen]


def test_a_log(proxy: FaultyS3, table: S3DataSource, credentials: AwsCredentials) -> None:
    def read() -> Any:
        # Not the history: delta-rs holds Python's lock meanwhile, and the proxy is in this process.
        log = DeltaLog(table.uri, credentials)
        return log.version, log.metadata, sorted(log.files().paths), log.commits(0), log.unsupported_entries()

    asked = requests(proxy, read)
    assert len(asked) > 5
    assert wrong_outcomes(proxy, read, {request: [next(FAULTS)] for request in asked}) == {}


def test_the_end_of_a_log(proxy: FaultyS3, table: S3DataSource, credentials: AwsCredentials) -> None:
    def look() -> Any:
        return log_end(table.uri, 0, credentials)

    assert wrong_outcomes(proxy, look, {request: list(Fault) for request in requests(proxy, look)}) == {}


def test_preflight(proxy: FaultyS3, table: S3DataSource, credentials: AwsCredentials, engine: str) -> None:
    computed = table.model_copy(update={"select_expr": ["*", "age + 1 AS older"]})

    def look() -> Any:
        return check(computed, credentials, engine)

    asked = requests(proxy, look)[:: sized(2, 1)]
    assert wrong_outcomes(proxy, look, {request: [next(FAULTS)] for request in asked}) == {}


def test_a_sync(proxy: FaultyS3, sync: Callable[[], Any]) -> None:
    # In the small size, the answers to every third request.
    asked = requests(proxy, sync)[:: sized(3, 1)]
    assert wrong_outcomes(proxy, sync, {request: [next(FAULTS)] for request in asked}) == {}


@pytest.mark.parametrize("kind", [Fault.TRUNCATED, Fault.RESET])
def test_a_sync_of_files_without_a_log(
    proxy: FaultyS3, s3: S3, credentials: AwsCredentials, engine: str, tmp_path: Path, kind: Fault
) -> None:
    import pyarrow.csv
    import pyarrow.parquet

    pyarrow.parquet.write_table(spread(1, 2, 20), tmp_path / "x.parquet")
    pyarrow.csv.write_csv(spread(1, 2, 20), tmp_path / "x.csv")
    for name in ("parquet", "csv"):
        s3.client().upload_file(str(tmp_path / f"x.{name}"), s3.bucket, f"{name}/x.{name}")
        options = {"header": True, "inferSchema": True} if name == "csv" else None
        path = f"{s3.uri(name)}/"
        source = S3DataSource(object_path=path, object_format=name, read_options=options)

        def look(source: S3DataSource = source) -> Any:
            return check(source, credentials, engine, check_rows=True)

        assert wrong_outcomes(proxy, look, {request: [kind] for request in requests(proxy, look)}) == {}


@pytest.mark.parametrize("change", ["cut", "longer", "of the same size"])
def test_a_damaged_file_is_no_transient_error(
    s3: S3, table: S3DataSource, sync: Callable[[], Any], change: str
) -> None:
    listed = s3.client().list_objects_v2(Bucket=s3.bucket, Prefix="lake/serving/part")["Contents"]
    key = listed[0]["Key"]
    content = s3.client().get_object(Bucket=s3.bucket, Key=key)["Body"].read()
    damaged = {
        "cut": content[:-100],
        "longer": content[:4] + b"x" * 100 + content[4:],
        "of the same size": content[:-100] + b"x" * 100,
    }[change]
    s3.client().put_object(Bucket=s3.bucket, Key=key, Body=damaged)
    with pytest.raises(ValidationError) as caught:
        sync()
    assert Path(key).name in str(caught.value)
    if change != "of the same size":
        told = f"has {len(damaged)} bytes, but its log states {len(content)}"
        assert told in str(caught.value)


@pytest.mark.parametrize("path", ["files", "files/x.parquet", "files/*.parquet", "f*/{w,x}.parquet"])
def test_a_damaged_file_without_a_log_is_no_transient_error(
    s3: S3, credentials: AwsCredentials, engine: str, tmp_path: Path, path: str
) -> None:
    import pyarrow.parquet

    pyarrow.parquet.write_table(spread(1, 2, 20), tmp_path / "x.parquet")
    content = (tmp_path / "x.parquet").read_bytes()
    s3.client().put_object(Bucket=s3.bucket, Key="files/x.parquet", Body=content[:-20])
    source = S3DataSource(object_path=s3.uri(path), object_format="parquet")
    (problem,) = check(source, credentials, engine)[0]
    assert "files are damaged. Rewrite them" in problem
    assert "x.parquet is not a complete Parquet file" in problem
