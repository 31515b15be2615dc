"""Credentials in the words of each reader, and nowhere else."""

from __future__ import annotations

import copy
import logging

import pytest

from aporia_provider.errors import ValidationError
from aporia_provider.lake.credentials import AwsCredentials
from tests import servers

SECRET = "planted-secret-key"
TOKEN = "planted-session-token"
FULL = AwsCredentials("AKIA", SECRET, TOKEN, "eu-central-1", "http://127.0.0.1:9000")


def test_delta_options_name_everything_delta_rs_needs_for_another_s3() -> None:
    options = FULL.delta_options()
    assert {key: value for key, value in options.items() if key.startswith("AWS_")} == {
        "AWS_ACCESS_KEY_ID": "AKIA",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_SESSION_TOKEN": TOKEN,
        "AWS_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9000",
        "AWS_ALLOW_HTTP": "true",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "false",
    }


def test_another_s3_gets_a_region_if_none_is_given() -> None:
    assert AwsCredentials(endpoint_url="https://minio.example").delta_options()["AWS_REGION"] == "us-east-1"
    assert "AWS_REGION" not in AwsCredentials("k", "s").delta_options()


def test_https_is_not_made_http() -> None:
    options = AwsCredentials(endpoint_url="https://minio.example").delta_options()
    assert "AWS_ALLOW_HTTP" not in options


def test_without_anything_readers_look_for_themselves() -> None:
    assert not [key for key in AwsCredentials().delta_options() if key.startswith("AWS_")]
    inherited = {"AWS_PROFILE": "team", "AWS_ROLE_ARN": "arn:aws:iam::1:role/r", "HOME": "/h"}
    assert AwsCredentials(region="eu-west-1").engine_environment(inherited) == {
        **inherited,
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_CONNECT_TIMEOUT": "5s",
        "AWS_TIMEOUT": "6s",
    }


def test_timeouts_of_the_environment_stay() -> None:
    inherited = {"AWS_TIMEOUT": "60s", "AWS_PROFILE": "team"}
    environment = AwsCredentials("k", "s").engine_environment(inherited)
    assert environment["AWS_TIMEOUT"] == "60s"
    assert "AWS_PROFILE" not in environment
    shorter = AwsCredentials("k", "s", request_timeout=0.5)
    assert shorter.engine_environment(inherited)["AWS_TIMEOUT"] == "500ms"
    assert shorter.delta_options()["timeout"] == "500ms"


@pytest.mark.parametrize("credentials", [FULL, AwsCredentials(anonymous=True)])
def test_given_credentials_win_over_those_of_the_machine(credentials: AwsCredentials) -> None:
    inherited = {"AWS_PROFILE": "team", "AWS_WEB_IDENTITY_TOKEN_FILE": "/token", "HOME": "/h"}
    environment = credentials.engine_environment(inherited)
    assert environment["HOME"] == "/h"
    assert "AWS_PROFILE" not in environment
    assert "AWS_WEB_IDENTITY_TOKEN_FILE" not in environment


def test_engine_environment_speaks_both_dialects_of_the_endpoint() -> None:
    environment = FULL.engine_environment()
    assert environment["AWS_ENDPOINT"] == environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:9000"
    assert environment["AWS_DEFAULT_REGION"] == "eu-central-1"


def test_anonymous_requests_are_not_signed() -> None:
    assert AwsCredentials(anonymous=True).delta_options()["AWS_SKIP_SIGNATURE"] == "true"
    assert AwsCredentials(anonymous=True).engine_environment()["AWS_SKIP_SIGNATURE"] == "true"


@pytest.mark.parametrize("half", [{"access_key_id": "AKIA"}, {"secret_access_key": SECRET}])
def test_half_of_the_keys_is_refused_without_showing_it(half: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="must be set together") as caught:
        AwsCredentials(**half)
    assert SECRET not in str(caught.value)


def test_secrets_are_in_no_text(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").info("%s %r %s", FULL, copy.copy(FULL), {"credentials": FULL})
    for text in (caplog.text, repr(FULL), str(FULL), f"{FULL}", FULL.redact(f"<{SECRET}|{TOKEN}>")):
        assert SECRET not in text
        assert TOKEN not in text
    assert "AKIA" in repr(FULL)


def test_a_login_in_an_endpoint_is_shown_nowhere() -> None:
    from aporia_provider.errors import TransientError
    from aporia_provider.lake.log.table import DeltaLog

    nobody = f"http://key:planted-1@127.0.0.1:{servers.free_port()}/?token=planted-2"
    known = AwsCredentials("key", "planted-3", region="us-east-1", endpoint_url=nobody)
    assert "planted" not in repr(known)
    with pytest.raises(TransientError) as caught:
        DeltaLog("s3://bucket/table", known)
    assert "planted" not in str(caught.value)
    assert "s3://bucket/table could not be read" in str(caught.value)
