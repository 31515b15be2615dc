"""Operator that retires versions."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from aporia_provider.choices import parse_boolean
from aporia_provider.operators.base import AporiaOperator, fail_without_retry
from aporia_provider.operators.parameters import parameter_errors
from aporia_provider.retirement_parameters import check_retirement

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.definitions.mappedoperator import OperatorPartial

    from aporia_provider.hooks.sync import SyncHook


class RetireModelVersionsOperator(AporiaOperator):
    """
    Disable the syncs of versions of a model that are no longer used. Their metrics remain available.

    Requires the embedded backend. Repeated execution has no further effect. Place the task at the end of the
    DAG that retrains the model.

    :param model_id: Id of the model.
    :param keep: Number of newest versions to keep.
    :param ended_for: Minimum time between the end of a version's serving data and the last successful sync or
        check of the table. If ``keep`` is given as well, both conditions have to hold.
    :param dry_run: Only report the versions that would be retired.
    :param aporia_conn_id: See :class:`~aporia_provider.hooks.sync.SyncHook`.
    :return: ``model_id``, ``retired``, ``already_disabled``, ``kept`` and ``without_datasets``; see
        :meth:`~aporia_provider.backend.registration.retirement.Retirements.retire_versions`.
    """

    template_fields = (*AporiaOperator.template_fields, "model_id")
    ui_color = "#d9f2dd"

    def __init__(
        self,
        *,
        model_id: str,
        keep: int | None = None,
        ended_for: timedelta | None = None,
        dry_run: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        with parameter_errors():
            check_retirement(keep, ended_for)
            self.dry_run_only = parse_boolean("dry_run", dry_run)
        self.model_id = model_id
        self.keep = keep
        self.ended_for = ended_for

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:
        """
        Set parameters that all mapped tasks have in common.

        :raises aporia_provider.errors.ValidationError: if a parameter is not valid.
        """
        with parameter_errors():
            if kwargs.keys() & {"keep", "ended_for"}:
                check_retirement(kwargs.get("keep"), kwargs.get("ended_for"))
            parse_boolean("dry_run", kwargs.get("dry_run", False))
        return super().partial(**kwargs)

    @cached_property
    def aporia_hook(self) -> SyncHook:
        """Return the hook for the embedded backend."""
        from aporia_provider.hooks.sync import SyncHook

        return SyncHook(self.aporia_conn_id)

    def execute(self, context: Context) -> dict[str, Any]:
        """Retire the versions and log them."""
        with fail_without_retry():
            result = self.aporia_hook.retire_versions(
                self.model_id, keep=self.keep, ended_for=self.ended_for, dry_run=self.dry_run_only
            )
        verb = "would be retired" if self.dry_run_only else "was retired"
        for version in result["retired"]:
            self.log.info("Version %r %s: %s", version["model_version"], verb, version["reason"])
        self.log.info(
            "%s retired, %s kept, %s already disabled, %s without datasets",
            *(len(result[name]) for name in ("retired", "kept", "already_disabled", "without_datasets")),
        )
        return {**result}
