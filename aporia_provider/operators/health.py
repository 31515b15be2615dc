"""Operators that act on the health of a model version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from aporia_provider.health import HealthReport, MetricCondition
from aporia_provider.health.health_report import MOST_FINDINGS
from aporia_provider.operators.base import AporiaOperator, fail_without_retry
from aporia_provider.operators.outcomes import ON_OUTCOME, OnOutcome, OutcomeBranchOperator, settle
from aporia_provider.operators.parameters import Choice, Flag
from aporia_provider.outcome_lineage import tested_version, tests_of_run
from aporia_provider.outcome_texts import health_markdown, health_table, health_title

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import Context

    from aporia_provider.hooks.health import HealthHook


class ModelHealthOperator(AporiaOperator):
    """
    Base class of operators that check the health of a model version.

    :param model_id: Id of the model.
    :param model_version: Name of the version; None or ``latest`` for the version that was registered last.
    :param alerts: ``LOW``, ``MEDIUM`` or ``HIGH``: an open alert of at least this severity fails. None does
        not check alerts.
    :param monitors: Names of monitors whose latest verdicts are checked, or ``all`` for all active monitors.
    :param metrics: Limits of metrics: :class:`~aporia_provider.health.MetricCondition`, or dicts of its
        parameters.
    :param max_data_age: Age of the latest serving data, such as ``2d``, above which the outcome is
        ``insufficient``, unless it is ``fail``. None does not check it.
    :param until: Time of the check: the end of the periods of metrics, and of the last window of monitors
        that is considered. Default: the end of the data interval of the DAG run, or, if it has none, the time
        after which the run could start (``dag_run.run_after``).
    :param evaluate: Whether the monitors are evaluated first, if alerts or monitors are checked.
    """

    template_fields = (
        *AporiaOperator.template_fields,
        *("model_id", "model_version", "alerts", "monitors", "metrics", "max_data_age", "until", "evaluate"),
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"monitors": "json", "metrics": "json"}
    ui_color = "#e8dcff"
    severity: ClassVar[str] = "warn"

    evaluate = Flag()

    def __init__(
        self,
        *,
        model_id: str,
        model_version: str | None = None,
        alerts: str | None = None,
        monitors: str | Sequence[str] = (),
        metrics: Sequence[MetricCondition | Mapping[str, Any]] = (),
        max_data_age: str | None = None,
        until: datetime | str | None = None,
        evaluate: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model_id = model_id
        self.model_version = model_version
        self.alerts = alerts
        self.monitors = monitors
        self.metrics = metrics
        self.max_data_age = max_data_age
        self.until = until
        self.evaluate = evaluate
        self.report: HealthReport | None = None

    @cached_property
    def aporia_hook(self) -> HealthHook:
        """Return the hook for health checks."""
        from aporia_provider.hooks.health import HealthHook

        return HealthHook(self.aporia_conn_id)

    def check(self, context: Context) -> tuple[HealthReport, dict[str, Any]]:
        """
        Check the version and log the findings.

        :param context: Context of the task.
        :return: The report, and the result of the task.
        """
        with fail_without_retry():
            report = self.report = self.aporia_hook.check_health(
                self.model_id,
                self.model_version,
                alerts=self.alerts,
                monitors=self.monitors,
                metrics=self.metrics,
                max_data_age=self.max_data_age,
                until=self.until or run_time(context),
                evaluate=self.evaluate,
            )
        self.log.info("%s\n%s", health_title(report), health_table(report))
        return report, {**report.to_json(), "markdown": health_markdown(report)}

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Return the version with its findings as assertions, and a run of tests; also if the task fails."""
        from airflow.providers.openlineage.extractors import OperatorLineage

        if self.report is None:
            return OperatorLineage()
        findings = self.report.sorted_findings[:MOST_FINDINGS]
        subject = (self.report.environment, self.report.model_id, self.report.model_version)
        return OperatorLineage(
            inputs=tested_version(*subject, findings, self.severity),
            run_facets=tests_of_run(findings, self.severity),
        )


class CheckModelHealthOperator(ModelHealthOperator):
    """
    Check alerts, monitors and metrics of a model version; fail if one of them fails.

    The result is stored even if the task fails or is skipped. A failed check is not retried. One with too
    little data is: later data may decide it.

    :param on_insufficient: What the task does if there is too little data: ``fail``, ``skip`` or ``pass``.

    For the other parameters see :class:`ModelHealthOperator`.

    :return: JSON form of a :class:`~aporia_provider.health.HealthReport`, and ``markdown``, the report as
        Markdown.
    """

    template_fields = (*ModelHealthOperator.template_fields, "on_insufficient")

    severity = "error"

    on_insufficient = Choice["OnOutcome"](ON_OUTCOME)

    def __init__(self, *, on_insufficient: OnOutcome = "fail", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.on_insufficient = on_insufficient

    def execute(self, context: Context) -> dict[str, Any]:
        """Check the version."""
        report, result = self.check(context)
        settle(self, context, report.outcome, result, f"{health_title(report)}\n{health_table(report)}")
        return result


class BranchOnModelHealthOperator(ModelHealthOperator, OutcomeBranchOperator):
    """
    Check alerts, monitors and metrics of a model version; follow tasks by the outcome.

    For the parameters see :class:`ModelHealthOperator` and
    :class:`~aporia_provider.operators.outcomes.OutcomeBranchOperator`.

    :return: See :class:`CheckModelHealthOperator`; and ``followed``, the ids of the followed tasks.
    """

    template_fields = tuple(
        dict.fromkeys([*ModelHealthOperator.template_fields, *OutcomeBranchOperator.template_fields])
    )

    def execute(self, context: Context) -> dict[str, Any]:
        """Check the version, and skip the tasks that are not followed."""
        report, result = self.check(context)
        return self.follow(context, report.outcome, result)


def run_time(context: Context) -> datetime | None:
    """
    Return the end of the data interval of a DAG run, or, if it has none, the time after which it could start.

    Both are equal in all attempts of a task. Return None without the context of a DAG run.
    """
    end = context.get("data_interval_end")
    if end is not None:
        return end
    return getattr(context.get("dag_run"), "run_after", None)
