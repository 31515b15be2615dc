"""With moto's ``mock_aws``, errors say that it cannot work."""

from __future__ import annotations

import json

import boto3
import pytest
from moto import mock_aws

from aporia_provider.errors import ValidationError
from aporia_provider.hooks.delta_lake import DeltaLakeHook
from tests.servers import free_port


@pytest.fixture
def _mocked(monkeypatch: pytest.MonkeyPatch) -> None:
    """What moto's documentation advises, and no way out of this machine."""
    connection = {"conn_type": "aws", "login": "testing", "password": "testing"}
    extra = json.dumps({"region_name": "eu-central-1"})
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps({**connection, "extra": extra}))
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port()}")


@pytest.mark.usefixtures("_mocked")
@mock_aws
def test_an_error_names_mock_aws_while_it_is_active() -> None:
    configuration = {"LocationConstraint": "eu-central-1"}
    boto3.client("s3", "eu-central-1").create_bucket(Bucket="lake", CreateBucketConfiguration=configuration)
    with pytest.raises(ValidationError, match=r"mock_aws of moto is active.*fixture aporia_s3"):
        DeltaLakeHook().open("s3://lake/predictions")


@pytest.mark.usefixtures("_mocked")
def test_it_is_not_named_once_it_has_ended() -> None:
    with mock_aws():
        pass
    with pytest.raises(Exception, match="s3://lake/predictions") as failure:
        DeltaLakeHook().open("s3://lake/predictions")
    assert "mock_aws" not in str(failure.value)
