"""An S3 on loopback for tests: moto's server in a process of its own."""

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
_PATIENCE = 10


@dataclass(frozen=True)
class LocalS3:
    """
    An S3 on loopback, which also answers for STS and IAM.

    :param endpoint: Its URL.
    :param bucket: A bucket for a test to write to.
    """

    endpoint: str
    bucket: str = field(default_factory=lambda: f"bucket-{uuid.uuid4().hex[:12]}")

    @property
    def credentials(self) -> AwsCredentials:
        """Credentials that it accepts. They are not real."""
        return AwsCredentials(_KEY, _SECRET, region=REGION, endpoint_url=self.endpoint)

    def uri(self, key: str) -> str:
        """URI of a key of the bucket."""
        return f"s3://{self.bucket}/{key}"

    def client(self, service: str = "s3") -> Any:
        """A boto3 client: of S3, or of ``iam`` or ``sts``."""
        return self.credentials.client(service)

    def connection_json(self) -> str:
        """An Airflow connection of type ``aws``, as an environment variable ``AIRFLOW_CONN_…`` takes it."""
        extra = {"endpoint_url": self.endpoint, "region_name": REGION}
        return json.dumps({"conn_type": "aws", "login": _KEY, "password": _SECRET, "extra": extra})

    def create_bucket(self, name: str) -> None:
        """Create a bucket, unless it is there."""
        client = self.client()
        if name not in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
            client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})

    def reset(self) -> None:
        """Delete everything: buckets, roles and policies."""
        with closing(HTTPConnection(self.endpoint.removeprefix("http://"))) as connection:
            connection.request("POST", "/moto-api/reset")
            if connection.getresponse().status != HTTPStatus.OK:
                raise RuntimeError(f"The S3 server of the tests at {self.endpoint} could not be reset")


@contextmanager
def s3_server() -> Iterator[str]:
    """
    Run an S3 until the block ends, or this process does.

    :return: Its URL.
    :raises aporia_provider.errors.ValidationError: if moto's server is not installed; the message says what
        to install.
    """
    missing = [name for name in ("moto", "flask", "flask_cors") if importlib.util.find_spec(name) is None]
    if missing:
        raise ValidationError(f"The S3 of tests needs {', '.join(missing)}, not installed here: {_INSTALL}")
    child = subprocess.Popen(
        [sys.executable, "-m", "aporia_provider.testing.s3_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    try:
        yield f"http://127.0.0.1:{_port(child)}"
    finally:
        _end(child)


def _port(child: subprocess.Popen[bytes]) -> int:
    assert child.stdout is not None  # noqa: S101
    line = child.stdout.readline().strip()
    if not line.isdigit():
        raise RuntimeError("The S3 of tests does not start; standard error says why")
    return int(line)


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.communicate(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
