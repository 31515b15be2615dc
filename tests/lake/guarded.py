"""An S3 of its own whose server enforces IAM policies, for tests of what is denied."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import boto3

from aporia_provider.lake.credentials import AwsCredentials
from tests import servers

_USERS = count()
ANYBODY = AwsCredentials("anybody", "anything", region=servers.S3_REGION)


@dataclass(frozen=True)
class GuardedS3:
    """A moto server with one bucket; IAM is enforced inside of :meth:`enforced` only."""

    endpoint: str
    bucket: str

    def client(self, service: str, credentials: AwsCredentials = ANYBODY) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            aws_session_token=credentials.session_token,
            region_name=servers.S3_REGION,
        )

    @property
    def delta_options(self) -> dict[str, str]:
        return self.seen_by(ANYBODY).delta_options()

    def seen_by(self, credentials: AwsCredentials, endpoint: str | None = None) -> AwsCredentials:
        return AwsCredentials(
            credentials.access_key_id,
            credentials.secret_access_key,
            credentials.session_token,
            servers.S3_REGION,
            endpoint or self.endpoint,
        )

    def user(self, policy: Mapping[str, Any]) -> AwsCredentials:
        """A new user who is allowed what ``policy`` says."""
        iam, name = self.client("iam"), f"reader-{next(_USERS)}"
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="test", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return self.seen_by(AwsCredentials(key["AccessKeyId"], key["SecretAccessKey"]))

    def assumed(self, role_arn: str) -> AwsCredentials:
        """Temporary credentials of a role."""
        answer = self.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="test")["Credentials"]
        return self.seen_by(
            AwsCredentials(answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"])
        )

    @contextmanager
    def enforced(self) -> Iterator[None]:
        self._unchecked_requests(0)
        try:
            yield
        finally:
            self._unchecked_requests(10**9)

    def _unchecked_requests(self, number: int) -> None:
        request = urllib.request.Request(
            f"{self.endpoint}/moto-api/reset-auth",
            data=str(number).encode(),
            headers={"Content-Type": "text/plain"},
        )
        urllib.request.urlopen(request, timeout=120).close()


@contextmanager
def guarded_s3() -> Iterator[GuardedS3]:
    with servers.moto() as endpoint:
        made = GuardedS3(endpoint, "guarded-bucket")
        made.client("s3").create_bucket(
            Bucket=made.bucket, CreateBucketConfiguration={"LocationConstraint": servers.S3_REGION}
        )
        yield made
