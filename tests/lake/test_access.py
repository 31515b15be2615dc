"""
What the generated policy lets through, and what it stops.

Actions and resources are enforced by the S3 server itself (moto). It ignores conditions, so the condition on
``s3:prefix`` is enforced by ``strict_s3``, a proxy in front of it that evaluates the policy on the requests
that delta-rs and Sail really send, by a reading of IAM's rules of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest
from botocore.exceptions import ClientError
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError

from aporia_provider.data_sources import S3DataSource
from aporia_provider.engine.readers import read
from aporia_provider.engine.session import spark_session
from aporia_provider.errors import AuthenticationError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.failures import access_error
from aporia_provider.lake.log.table import DeltaLog
from aporia_provider.lake.s3.iam_policies import ensure_role, read_policy, trust_principal
from tests.lake.guarded import GuardedS3, guarded_s3
from tests.lake.strict_s3 import may_get, may_list, strict_s3
from tests.processes import starts_process

pytestmark = pytest.mark.process

ROWS = pa.table({"id": ["a", "b", "c"], "x": [1.0, 2.0, 4.0]})


@pytest.fixture(scope="module")
@starts_process()
def s3() -> Iterator[GuardedS3]:
    with guarded_s3() as made:
        for prefix in ("team/served", "team/served-too", "team/other"):
            write_deltalake(f"s3://{made.bucket}/{prefix}", ROWS, storage_options=made.delta_options)
        yield made


def total(uri: str, credentials: AwsCredentials, object_format: str = "delta") -> float:
    """Sum of ``x``, computed by Sail."""
    source = S3DataSource(object_path=uri, object_format=object_format)
    with spark_session("embedded", credentials) as spark:
        return float(read(spark, source).selectExpr("sum(x) AS total").collect()[0]["total"])


def checked(s3: GuardedS3, credentials: AwsCredentials) -> None:
    """Delta-rs and Sail may read the prefix; nothing else may be done."""
    allowed = f"s3://{s3.bucket}/team/served"
    assert DeltaLog(allowed, credentials).files(["x"]).row_count == 3
    assert DeltaTable(allowed, storage_options=credentials.delta_options()).to_pyarrow_table().num_rows == 3
    assert total(allowed, credentials) == 7.0
    for other in ("team/served-too", "team/other"):
        with pytest.raises(AuthenticationError):
            DeltaLog(f"s3://{s3.bucket}/{other}", credentials)
        with pytest.raises(AuthenticationError):
            total(f"s3://{s3.bucket}/{other}", credentials)
    client = s3.client("s3", credentials)
    for attempt in (
        lambda: client.put_object(Bucket=s3.bucket, Key="team/served/new", Body=b"x"),
        lambda: client.delete_object(Bucket=s3.bucket, Key=f"team/served/_delta_log/{0:020}.json"),
        lambda: client.put_object_tagging(Bucket=s3.bucket, Key="team/served/x", Tagging={"TagSet": []}),
        lambda: client.list_buckets(),
    ):
        with pytest.raises(ClientError, match=r"AccessDenied|not authorized"):
            attempt()
    with pytest.raises((OSError, DeltaError), match=r"403|AccessDenied|necessary privileges"):
        write_deltalake(allowed, ROWS, mode="append", storage_options=credentials.delta_options())


def test_a_user_with_the_policy_reads_the_prefix_and_nothing_else(s3: GuardedS3) -> None:
    reader = s3.user(read_policy([f"s3://{s3.bucket}/team/served"]))
    with s3.enforced():
        checked(s3, reader)


def test_an_assumed_role_with_its_session_token_does_too(s3: GuardedS3) -> None:
    policy = read_policy([f"s3a://{s3.bucket}/team/served/"])
    trust = trust_principal("arn:aws:iam::123456789012:root", "some-external-id")
    role = ensure_role(s3.client("iam"), "aporia-reader", policy, trust)
    assumed = s3.assumed(role["role_arn"])
    assert assumed.session_token
    with s3.enforced():
        checked(s3, assumed)
        without_token = AwsCredentials(
            assumed.access_key_id, assumed.secret_access_key, None, assumed.region, assumed.endpoint_url
        )
        with pytest.raises(AuthenticationError):
            DeltaLog(f"s3://{s3.bucket}/team/served", without_token)


@pytest.mark.parametrize("object_format", ["delta", "parquet"])
def test_the_list_condition_lets_the_readers_requests_through(s3: GuardedS3, object_format: str) -> None:
    """Shown by ``strict_s3``: it answers 403 to every list request outside the policy's condition."""
    uri = f"s3://{s3.bucket}/team/served"
    with strict_s3(s3.endpoint, read_policy([uri])) as proxy:
        credentials = s3.seen_by(AwsCredentials("anybody", "anything"), proxy.endpoint)
        assert total(uri, credentials, object_format) == 7.0
        if object_format == "delta":
            assert DeltaLog(uri, credentials).files(["x"]).row_count == 3
            assert len(DeltaLog(uri, credentials).commits(-1)) == 1
        assert proxy.denied == []
        listed = {request.prefix for request in proxy.requests if request.prefix is not None}
        assert listed
        assert all(may_list(proxy.policy or {}, s3.bucket, prefix) for prefix in listed)
        assert all(may_get(proxy.policy or {}, s3.bucket, key) for key in proxy.seen_keys())


