"""Operator that syncs several datasets in one task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from posixpath import commonpath
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from aporia_provider.assets import EventKind, event_aliases
from aporia_provider.errors import TransientError
from aporia_provider.lineage import location_dataset, version_dataset
from aporia_provider.links import DeltaTableLink, ModelPageLink
from aporia_provider.operators.base import AporiaOperator, emit_days, emit_event, fail_without_retry
from aporia_provider.operators.parameters import Choice
from aporia_provider.operators.protocol_parameters import DatasetsParameter
from aporia_provider.operators.sync import MONITORED_ROLES, changed_event
from aporia_provider.report import sync_lines

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import BaseOperatorLink, Context

    from aporia_provider.hooks.dataset_syncs import DatasetSync
    from aporia_provider.hooks.sync import SyncHook

Failures = Literal["raise", "return"]

_MAX_NAMED = 20
_OUTPUTS = ("model_id", "model_version", "role", "changed", "table_version", "rows")


class SyncDatasetsOperator(AporiaOperator):
    """
    Update the profiles of several datasets to the current versions of their tables, one after another.

    This is faster than a task for each dataset: one embedded engine serves all datasets that are read with
    the same credentials. Each dataset has its own limits of memory and running time, and an engine that
    exceeds them is replaced for the next dataset. A dataset that fails does not stop the others.

    For each dataset whose stored states have changed, an event of the kind
    :func:`~aporia_provider.assets.data_changed` is emitted. Airflow starts one run of a DAG that is scheduled
    on them for all events of the task, and discards the events of a task that fails. To fail without losing
    events, let this task return the failures, and map
    :class:`~aporia_provider.operators.sync.SyncDatasetOperator` over its result, as
    ``dags/sync_datasets.py`` does.

    :param datasets: The datasets: dicts with ``model_id``, ``model_version``, ``role`` and, if the data is
        read with another AWS connection than ``aws_conn_id``, ``aws_conn_id``. The result of
        :meth:`~aporia_provider.hooks.sync.SyncHook.get_due_datasets` can be passed. If the list is empty, or
        the syncs of all datasets are disabled, the task is skipped.
    :param engine: See :class:`~aporia_provider.operators.sync.SyncDatasetOperator`.
    :param spark_conn_id: See :class:`~aporia_provider.operators.sync.SyncDatasetOperator`.
    :param failures: What the task does after the last dataset if any have failed: ``raise`` an error that
        names each of them (it is retried if any of the errors is transient; datasets that were synced have
        no changes then), or ``return`` them.
    :param aws_conn_id: AWS connection used to read the data; None uses the ambient credentials of the worker.
    :param aporia_conn_id: See :class:`~aporia_provider.hooks.sync.SyncHook`.
    :return: The datasets that failed, as they were given. The XCom ``synced`` has ``model_id``,
        ``model_version``, ``role``, ``changed``, ``table_version`` and ``rows`` of each of the others.
    """

    template_fields = (
        *AporiaOperator.template_fields,
        "datasets",
        "failures",
        "aws_conn_id",
        "spark_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"datasets": "json"}
    operator_extra_links: tuple[BaseOperatorLink, ...] = (DeltaTableLink(), ModelPageLink())
    ui_color = "#e6dcf7"

    datasets = DatasetsParameter()
    failures = Choice["Failures"](("raise", "return"))

    def __init__(
        self,
        *,
        datasets: Sequence[Mapping[str, Any]],
        engine: str | None = None,
        failures: Failures = "raise",
        aws_conn_id: str | None = "aws_default",
        spark_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        # The result is a list, over which tasks can be mapped.
        super().__init__(multiple_outputs=False, **kwargs)
        self.datasets = datasets
        self.engine = engine
        self.failures = failures
        self.aws_conn_id = aws_conn_id
        self.spark_conn_id = spark_conn_id
        self.environment: str | None = None
        self.table_uri: str | None = None
        self._syncs: list[DatasetSync] = []
        self.outlets = [*self.outlets, *event_aliases(EventKind.CHANGED, None)]

    @cached_property
    def aporia_hook(self) -> SyncHook:
        """Return the hook for the embedded backend."""
        from aporia_provider.hooks.sync import SyncHook

        return SyncHook(self.aporia_conn_id, self.aws_conn_id, self.spark_conn_id)

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Sync the datasets, and emit an asset event for each whose stored states have changed."""
        # One object executes all runs of dag.test().
        self._syncs = []
        with fail_without_retry():
            environment = self.environment = self.aporia_hook.environment()
            for sync in self.aporia_hook.sync_datasets(self.datasets, engine=self.engine):
                self._syncs.append(sync)
                self.table_uri = _common_folder([done.table_uri for done in self._syncs])
                self._log_sync(sync)
                if sync.result is not None and sync.result["changed"]:
                    subject = (environment, sync.model_id, sync.model_version, sync.role)
                    emit_event(self, context, EventKind.CHANGED, subject, changed_event(sync.result))
                    if sync.role in MONITORED_ROLES:
                        days = sync.result["changed_days"]
                        emit_days(self, context, environment, sync.model_id, days)
        failed = [sync for sync in self._syncs if sync.error is not None]
        if failed and self.failures == "raise":
            raise self._error(failed)
        if all(sync.result is not None and not sync.result["enabled"] for sync in self._syncs):
            raise AirflowSkipException("There is no dataset to sync")
        synced = [_output(sync) for sync in self._syncs if sync.result and sync.result["enabled"]]
        # Users' tests may execute the operator without a context.
        if "ti" in context:
            context["ti"].xcom_push("synced", synced)
        return [dict(sync.dataset) for sync in failed]

    def _log_sync(self, sync: DatasetSync) -> None:
        heading = f"Dataset {len(self._syncs)} of {len(self.datasets)}, {sync.description}"
        if sync.result is None:
            self.log.error("%s: failed: %s", heading, _message(sync))
        elif not sync.result["enabled"]:
            self.log.info("%s: its syncs are disabled", heading)
        else:
            self.log.info("%s:", heading)
            for line in sync_lines(sync.result):
                self.log.info("  %s", line)

    def _error(self, failed: Sequence[DatasetSync]) -> Exception:
        """Return the error that names the failed datasets. It is retried if one of their errors is."""
        changed = [sync.description for sync in self._syncs if sync.result and sync.result["changed"]]
        if changed:
            self.log.warning(
                "Airflow discards the events of a task that fails: data_changed of the %s",
                _joined(changed, separator=", the "),
            )
        faults = [f"{sync.description}: {_message(sync)}" for sync in failed]
        count = f"{len(failed)} of {len(self._syncs)} datasets could not be synced"
        message = "\n- ".join([count, _joined(faults, separator="\n- ")])
        is_final = all(sync.is_permanent for sync in failed)
        return AirflowFailException(message) if is_final else TransientError(message)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Return the lineage from the tables to the versions."""
        from airflow.providers.openlineage.extractors import OperatorLineage

        tables = dict.fromkeys(sync.table_uri for sync in self._syncs)
        versions = dict.fromkeys((sync.model_id, sync.model_version) for sync in self._syncs)
        return OperatorLineage(
            inputs=[dataset for uri in tables for dataset in location_dataset(uri)],
            outputs=[
                dataset
                for version in versions
                for dataset in version_dataset(self.environment, *version, None)
            ],
        )


def _output(sync: DatasetSync) -> dict[str, Any]:
    values = {**(sync.result or {}), "role": sync.role}
    return {name: values[name] for name in _OUTPUTS}


def _message(sync: DatasetSync) -> str:
    return getattr(sync.error, "message", None) or f"{type(sync.error).__name__}: {sync.error}"


def _joined(texts: Sequence[str], *, separator: str) -> str:
    more = len(texts) - _MAX_NAMED
    return separator.join([*texts[:_MAX_NAMED], *([f"{more} more, see the log"] if more > 0 else [])])


def _common_folder(uris: Sequence[str | None]) -> str | None:
    """Return the deepest folder on S3 with all tables; None if they are in different buckets."""
    paths = list(_s3_paths(uris))
    folder = commonpath(paths) if paths else ""
    return f"s3://{folder}" if folder else None


def _s3_paths(uris: Sequence[str | None]) -> Iterator[str]:
    for uri in uris:
        if uri is not None and uri.startswith("s3://"):
            yield uri.removeprefix("s3://")
