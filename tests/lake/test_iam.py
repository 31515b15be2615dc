"""The documents of IAM, and the role that is kept by them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st

from aporia_provider.errors import AuthenticationError, TransientError, ValidationError
from aporia_provider.lake.s3.iam_policies import ensure_role, read_policy, trust_principal, trust_web_identity
from tests import servers
from tests.conftest import S3
from tests.lake.strict_s3 import may_get, may_list


def test_the_whole_document() -> None:
    assert read_policy(["s3://bucket-b", "s3a://bucket-a/t/", "bucket-a/x/y", "s3://bucket-a/x/y/z"]) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:ListBucket"],
                "Resource": ["arn:aws:s3:::bucket-a"],
                "Condition": {"StringLike": {"s3:prefix": ["t", "t/*", "x/y", "x/y/*"]}},
            },
            {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": ["arn:aws:s3:::bucket-b"]},
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject"],
                "Resource": [
                    "arn:aws:s3:::bucket-a/t",
                    "arn:aws:s3:::bucket-a/t/*",
                    "arn:aws:s3:::bucket-a/x/y",
                    "arn:aws:s3:::bucket-a/x/y/*",
                    "arn:aws:s3:::bucket-b/*",
                ],
            },
        ],
    }


def test_order_and_repetition_make_no_difference() -> None:
    uris = ["s3://bucket-a/t", "s3://bucket-b/u", "s3a://bucket-a/t/", "bucket-a/t/inner"]
    documents = {json.dumps(read_policy(order)) for order in (uris, uris[::-1], uris * 2)}
    assert len(documents) == 1


def test_a_bucket_swallows_its_prefixes() -> None:
    assert read_policy(["bucket-a/t", "bucket-a"]) == read_policy(["s3://bucket-a/"])


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_partitions(partition: Any) -> None:
    text = json.dumps(read_policy(["bucket-a/t"], partition=partition))
    assert text.count(f"arn:{partition}:s3:::bucket-a") == 3


def test_no_other_partition() -> None:
    with pytest.raises(ValidationError, match="aws-moon"):
        read_policy(["bucket-a"], partition="aws-moon")  # type: ignore[arg-type]


def test_every_bad_uri_is_named() -> None:
    bad = [
        "/data/t",
        "file:///data/t",
        "gs://bucket/t",
        "s3://",
        "s3://b/t",
        "s3://bucket/a/../b",
        "s3://a//b",
        "",
    ]
    with pytest.raises(ValidationError) as caught:
        read_policy(["s3://good-bucket/t", *bad])
    assert len(caught.value.problems) == len(bad)
    assert all(repr(uri) in line for uri, line in zip(bad, caught.value.problems, strict=True))


def test_no_uri_at_all() -> None:
    with pytest.raises(ValidationError, match="at least one"):
        read_policy([])


def test_wildcards_in_keys_are_only_themselves() -> None:
    policy = read_policy(["bucket-a/odd*key?/${aws:username}"])
    assert may_get(policy, "bucket-a", "odd*key?/${aws:username}/part")
    assert not may_get(policy, "bucket-a", "oddXkeyY/${aws:username}/part")
    assert policy["Statement"][0]["Condition"]["StringLike"]["s3:prefix"] == [
        "odd${*}key${?}/${$}{aws:username}",
        "odd${*}key${?}/${$}{aws:username}/*",
    ]


KEYS = st.lists(
    st.text("ab*?${}", min_size=1, max_size=3).filter(lambda part: part not in (".", "..")), max_size=3
)


@pytest.mark.slow
@given(st.lists(KEYS, min_size=1, max_size=4), KEYS)
def test_exactly_what_is_below_the_prefixes_is_allowed(allowed: list[list[str]], asked: list[str]) -> None:
    policy = read_policy([f"s3://bucket-a/{'/'.join(parts)}" for parts in allowed])
    below = any(asked[: len(parts)] == parts for parts in allowed)
    key = "/".join(asked)
    if asked:
        assert may_get(policy, "bucket-a", key) is below
        assert may_list(policy, "bucket-a", key) is below
    assert may_get(policy, "bucket-a", f"{key}/f".lstrip("/")) is (below or ["f"] in allowed)
    assert not may_get(policy, "bucket-b", key)
    assert may_list(policy, "bucket-a", None) is ([] in allowed)


class TestTrust:
    def test_principal(self) -> None:
        assert trust_principal("arn:aws:iam::123456789012:role/airflow", "x-1")["Statement"] == [
            {
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::123456789012:role/airflow"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"sts:ExternalId": "x-1"}},
            }
        ]
        assert "Condition" not in trust_principal("arn:aws:iam::123456789012:root")["Statement"][0]
        assert trust_principal("sagemaker.amazonaws.com")["Statement"][0]["Principal"] == {
            "Service": "sagemaker.amazonaws.com"
        }

    def test_web_identity(self) -> None:
        issuer = "oidc.eks.eu-central-1.amazonaws.com/id/ABC"
        arn = f"arn:aws:iam::123456789012:oidc-provider/{issuer}"
        statement = trust_web_identity(arn, subject="system:serviceaccount:a:b")["Statement"][0]
        assert statement["Principal"] == {"Federated": arn}
        assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
        assert statement["Condition"] == {
            "StringEquals": {
                f"{issuer}:aud": "sts.amazonaws.com",
                f"{issuer}:sub": "system:serviceaccount:a:b",
            }
        }
        with pytest.raises(ValidationError, match="oidc-provider"):
            trust_web_identity("arn:aws:iam::123456789012:role/r")


class TestEnsureRole:
    trust = trust_principal("arn:aws:iam::123456789012:root")
    policy = read_policy(["bucket-a/t"])

    @pytest.fixture
    def iam(self, s3: S3) -> Any:
        return s3.client("iam")

    @pytest.fixture
    def name(self, s3: S3) -> str:
        return f"role-{s3.bucket}"

    def test_created_then_unchanged(self, iam: Any, name: str) -> None:
        made = ensure_role(iam, name, self.policy, self.trust)
        assert made == {"role_arn": f"arn:aws:iam::123456789012:role/{name}", "status": "created"}
        kept = iam.get_role_policy(RoleName=name, PolicyName="aporia-read")["PolicyDocument"]
        assert kept == self.policy
        assert ensure_role(iam, name, self.policy, self.trust) == {**made, "status": "unchanged"}

    def test_the_same_written_otherwise_is_unchanged(self, iam: Any, name: str) -> None:
        ensure_role(iam, name, self.policy, self.trust)
        statements = [{**part, "Action": part["Action"][0]} for part in reversed(self.policy["Statement"])]
        other = {"Statement": statements, "Version": self.policy["Version"]}
        assert ensure_role(iam, name, other, self.trust)["status"] == "unchanged"

    def test_another_policy_updates_and_leaves_others_alone(self, iam: Any, name: str) -> None:
        ensure_role(iam, name, self.policy, self.trust)
        theirs = json.dumps(read_policy(["bucket-z"]))
        iam.put_role_policy(RoleName=name, PolicyName="theirs", PolicyDocument=theirs)
        wider = read_policy(["bucket-a/t", "bucket-a/u"])
        assert ensure_role(iam, name, wider, self.trust)["status"] == "updated"
        assert iam.get_role_policy(RoleName=name, PolicyName="aporia-read")["PolicyDocument"] == wider
        assert json.dumps(iam.get_role_policy(RoleName=name, PolicyName="theirs")["PolicyDocument"]) == theirs

    def test_another_trust_updates(self, iam: Any, name: str) -> None:
        ensure_role(iam, name, self.policy, self.trust)
        narrower = trust_principal("arn:aws:iam::123456789012:root", "external")
        assert ensure_role(iam, name, self.policy, narrower)["status"] == "updated"
        assert iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"] == narrower

    @pytest.fixture
    def stubbed(self) -> Iterator[tuple[Any, Stubber]]:
        client = boto3.client(
            "iam", region_name=servers.S3_REGION, aws_access_key_id="k", aws_secret_access_key="s"
        )
        with Stubber(client) as stubber:
            yield client, stubber

    @pytest.mark.parametrize(
        ("code", "error", "expected_text"),
        [
            ("AccessDenied", AuthenticationError, "denies iam:GetRole"),
            ("Throttling", TransientError, "busy"),
            ("MalformedPolicyDocument", ValidationError, "iam:GetRole failed"),
            ("InvalidClientTokenId", AuthenticationError, "rejected"),
        ],
    )
    def test_refusals(
        self, stubbed: tuple[Any, Stubber], code: str, error: type[Exception], expected_text: str
    ) -> None:
        client, stubber = stubbed
        stubber.add_client_error("get_role", code)
        with pytest.raises(error, match=expected_text):
            ensure_role(client, "r", self.policy, self.trust)

    def test_another_task_made_it_in_between(self, stubbed: tuple[Any, Stubber]) -> None:
        client, stubber = stubbed
        role = lambda: {  # noqa: E731  botocore decodes the document in place
            "Path": "/",
            "RoleName": "role",
            "RoleId": "AROA1234567890123456",
            "Arn": "arn:aws:iam::123456789012:role/role",
            "CreateDate": "2024-01-01T00:00:00Z",
            "AssumeRolePolicyDocument": json.dumps(self.trust),
        }
        stubber.add_client_error("get_role", "NoSuchEntity")
        stubber.add_client_error("create_role", "EntityAlreadyExists")
        stubber.add_response("get_role", {"Role": role()})
        stubber.add_response("get_role", {"Role": role()})
        policy = {"RoleName": "role", "PolicyName": "aporia-read", "PolicyDocument": json.dumps(self.policy)}
        stubber.add_response("get_role_policy", policy)
        assert ensure_role(client, "role", self.policy, self.trust)["status"] == "unchanged"