def test_the_list_condition_stops_other_prefixes(s3: GuardedS3) -> None:
    """Shown by ``strict_s3``, on the prefixes that delta-rs asks for."""
    with strict_s3(s3.endpoint, read_policy([f"s3://{s3.bucket}/team/served"])) as proxy:
        credentials = s3.seen_by(AwsCredentials("anybody", "anything"), proxy.endpoint)
        for other in ("team/served-too", "team", "team/other"):
            with pytest.raises(AuthenticationError, match="s3:ListBucket"):
                DeltaLog(f"s3://{s3.bucket}/{other}", credentials)
        assert len(proxy.denied) >= 3


def test_a_policy_without_the_bare_prefix_would_not_do(s3: GuardedS3) -> None:
    """Sail asks for an object named like the table; only who may list that name is told it is missing."""
    uri = f"s3://{s3.bucket}/team/served"
    policy = read_policy([uri])
    patterns = policy["Statement"][0]["Condition"]["StringLike"]["s3:prefix"]
    patterns.remove("team/served")
    with strict_s3(s3.endpoint, policy) as proxy:
        credentials = s3.seen_by(AwsCredentials("anybody", "anything"), proxy.endpoint)
        with pytest.raises(AuthenticationError):
            total(uri, credentials)


class TestWhatIsDenied:
    """The denied action is told, with bucket and prefix."""

    def test_listing(self, s3: GuardedS3) -> None:
        policy = read_policy([f"s3://{s3.bucket}/team/other"])
        policy["Statement"] = [part for part in policy["Statement"] if "s3:GetObject" in part["Action"]]
        policy["Statement"][0]["Resource"] = [f"arn:aws:s3:::{s3.bucket}/*"]
        told = self.told(s3, s3.user(policy))
        assert "denies s3:ListBucket" in told
        assert "s3:GetObject" not in told

    def test_getting(self, s3: GuardedS3) -> None:
        policy = read_policy([f"s3://{s3.bucket}/team/other"])
        policy["Statement"] = [part for part in policy["Statement"] if "s3:ListBucket" in part["Action"]]
        told = self.told(s3, s3.user(policy))
        assert "denies s3:GetObject" in told
        assert "s3:ListBucket" not in told

    def told(self, s3: GuardedS3, credentials: AwsCredentials) -> str:
        with s3.enforced(), pytest.raises(AuthenticationError) as caught:
            DeltaLog(f"s3://{s3.bucket}/team/served", credentials)
        assert f"bucket '{s3.bucket}'" in caught.value.message
        assert "prefix 'team/served/_delta_log/'" in caught.value.message
        assert caught.value.status == 403
        assert (credentials.secret_access_key or "") not in caught.value.message
        return caught.value.message

    def test_wrong_keys(self, s3: GuardedS3) -> None:
        reader = s3.user(read_policy([f"s3://{s3.bucket}/team/served"]))
        wrong = s3.seen_by(AwsCredentials(reader.access_key_id, "not-the-secret-key"))
        unknown = s3.seen_by(AwsCredentials("AKIAUNKNOWN", "not-the-secret-key"))
        with s3.enforced():
            for credentials in (wrong, unknown):
                with pytest.raises(AuthenticationError, match="rejected") as caught:
                    DeltaLog(f"s3://{s3.bucket}/team/served", credentials)
                assert "not-the-secret-key" not in caught.value.message

    def test_nothing_is_denied_to_who_may_read(self, s3: GuardedS3) -> None:
        reader = s3.user(read_policy([f"s3://{s3.bucket}/team/served"]))
        with s3.enforced():
            assert access_error(f"s3://{s3.bucket}/team/served", reader, "_delta_log/") is None
