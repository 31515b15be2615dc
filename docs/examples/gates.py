"""The examples of the how-to guides on gates: checks of a version, and decisions about it."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.hitl import HITLBranchOperator
from airflow.sdk import DAG

from aporia_provider.health import MetricCondition
from aporia_provider.operators.health import BranchOnModelHealthOperator, CheckModelHealthOperator
from aporia_provider.operators.version_comparison import (
    BranchOnVersionComparisonOperator,
    CompareVersionsOperator,
)

START = datetime(2026, 1, 1, tzinfo=UTC)

with DAG("gates", schedule="@daily", start_date=START, catchup=False):
    # example: check_health
    check = CheckModelHealthOperator(
        task_id="check_health",
        model_id="insurance",
        monitors=["Mean amount"],
        metrics=[
            MetricCondition(metric="missing_ratio", column="amount", max=0.05, period="7d"),
            MetricCondition(metric="drift_score", column="amount", max=0.5, period="7d"),
        ],
        max_data_age="2d",
    )
    # end
    # example: branch_on_health
    branch = BranchOnModelHealthOperator(
        task_id="branch_on_health",
        model_id="insurance",
        model_version="v1",
        alerts="MEDIUM",
        follow_task_ids_if_passed="serve",
        follow_task_ids_if_failed="retrain",
        follow_task_ids_if_insufficient="wait",
    )
    branch >> [EmptyOperator(task_id=task_id) for task_id in ("serve", "retrain", "wait")]
    # end
    check >> branch

with DAG("promotion", schedule=None, start_date=START):
    # example: branch_on_comparison
    branch_on_comparison = BranchOnVersionComparisonOperator(
        task_id="branch_on_comparison",
        model_id="insurance",
        champion="v1",
        metric="accuracy",
        margin=0.01,
        parameters={"column": "will_buy"},
        follow_task_ids_if_passed="promote",
        follow_task_ids_if_failed="keep",
        follow_task_ids_if_insufficient="compare_versions",
    )
    # end
    # example: compare_versions
    compare = CompareVersionsOperator(
        task_id="compare_versions",
        model_id="insurance",
        champion="v1",
        metric="accuracy",
        margin=0.01,
        parameters={"column": "will_buy"},
        on_fail="skip",
        on_insufficient="pass",
    )
    decide = HITLBranchOperator(
        task_id="decide",
        subject="Promote the new version?",
        body="{{ ti.xcom_pull('compare_versions')['markdown'] }}",
        options=["promote", "keep"],
    )
    # end
    promote = EmptyOperator(task_id="promote", trigger_rule="none_failed")
    keep = EmptyOperator(task_id="keep", trigger_rule="none_failed")
    branch_on_comparison >> [compare, promote, keep]
    compare >> decide >> [promote, keep]
