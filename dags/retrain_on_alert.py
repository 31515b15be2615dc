"""
Retrain a model when a monitor has opened an alert, compare the new version with the one in use, and use it
if it is not worse.

The alert starts ``retrain_and_register``, which registers the new version, and the datasets of that version
are synced. Then both versions are compared: if the new version is not worse than the one in use by more
than ``MARGIN``, it is used; if it is, it is not used. If there is too little data to tell, a person
decides, who sees the comparison and why the performance changed; without an answer for a day, the version
in use stays.

The version in use is the tag ``champion`` of the model. To use this DAG for a model of yours, change the
settings below, and what ``promote`` and ``keep`` do.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.hitl import HITLBranchOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import dag, task

from aporia_provider.assets import alert_opened
from aporia_provider.operators.model import AddModelTagsOperator
from aporia_provider.operators.sync_datasets import SyncDatasetsOperator
from aporia_provider.operators.version_comparison import BranchOnVersionComparisonOperator

MODEL_ID = "employment"
RETRAIN_DAG = "retrain_and_register"
# Types of the monitors whose alerts are a reason to retrain. New data does not help if no data arrives.
REASONS = ("performance_degradation", "data_drift", "prediction_drift", "metric_change")
# A metric that both versions have, and the greatest loss that is acceptable.
METRIC = "accuracy"
PREDICTION = "predictions.probability"
MARGIN = 0.01
# Role of the compared datasets. If both versions have a testing dataset with the same rows, use "testing".
COMPARED = "serving"
AWS_CONN_ID = "aws_default"
CHAMPION = "{{ ti.xcom_pull(task_ids='read_alert')['champion'] }}"
CHALLENGER = "{{ ti.xcom_pull(task_ids='compare')['challenger_version'] }}"


@dag(
    schedule=[alert_opened(MODEL_ID)],
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    tags=["aporia"],
)
def retrain_on_alert():
    @task
    def read_alert(**context: Any) -> dict[str, Any]:
        """Return the most severe alert that is a reason to retrain, and the name of the version in use."""
        from airflow.providers.common.compat.sdk import AirflowSkipException

        from aporia_provider.hooks.aporia import AporiaHook

        events = context["triggering_asset_events"][alert_opened(MODEL_ID)]
        opened = [alert for event in events for alert in event.extra["alerts"]]
        alerts = [alert for alert in opened if alert["monitor_type"] in REASONS]
        if not alerts:
            raise AirflowSkipException(f"No alert is about {', '.join(REASONS)}")
        with AporiaHook().get_conn() as api:
            champion = api.get_model_tags(MODEL_ID).get("champion")
        return {**alerts[0], "champion": champion or events[-1].asset.uri.rpartition("/")[2]}

    @task
    def explain(alert: dict[str, Any]) -> str:
        """Return why the performance changed, as Markdown."""
        from aporia_provider.errors import AporiaError
        from aporia_provider.hooks.monitors import MonitorsHook

        description = f"**{alert['monitor']}**: {alert['description']}"
        try:
            explanation = MonitorsHook().explain_alert(alert["alert_id"]).to_markdown()
        except AporiaError as error:
            explanation = f"No explanation: {error.message}"
        return f"{description}\n\n{explanation}"

    @task
    def list_new_datasets() -> list[dict[str, str]]:
        """Return the datasets of the model that are due: those of the new version were never synced."""
        from aporia_provider.hooks.sync import SyncHook

        due = SyncHook(aws_conn_id=AWS_CONN_ID).get_due_datasets()
        return [dataset for dataset in due if dataset["model_id"] == MODEL_ID]

    alert = read_alert()
    explanation = explain(alert)
    retrain = TriggerDagRunOperator(
        task_id="retrain",
        trigger_dag_id=RETRAIN_DAG,
        # A run without a date uses the time at which it was started.
        logical_date=None,
        wait_for_completion=True,
        poke_interval=10,
        deferrable=True,
    )
    new_datasets = list_new_datasets()
    # Another run may have synced them already; then there is nothing to do, and the task is skipped.
    sync = SyncDatasetsOperator(task_id="sync", datasets=new_datasets, aws_conn_id=AWS_CONN_ID)
    compare = BranchOnVersionComparisonOperator(
        task_id="compare",
        model_id=MODEL_ID,
        champion=CHAMPION,
        metric=METRIC,
        margin=MARGIN,
        dataset_type=COMPARED,
        parameters={"column": PREDICTION},
        follow_task_ids_if_passed="promote",
        follow_task_ids_if_failed="keep",
        follow_task_ids_if_insufficient="ask",
        # Also if there was nothing to sync, but not if no alert is a reason to retrain.
        trigger_rule="none_failed_min_one_success",
    )
    ask = HITLBranchOperator(
        task_id="ask",
        subject=f"Use version {CHALLENGER} of model {MODEL_ID} instead of {CHAMPION}?",
        body="{{ ti.xcom_pull(task_ids='compare')['markdown'] }}\n\n{{ ti.xcom_pull(task_ids='explain') }}",
        options=["promote", "keep"],
        defaults=["keep"],
        response_timeout=timedelta(days=1),
    )
    promote = AddModelTagsOperator(
        task_id="promote",
        model_id=MODEL_ID,
        tags={"champion": CHALLENGER},
        trigger_rule="none_failed_min_one_success",
    )
    keep = EmptyOperator(task_id="keep", trigger_rule="none_failed_min_one_success")
    explanation >> retrain >> new_datasets
    [new_datasets, sync] >> compare >> [ask, promote, keep]
    ask >> [promote, keep]


retrain_on_alert()
