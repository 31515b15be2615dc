"""Fixtures that more than one folder of tests uses."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests import servers
from tests.processes import has_none_of, in_slow_folder, is_fast, no_process, starts_process
from tests.sizes import FULL, sized

# Airflow reads its home when it is first imported, which collecting the tests does.
_HOME = tempfile.mkdtemp(prefix="aporia-airflow-home-")
os.environ["AIRFLOW_HOME"] = _HOME
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(Path(__file__).parent.parent / "dags")
for _name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[_name]
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"

COVERAGE_SAMPLES = int(os.environ.get("APORIA_COVERAGE_SAMPLES", sized(40, 100)))
"""Number of samples in simulations of the coverage of intervals."""

# How long an example takes says more of the machine than of the code.
settings.register_profile("aporia", deadline=None, max_examples=sized(25, 100))
settings.load_profile("aporia")
# Collecting the tests makes millions of objects that stay: see pytest_collection_finish.
gc.disable()


def pytest_unconfigure() -> None:
    shutil.rmtree(_HOME, ignore_errors=True)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Import only modules with tests that are selected: Airflow and the server take seconds to import."""
    return True if has_none_of(config.option.markexpr, collection_path) else None


def pytest_collection_finish() -> None:
    """Keep the collector of garbage from visiting all modules and tests again and again."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not FULL and (long := [item for item in items if item.get_closest_marker("long")]):
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if not item.get_closest_marker("long")]
    for item in items:
        if is_fast(item):
            item.add_marker("fast")
    # Files that take long come first, so that all workers end at about the same time.
    slow_files = {item.path for item in items if not item.get_closest_marker("fast")}
    items.sort(key=lambda item: (not in_slow_folder(item.path), item.path not in slow_files))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    with _guarding(item):
        yield


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    with _guarding(item):
        yield


def _guarding(item: pytest.Item) -> AbstractContextManager[None]:
    return no_process() if item.get_closest_marker("fast") else nullcontext()


@dataclass(frozen=True)
class S3:
    """A real S3 over HTTP with a bucket of its own."""

    endpoint: str
    bucket: str

    @property
    def delta_options(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": servers.S3_KEY,
            "AWS_SECRET_ACCESS_KEY": servers.S3_SECRET,
            "AWS_REGION": servers.S3_REGION,
            "AWS_ALLOW_HTTP": "true",
        }

    def client(self, service: str = "s3", key: str = servers.S3_KEY, secret: str = servers.S3_SECRET) -> Any:
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            region_name=servers.S3_REGION,
        )

    def uri(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"


@pytest.fixture(scope="session")
@starts_process()
def s3_endpoint() -> Iterator[str]:
    with servers.moto() as endpoint:
        yield endpoint


@pytest.fixture
def s3(s3_endpoint: str, request: pytest.FixtureRequest) -> S3:
    import uuid

    made = S3(s3_endpoint, f"bucket-{uuid.uuid4().hex[:12]}")
    made.client().create_bucket(
        Bucket=made.bucket, CreateBucketConfiguration={"LocationConstraint": servers.S3_REGION}
    )
    return made


@pytest.fixture(scope="session")
@starts_process()
def engine() -> Iterator[str]:
    """An engine that is running already: starting one takes longer than a small sync."""
    with servers.sail() as url:
        yield url


@pytest.fixture(scope="session")
@starts_process()
def s3_engine(s3_endpoint: str) -> Iterator[str]:
    """An engine that is running already and reads from the S3 of the tests; see ``engine``."""
    from aporia_provider.lake.credentials import AwsCredentials

    known = AwsCredentials(
        servers.S3_KEY, servers.S3_SECRET, region=servers.S3_REGION, endpoint_url=s3_endpoint
    )
    with servers.sail(known.engine_environment()) as url:
        yield url


@pytest.fixture(scope="session")
@starts_process()
def postgres_url() -> Iterator[str]:
    with servers.postgres() as url:
        yield url


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database of the backend to copy: the migrations take longer than most tests."""
    from aporia_provider.backend.embedded import EmbeddedRegistry

    path = tmp_path_factory.mktemp("migrated") / "aporia.db"
    EmbeddedRegistry(f"sqlite:///{path}", "prod").close()
    return path
