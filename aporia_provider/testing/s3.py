"""S3 server on loopback for tests, which runs moto in a separate process."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any

from aporia_provider.errors import ValidationError
from aporia_provider.lake.credentials import AwsCredentials

REGION = "eu-central-1"
_KEY, _SECRET = "test-access-key", "test-secret-key"
_INSTALL = "pip install 'airflow-provider-aporia[testing]'"
_STOP_SECONDS = 10


@dataclass(frozen=True)
class LocalS3:
    """
    An S3 server on loopback, which also supports STS and IAM.

    :param endpoint: URL of the server.
    :param bucket: Name of a bucket for a test.
    """

    endpoint: str
    bucket: str = field(default_factory=lambda: f"bucket-{uuid.uuid4().hex[:12]}")

    @property
    def credentials(self) -> AwsCredentials:
        """Return fake credentials that the server accepts."""
        return AwsCredentials(_KEY, _SECRET, region=REGION, endpoint_url=self.endpoint)

    def uri(self, key: str) -> str:
        """Return the URI of a key in the bucket."""
        return f"s3://{self.bucket}/{key}"

    def client(self, service: str = "s3") -> Any:
        """Return a boto3 client of ``s3``, ``iam`` or ``sts``."""
        return self.credentials.client(service)

    def connection_json(self) -> str:
        """Return an Airflow connection of type ``aws`` as the JSON value of a variable ``AIRFLOW_CONN_…``."""
        extra = {"endpoint_url": self.endpoint, "region_name": REGION}
        return json.dumps({"conn_type": "aws", "login": _KEY, "password": _SECRET, "extra": extra})

    def create_bucket(self, name: str) -> None:
        """Create a bucket if it does not exist."""
        client = self.client()
        if name not in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
            client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})

    def reset(self) -> None:
        """Delete all buckets, roles and policies."""
        with closing(HTTPConnection(self.endpoint.removeprefix("http://"))) as connection:
            connection.request("POST", "/moto-api/reset")
            if connection.getresponse().status != HTTPStatus.OK:
                raise RuntimeError(f"The S3 server of the tests at {self.endpoint} could not be reset")


@contextmanager
def s3_server() -> Iterator[str]:
    """
    Run an S3 server until the block or this process ends, and yield its URL.

    :raises aporia_provider.errors.ValidationError: if moto's server is not installed; the message names the
        packages.
    """
    missing = [name for name in ("moto", "flask", "flask_cors") if importlib.util.find_spec(name) is None]
    if missing:
        raise ValidationError(f"The S3 server of tests requires {', '.join(missing)}: {_INSTALL}")
    child = subprocess.Popen(
        [sys.executable, "-m", "aporia_provider.testing.s3_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    try:
        yield f"http://127.0.0.1:{_port(child)}"
    finally:
        _stop(child)


def _port(child: subprocess.Popen[bytes]) -> int:
    assert child.stdout is not None  # noqa: S101
    line = child.stdout.readline().strip()
    if not line.isdigit():
        raise RuntimeError("The S3 server of tests did not start; see its standard error")
    return int(line)


def _stop(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.communicate(timeout=_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
