"""Operator that syncs a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSkipException

from aporia_provider.assets import EventKind
from aporia_provider.datasets import ACTUALS, ROLES, SERVING
from aporia_provider.lineage import location_dataset, version_dataset
from aporia_provider.links import DeltaTableLink, ModelPageLink
from aporia_provider.operators.base import VersionOperator, emit_days, fail_without_retry
from aporia_provider.operators.parameters import Choice, Flag
from aporia_provider.report import sync_lines

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import BaseOperatorLink, Context

    from aporia_provider.datasets import Role
    from aporia_provider.hooks.sync import SyncHook

MAP_INDEX_TEMPLATE = "{{ task.model_id }} {{ task.model_version }} {{ task.role }}"
"""Template for the map index of tasks that are mapped over datasets."""


MONITORED_ROLES = (SERVING, ACTUALS)
"""Roles of the datasets whose changed days are emitted as events."""


class SyncDatasetOperator(VersionOperator):
    """
    Update the profiles of a connected dataset to the current version of its table.

    The sync runs in the task, with the embedded backend. It reads the commits since the last sync and
    recomputes the affected time buckets; if it is killed, the previous state remains. If stored states have
    changed, it emits an event of the kind :func:`~aporia_provider.assets.data_changed`. If the syncs of the
    version are disabled, the task is skipped. It occupies a worker slot until the sync ends, also while a
    cluster computes: a sync is a sequence of queries, so it cannot be deferred.

    To sync all due datasets, use :class:`~aporia_provider.operators.sync_datasets.SyncDatasetsOperator`. To
    distribute them over several workers, map this operator over the result of
    :meth:`~aporia_provider.hooks.sync.SyncHook.get_due_datasets`, with
    ``map_index_template=MAP_INDEX_TEMPLATE``.

    With Airflow 3.3, a sync of the serving dataset or of the actuals also emits an event for each changed
    day, see :func:`~aporia_provider.assets.changed_days`; after a sync that changed more than 31 days, such
    as the first, only the latest 31 have events.

    :param model_id: Id of the model.
    :param model_version: Name of the version.
    :param role: Role of the dataset: ``training``, ``testing``, ``serving`` or ``actuals``.
    :param engine: ``embedded``, or the URL ``sc://host:port`` of a cluster; None uses ``[aporia] engine``.
        Airflow stores the arguments of mapped tasks: for a cluster that requires a token, use
        ``spark_conn_id``.
    :param spark_conn_id: Connection of type ``spark_connect`` to the cluster that reads the data, instead of
        ``engine``; see :func:`~aporia_provider.hooks.spark_connect.engine_for`.
    :param full: Recompute everything, regardless of the log; see
        :meth:`~aporia_provider.backend.sync.calls.Syncs.sync_dataset`.
    :param aws_conn_id: AWS connection used to read the data; None uses the ambient credentials of the worker.
    :param aporia_conn_id: See :class:`~aporia_provider.hooks.sync.SyncHook`.
    :param multiple_outputs: Whether each entry of the return value is also stored as a separate XCom, so that
        ``sync.output["changed"]`` can be used. The default is False, because each mapped task has about
        twenty entries.
    :return: ``model_id``, ``model_version``, ``table_uri``, ``previous_table_version``, ``changed`` (whether
        any stored state has changed), and the dataset's status, see
        :meth:`~aporia_provider.backend.sync.calls.Syncs.get_dataset_sync_status`. ``notes``,
        ``provisional_bins``, ``changed_days`` and ``segments`` are replaced by their lengths, because they
        may be long.
    """

    event = EventKind.CHANGED

    template_fields = (*VersionOperator.template_fields, "role", "full", "aws_conn_id", "spark_conn_id")
    operator_extra_links: tuple[BaseOperatorLink, ...] = (DeltaTableLink(), ModelPageLink())
    ui_color = "#e6dcf7"

    role = Choice["Role"](ROLES)
    full = Flag()

    def __init__(
        self,
        *,
        role: Role,
        engine: str | None = None,
        full: bool = False,
        aws_conn_id: str | None = "aws_default",
        spark_conn_id: str | None = None,
        multiple_outputs: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(multiple_outputs=multiple_outputs, **kwargs)
        self.role = role
        self.engine = engine
        self.full = full
        self.aws_conn_id = aws_conn_id
        self.spark_conn_id = spark_conn_id

    @cached_property
    def aporia_hook(self) -> SyncHook:
        """Return the hook for the embedded backend."""
        from aporia_provider.hooks.sync import SyncHook

        return SyncHook(self.aporia_conn_id, self.aws_conn_id, self.spark_conn_id)

    def execute(self, context: Context) -> dict[str, Any]:
        """Sync the dataset, and emit the asset event if stored states have changed."""
        subject = f"{self.role} dataset of version {self.model_version!r} of model {self.model_id!r}"
        self.log.info("Syncing the %s", subject)
        with fail_without_retry():
            self.table_uri = self.aporia_hook.get_table_uri(self.model_id, self.model_version, self.role)
            result = self.aporia_hook.sync_dataset(
                self.model_id, self.model_version, self.role, engine=self.engine, full=self.full
            )
            environment = self.environment = self.aporia_hook.environment()
            self.server_url = self.aporia_hook.server_url()
        if not result["enabled"]:
            raise AirflowSkipException(f"The syncs of the {subject} are disabled")
        for line in sync_lines(result):
            self.log.info("%s", line)
        if result["changed"]:
            self.emit(context, environment, role=self.role, **changed_event(result))
            if self.role in MONITORED_ROLES:
                emit_days(self, context, environment, self.model_id, result["changed_days"])
        return _counts(result)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Return the lineage from the table to the version."""
        from airflow.providers.openlineage.extractors import OperatorLineage

        version = version_dataset(self.environment, self.model_id, self.model_version, None)
        return OperatorLineage(inputs=location_dataset(self.table_uri), outputs=version)


def _counts(status: Mapping[str, Any]) -> dict[str, Any]:
    """Return the status with lists of fields, which may be long, replaced by their lengths."""
    counts = {
        name: len(status[name])
        for name in ("notes", "provisional_bins", "changed_days", "segments")
        if name in status
    }
    performance = status.get("performance")
    return {**status, **counts, **({"performance": _counts(performance)} if performance else {})}


def changed_event(result: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the content of the event of a sync that changed stored states.

    :param result: Result of :meth:`~aporia_provider.hooks.sync.SyncHook.sync_dataset`.
    """
    known = (
        "dataset",
        "status",
        "table_uri",
        "table_version",
        "previous_table_version",
        "changed_parts",
    )
    return {name: result[name] for name in known}
