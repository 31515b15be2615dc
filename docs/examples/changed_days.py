"""DAGs that run for each day that a sync changed, and once a week. They require Airflow 3.3."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import (
    DAG,
    MinimumCount,
    PartitionedAssetTimetable,
    RollupMapper,
    StartOfWeekMapper,
    WeekWindow,
    task,
)

from aporia_provider.assets import changed_days

START = datetime(2026, 1, 1, tzinfo=UTC)


# example: daily
with DAG(
    "check_changed_day",
    schedule=PartitionedAssetTimetable(assets=changed_days("insurance")),
    start_date=START,
) as daily_dag:

    @task
    def check_day(**context: Any) -> list[dict[str, Any]]:
        """Return the share of missing ages of the day."""
        from aporia_provider.hooks.metrics import MetricsHook

        day = datetime.fromisoformat(context["partition_key"]).replace(tzinfo=UTC)
        return MetricsHook().get_metric(
            "insurance", "missing_ratio", column="features.age", start=day, end=day + timedelta(days=1)
        )

    check_day()
# end

# example: weekly
week = RollupMapper(
    upstream_mapper=StartOfWeekMapper(input_format="%Y-%m-%d"),
    window=WeekWindow(),
    wait_policy=MinimumCount(6),
)
with DAG(
    "report_of_week",
    schedule=PartitionedAssetTimetable(assets=changed_days("insurance"), default_partition_mapper=week),
    start_date=START,
) as weekly_dag:

    @task
    def report(**context: Any) -> str:
        """Return the week."""
        return str(context["partition_key"])

    report()
# end
