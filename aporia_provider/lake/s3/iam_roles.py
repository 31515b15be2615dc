"""Creation and update of IAM roles. The caller provides the client."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Literal, TypedDict
from urllib.parse import unquote

from aporia_provider.errors import AporiaError, AuthenticationError, TransientError, ValidationError

POLICY_NAME = "aporia-read"
_BUSY_CODES = {
    "Throttling",
    "ThrottlingException",
    "ServiceFailure",
    "ConcurrentModification",
    "RequestLimitExceeded",
}
_VERSION = "2012-10-17"


class EnsuredRole(TypedDict):
    """A role, and whether it was created or updated."""

    role_arn: str
    status: Literal["created", "updated", "unchanged"]


def trust_principal(principal_arn: str, external_id: str | None = None) -> dict[str, Any]:
    """
    Return a trust policy that allows an AWS principal to assume the role.

    :param principal_arn: ARN of an account root, a user or a role; or a service such as
        ``sagemaker.amazonaws.com``.
    :param external_id: External id that a third party must present.
    """
    kind = "Service" if ":" not in principal_arn and principal_arn.endswith(".amazonaws.com") else "AWS"
    condition = {"StringEquals": {"sts:ExternalId": external_id}} if external_id else None
    return _trust_document({kind: principal_arn}, "sts:AssumeRole", condition)


def trust_web_identity(
    provider_arn: str, audience: str = "sts.amazonaws.com", subject: str | None = None
) -> dict[str, Any]:
    """
    Return a trust policy that allows an OpenID Connect identity to assume the role.

    :param provider_arn: ARN of the provider in IAM.
    :param audience: Audience of its tokens.
    :param subject: Subject of its tokens, such as ``system:serviceaccount:airflow:worker``. Default: any
        identity of the provider may assume the role.
    :raises aporia_provider.errors.ValidationError: if the ARN does not identify an OpenID Connect provider.
    """
    _, separator, issuer = provider_arn.partition(":oidc-provider/")
    if not separator or not issuer:
        raise ValidationError(f"{provider_arn!r} is not arn:aws:iam::<account>:oidc-provider/<issuer>")
    conditions = {f"{issuer}:aud": audience}
    if subject is not None:
        conditions[f"{issuer}:sub"] = subject
    return _trust_document(
        {"Federated": provider_arn}, "sts:AssumeRoleWithWebIdentity", {"StringEquals": conditions}
    )


def ensure_role(
    iam_client: Any,
    role_name: str,
    policy: Mapping[str, Any],
    trust_policy: Mapping[str, Any],
    *,
    policy_name: str = POLICY_NAME,
) -> EnsuredRole:
    """
    Create or update a role so that it has the given policy and trust policy.

    Other policies of the role are not changed.

    :param iam_client: boto3 client of IAM.
    :param role_name: Name of the role.
    :param policy: Permissions of the role, see :func:`aporia_provider.lake.s3.iam_policies.read_policy`.
    :param trust_policy: Principals that may assume the role, see :func:`trust_principal` and
        :func:`trust_web_identity`.
    :param policy_name: Name of the inline policy.
    :raises aporia_provider.errors.AuthenticationError: if IAM denies access, naming the action.
    :raises aporia_provider.errors.TransientError: if IAM does not respond.
    :raises aporia_provider.errors.ValidationError: if IAM rejects a document.
    """
    with _errors_converted(role_name):
        role_arn, created = _find_or_create(iam_client, role_name, trust_policy)
        trusted = not created and _update_trust(iam_client, role_name, trust_policy)
        allowed = _update_policy(iam_client, role_name, policy_name, policy)
    if created:
        return {"role_arn": role_arn, "status": "created"}
    return {"role_arn": role_arn, "status": "updated" if trusted or allowed else "unchanged"}


def _find_or_create(iam_client: Any, role_name: str, trust_policy: Mapping[str, Any]) -> tuple[str, bool]:
    with suppress(iam_client.exceptions.NoSuchEntityException):
        return iam_client.get_role(RoleName=role_name)["Role"]["Arn"], False
    with suppress(iam_client.exceptions.EntityAlreadyExistsException):
        response = iam_client.create_role(
            RoleName=role_name, AssumeRolePolicyDocument=json.dumps(trust_policy)
        )
        return response["Role"]["Arn"], True
    # Another task created it in the meantime.
    return iam_client.get_role(RoleName=role_name)["Role"]["Arn"], False


def _update_trust(iam_client: Any, role_name: str, trust_policy: Mapping[str, Any]) -> bool:
    current = iam_client.get_role(RoleName=role_name)["Role"]["AssumeRolePolicyDocument"]
    if _is_same_policy(current, trust_policy):
        return False
    iam_client.update_assume_role_policy(RoleName=role_name, PolicyDocument=json.dumps(trust_policy))
    return True


def _update_policy(iam_client: Any, role_name: str, policy_name: str, policy: Mapping[str, Any]) -> bool:
    try:
        current = iam_client.get_role_policy(RoleName=role_name, PolicyName=policy_name)["PolicyDocument"]
    except iam_client.exceptions.NoSuchEntityException:
        current = None
    if current is not None and _is_same_policy(current, policy):
        return False
    iam_client.put_role_policy(RoleName=role_name, PolicyName=policy_name, PolicyDocument=json.dumps(policy))
    return True


def _is_same_policy(current: Any, policy: Mapping[str, Any]) -> bool:
    if isinstance(current, str):
        current = json.loads(unquote(current))
    return bool(_normalized(current) == _normalized(policy))


def _normalized(value: Any) -> Any:
    """Return a normalized policy: to IAM, a list of one element equals the element, and order is ignored."""
    if isinstance(value, Mapping):
        return {key: _normalized(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items = sorted(
            (_normalized(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True)
        )
        return items[0] if len(items) == 1 else items
    return value


def _trust_document(
    principal: dict[str, str], action: str, condition: dict[str, Any] | None
) -> dict[str, Any]:
    statement: dict[str, Any] = {"Effect": "Allow", "Principal": principal, "Action": action}
    if condition:
        statement["Condition"] = condition
    return {"Version": _VERSION, "Statement": [statement]}


@contextmanager
def _errors_converted(role_name: str) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise _explain(error, role_name) from None
    except BotoCoreError as error:
        raise TransientError(f"Role {role_name!r}: IAM does not respond ({type(error).__name__})") from None


def _explain(error: Any, role_name: str) -> AporiaError:
    code = str(error.response["Error"].get("Code"))
    action = f"iam:{error.operation_name}"
    if code in _BUSY_CODES:
        return TransientError(f"Role {role_name!r}: IAM is busy ({code} for {action})")
    if code in ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation"):
        return AuthenticationError(
            f"AWS denies {action} on role {role_name!r}: allow it for the identity that runs this task"
        )
    if code in ("InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidAccessKeyId"):
        return AuthenticationError(f"Role {role_name!r}: the credentials were rejected ({code})")
    return ValidationError(f"Role {role_name!r}: {action} failed: {error.response['Error'].get('Message')}")
