"""
Monitor all models: sync the datasets that are due, evaluate the monitors, and retire old versions.

The DAG runs four times an hour, and at once when a version is complete or a table of ``WATCHED_TABLES`` has
new rows. To use it, change the four settings below. Nothing else depends on your models: what is connected
is found in the registry, which is the database that ``[aporia] database_url`` names.

``list_due_datasets`` looks at the tables, with one small request each, and logs how many datasets are due,
how many are not, and why. A dataset is due when the ``schedule`` it was connected with has had an
occurrence (one without a schedule always has), and there may be changes: it was never synced or its last
sync failed; its Delta table has commits that were not synced, was replaced, or its log cannot be read; or
the schema, the bins or the program have changed. If only the comparison of predictions with labels is out
of date, one of these two datasets is due. Files without a Delta log are always due. If more datasets are
due than ``[core] max_map_length``, the others are synced by the next runs.

``sync`` syncs all of them, one after another, with one engine. A dataset that fails does not stop the
others: a task of its own syncs it again, is retried, and fails with the error of this dataset.

``evaluate`` judges the monitors of all models, also those that depend on the clock, sends notifications,
and emits an asset event for the alerts of each model that were opened, on which ``retrain_on_alert`` runs.
It runs also if syncs failed.

``retire`` disables the syncs of versions that are no longer used. Their metrics remain available.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import dag, task

from aporia_provider.alerts import Alert, AlertEvent, alert_text
from aporia_provider.assets import version_completed
from aporia_provider.operators.alerts import EvaluateMonitorsOperator
from aporia_provider.operators.retirement import RetireModelVersionsOperator
from aporia_provider.operators.sync import MAP_INDEX_TEMPLATE, SyncDatasetOperator
from aporia_provider.operators.sync_datasets import SyncDatasetsOperator
from aporia_provider.table_assets import delta_table_asset

try:
    from airflow.sdk import AssetAny, AssetOrTimeSchedule, CronTriggerTimetable
except ImportError:  # Airflow 3.1
    from airflow.sdk import AssetAny
    from airflow.timetables.assets import AssetOrTimeSchedule
    from airflow.timetables.trigger import CronTriggerTimetable

# Tables that are watched, such as "s3://lake/insurance/serving". Others are synced within 15 minutes. Connect
# their datasets without a schedule: with one, a dataset is not due before its next occurrence.
WATCHED_TABLES: list[str] = []
# Connection with which the tables are read; None for the credentials of the worker and of the triggerer.
AWS_CONN_ID = "aws_default"
# A version is retired if it is not among the newest, and its data ended some time ago.
KEPT_VERSIONS = 3
ENDED_FOR = timedelta(days=90)


def notify(alert: Alert, event: AlertEvent) -> None:
    """Log an alert. Replace this by a function of yours, or use notifiers of Airflow."""
    logging.getLogger("airflow.task").warning("%s", alert_text(alert, event))


@dag(
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("*/15 * * * *", timezone="UTC"),
        assets=AssetAny(
            version_completed(),
            *(delta_table_asset(uri, watch=True, aws_conn_id=AWS_CONN_ID) for uri in WATCHED_TABLES),
        ),
    ),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    tags=["aporia"],
)
def monitor_models():
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
    sync_failed = SyncDatasetOperator.partial(
        task_id="sync_failed",
        aws_conn_id=AWS_CONN_ID,
        map_index_template=MAP_INDEX_TEMPLATE,
        # Each of them runs an engine that uses all the cores it finds.
        max_active_tis_per_dagrun=2,
        retries=1,
        retry_delay=timedelta(minutes=1),
    ).expand_kwargs(sync.output)
    evaluate = EvaluateMonitorsOperator(
        task_id="evaluate",
        notify=notify,
        aws_conn_id=AWS_CONN_ID,
        trigger_rule="all_done",
        retries=2,
        retry_delay=timedelta(minutes=1),
    )

    @task
    def list_models(evaluation: dict[str, Any]) -> list[str]:
        return evaluation["models"]

    RetireModelVersionsOperator.partial(task_id="retire", keep=KEPT_VERSIONS, ended_for=ENDED_FOR).expand(
        model_id=list_models(evaluate.output)
    )
    sync_failed >> evaluate


monitor_models()
