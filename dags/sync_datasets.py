"""
Sync every dataset that is due, four times an hour.

To use it, change ``AWS_CONN_ID`` below if your data is read with another connection than ``aws_default``;
None uses the worker's own credentials. Nothing else depends on your models: what is connected is found in the
registry, which is the database that ``[aporia] database_url`` names.

A dataset is due when the ``schedule`` it was connected with has come round (one without a schedule has none
to wait for) and there may be something to do: it was never synced or its last sync failed; its Delta table
has commits that were not synced, was made anew, or cannot be looked at; or the schema, the bins or the
program have changed. If the predictions only have to be compared with their labels again, one of these two
datasets is due. The first task looks at the tables, with one small request each, and logs how many are due,
how many are not, and why. Files that are no Delta tables have no log to look at, so they are always due. If
more are due than ``[core] max_map_length``, the others have their turn in the next runs.

The second task syncs all of them, one after another, with one engine. A dataset that fails does not stop the
others: it is synced again by a task of its own, which is retried and fails with the error of this dataset. If
no dataset has failed, there is no such task.

To stop syncing versions that are no longer used, run ``RetireModelVersionsOperator``, for instance at the end
of the DAG that retrains the model, or turn off the syncs of one version with ``SetSyncEnabledOperator``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import dag, task

from aporia_provider.operators.sync import MAP_INDEX_TEMPLATE, SyncDatasetOperator
from aporia_provider.operators.sync_datasets import SyncDatasetsOperator

AWS_CONN_ID = "aws_default"


@dag(
    schedule="*/15 * * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    tags=["aporia"],
)
def sync_datasets():
    @task(retries=2, retry_delay=timedelta(seconds=30))
    def list_due_datasets() -> list[dict[str, str]]:
        from aporia_provider.hooks.sync import SyncHook

        return SyncHook(aws_conn_id=AWS_CONN_ID).get_due_datasets()

    sync = SyncDatasetsOperator(
        task_id="sync",
        datasets=list_due_datasets(),
        # Airflow discards the events of a task that fails, also those of datasets that were synced.
        failures="return",
        aws_conn_id=AWS_CONN_ID,
        retries=2,
        retry_delay=timedelta(minutes=1),
    )
    SyncDatasetOperator.partial(
        task_id="sync_failed",
        aws_conn_id=AWS_CONN_ID,
        map_index_template=MAP_INDEX_TEMPLATE,
        # Each of them runs an engine that uses all the cores it finds.
        max_active_tis_per_dagrun=2,
        retries=1,
        retry_delay=timedelta(minutes=1),
    ).expand_kwargs(sync.output)


sync_datasets()
