"""Operator that grants read access to data sources on S3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from aporia_provider.data_sources import DataSource, as_data_source
from aporia_provider.errors import ValidationError
from aporia_provider.operators.base import NestedRenderingMixin, fail_without_retry
from aporia_provider.operators.protocol_parameters import DataSourceParameter

if TYPE_CHECKING:
    from airflow.sdk import Context


class GrantS3ReadAccessOperator(NestedRenderingMixin):
    """
    Create or update an IAM role that can read data sources on S3.

    The role's inline policy permits listing and reading exactly the prefixes of the data sources. Other
    policies of the role are not changed. Repeated execution has no further effect.

    :param role_name: Name of the role.
    :param data_sources: Data sources on S3.
    :param trust_policy: Complete trust policy document of the role. Give exactly one of this,
        ``trusted_principal`` and ``web_identity_provider``.
    :param trusted_principal: ARN of an account, role or user that may assume the role.
    :param external_id: External id that the principal has to present; hidden in logs.
    :param web_identity_provider: ARN of the OIDC provider whose identities may assume the role.
    :param policy_name: Name of the inline policy.
    :param aws_conn_id: AWS connection with the permission to create roles.
    :param multiple_outputs: See :class:`~aporia_provider.operators.base.AporiaOperator`.
    :return: ``{"role_arn", "status", "prefixes"}`` with status ``created``, ``updated`` or ``unchanged``.
    """

    template_fields = (
        "role_name",
        "data_sources",
        "trust_policy",
        "trusted_principal",
        "web_identity_provider",
        "policy_name",
        "aws_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"data_sources": "json", "trust_policy": "json"}
    ui_color = "#fff0c9"

    data_sources = DataSourceParameter["Sequence[DataSource | Mapping[str, Any]]"]()

    def __init__(
        self,
        *,
        role_name: str,
        data_sources: Sequence[DataSource | Mapping[str, Any]],
        trust_policy: Mapping[str, Any] | None = None,
        trusted_principal: str | None = None,
        external_id: str | None = None,
        web_identity_provider: str | None = None,
        policy_name: str = "aporia-read",
        aws_conn_id: str | None = "aws_default",
        multiple_outputs: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(multiple_outputs=multiple_outputs, **kwargs)
        self.role_name = role_name
        self.data_sources = data_sources
        self.trust_policy = trust_policy
        self.trusted_principal = trusted_principal
        self.external_id = external_id
        self.web_identity_provider = web_identity_provider
        self.policy_name = policy_name
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Create or update the role."""
        from aporia_provider.hooks.delta_lake import DeltaLakeHook

        with fail_without_retry():
            uris = self._uris()
            role = DeltaLakeHook(self.aws_conn_id).grant_read_access(
                self.role_name, uris, self._trust(), policy_name=self.policy_name
            )
        self.log.info("Role %s: %s", role["role_arn"], role["status"])
        return {**role, "prefixes": uris}

    def _uris(self) -> list[str]:
        sources = [as_data_source(source) for source in self.data_sources]
        other = [source.type for source in sources if source.uri is None]
        if other or not sources:
            raise ValidationError(
                f"Access can be granted to data sources on S3 only, not to {other or 'none'}"
            )
        return sorted({source.uri for source in sources if source.uri is not None})

    def _trust(self) -> Mapping[str, Any]:
        from aporia_provider.lake.s3.iam_policies import trust_principal, trust_web_identity

        principals = [self.trust_policy, self.trusted_principal, self.web_identity_provider]
        if len([value for value in principals if value]) != 1:
            raise ValidationError("Give one of trust_policy, trusted_principal and web_identity_provider")
        if self.trust_policy:
            return self.trust_policy
        if self.trusted_principal:
            return trust_principal(self.trusted_principal, self.external_id)
        return trust_web_identity(str(self.web_identity_provider))
