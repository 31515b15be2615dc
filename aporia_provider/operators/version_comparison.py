"""Operators that compare a metric of two versions of a model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from aporia_provider.errors import ValidationError
from aporia_provider.health import HealthFinding
from aporia_provider.operators.base import AporiaOperator, fail_without_retry
from aporia_provider.operators.outcomes import ON_OUTCOME, OnOutcome, OutcomeBranchOperator, settle
from aporia_provider.operators.parameters import Choice
from aporia_provider.outcome_lineage import tested_version, tests_of_run
from aporia_provider.outcome_texts import comparison_markdown, comparison_table, comparison_title
from aporia_provider.version_comparisons import VersionComparison

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import Context

    from aporia_provider.hooks.metrics import MetricsHook

_NAMES = tuple(field.name for field in fields(VersionComparison))


class VersionComparisonOperator(AporiaOperator):
    """
    Base class of operators that judge whether a version is not worse than another by more than a margin.

    See :meth:`.MetricsHook.compare_versions`.

    :param model_id: Id of the model.
    :param champion: Name of the version in use.
    :param challenger: Name of the version that may replace it; None for the version that was registered last.
    :param metric: Name of a metric of performance, such as ``auc_roc``, ``f1`` or ``rmse``.
    :param margin: Greatest acceptable loss, in units of the metric.
    :param dataset_type: Role of the datasets. Default: ``testing`` if both versions have labels there, else
        ``serving``.
    :param start: Start of the time range. Requires ``end``; without both, all rows are included.
    :param end: End of the time range, exclusive.
    :param segment: Segment of the rows, as a dict with its ``id`` (name or id) and the ``value`` of one of
        its terms; None for all rows.
    :param parameters: Parameters of the metric: ``column``, ``threshold``, ``confidence`` …; see
        :class:`~aporia_provider.metrics.MetricParameters`.
    """

    template_fields = (
        *AporiaOperator.template_fields,
        *("model_id", "champion", "challenger", "metric", "margin", "dataset_type", "start", "end"),
        *("segment", "parameters"),
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"segment": "json", "parameters": "json"}
    ui_color = "#e8dcff"

    def __init__(
        self,
        *,
        model_id: str,
        champion: str,
        challenger: str | None = None,
        metric: str,
        margin: float | str,
        dataset_type: str | None = None,
        start: datetime | str | None = None,
        end: datetime | str | None = None,
        segment: Mapping[str, Any] | None = None,
        parameters: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model_id = model_id
        self.champion = champion
        self.challenger = challenger
        self.metric = metric
        self.margin = margin
        self.dataset_type = dataset_type
        self.start = start
        self.end = end
        self.segment = segment
        self.parameters = parameters
        self.compared: dict[str, Any] | None = None
        self.environment: str | None = None

    @cached_property
    def aporia_hook(self) -> MetricsHook:
        """Return the hook for metrics."""
        from aporia_provider.hooks.metrics import MetricsHook

        return MetricsHook(self.aporia_conn_id)

    def compare(self) -> tuple[VersionComparison, dict[str, Any]]:
        """
        Compare the versions and log the result.

        :return: The comparison, and the result of the task.
        """
        with fail_without_retry():
            margin, parameters = _checked(self.margin, self.parameters)
            compared = self.aporia_hook.compare_versions(
                self.model_id,
                self.champion,
                self.challenger,
                self.metric,
                margin,
                dataset_type=self.dataset_type,
                start=self.start,
                end=self.end,
                segment=self.segment,
                **parameters,
            )
            with self.aporia_hook.get_conn() as api:
                self.environment = api.environment
        comparison = VersionComparison(**{name: compared[name] for name in _NAMES})
        names = compared["champion_version"], compared["challenger_version"]
        self.log.info("%s\n%s", comparison_title(comparison), comparison_table(comparison, *names))
        markdown = comparison_markdown(comparison, self.model_id, *names)
        self.compared = {**compared, "model_id": self.model_id, "markdown": markdown}
        return comparison, self.compared

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Return the versions, the challenger with an assertion, and a run of one test."""
        from airflow.providers.openlineage.extractors import OperatorLineage

        if self.compared is None or self.environment is None:
            return OperatorLineage()
        findings, severity = [_finding(self.compared)], getattr(self, "on_fail", "pass")
        severity = "error" if severity == "fail" else "warn"
        champion, challenger = self.compared["champion_version"], self.compared["challenger_version"]
        subject = (self.environment, self.model_id)
        return OperatorLineage(
            inputs=[
                *tested_version(*subject, champion, [], severity),
                *tested_version(*subject, challenger, findings, severity),
            ],
            run_facets=tests_of_run(findings, severity),
        )


class CompareVersionsOperator(VersionComparisonOperator):
    """
    Judge whether a version is not worse than another by more than a margin; fail if it is.

    The result is stored even if the task fails or is skipped. A comparison that fails is not retried. One
    with too little data is: later data may decide it.

    :param on_fail: What the task does if the challenger is worse: ``fail``, ``skip`` or ``pass``.
    :param on_insufficient: The same if there is too little data.

    For the other parameters see :class:`VersionComparisonOperator`.

    :return: JSON form of a :class:`~aporia_provider.version_comparisons.VersionComparison`, ``model_id``, the
        names ``champion_version`` and ``challenger_version``, and ``markdown``, the comparison as Markdown.
    """

    template_fields = (*VersionComparisonOperator.template_fields, "on_fail", "on_insufficient")

    on_fail = Choice["OnOutcome"](ON_OUTCOME)
    on_insufficient = Choice["OnOutcome"](ON_OUTCOME)

    def __init__(
        self, *, on_fail: OnOutcome = "fail", on_insufficient: OnOutcome = "fail", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.on_fail = on_fail
        self.on_insufficient = on_insufficient

    def execute(self, context: Context) -> dict[str, Any]:
        """Compare the versions."""
        comparison, result = self.compare()
        names = result["champion_version"], result["challenger_version"]
        message = f"{comparison_title(comparison)}\n{comparison_table(comparison, *names)}"
        settle(self, context, comparison.outcome, result, message)
        return result


class BranchOnVersionComparisonOperator(VersionComparisonOperator, OutcomeBranchOperator):
    """
    Judge whether a version is not worse than another by more than a margin; follow tasks by the outcome.

    For the parameters see :class:`VersionComparisonOperator` and
    :class:`~aporia_provider.operators.outcomes.OutcomeBranchOperator`.

    :return: See :class:`CompareVersionsOperator`; and ``followed``, the ids of the followed tasks.
    """

    template_fields = tuple(
        dict.fromkeys([*VersionComparisonOperator.template_fields, *OutcomeBranchOperator.template_fields])
    )

    def execute(self, context: Context) -> dict[str, Any]:
        """Compare the versions, and skip the tasks that are not followed."""
        comparison, result = self.compare()
        return self.follow(context, comparison.outcome, result)


def _checked(margin: Any, parameters: Any) -> tuple[float, dict[str, Any]]:
    """Return a margin as a number, since a rendered template is text, and the parameters as a dict."""
    problems = []
    try:
        number = math.nan if isinstance(margin, bool) else float(margin)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number < math.inf:
        problems.append(f"margin must be a number of at least 0, not {margin!r}")
    if parameters is not None and not isinstance(parameters, Mapping):
        problems.append(f"parameters must be a dict, not {parameters!r}")
        parameters = None
    values = dict(parameters or {})
    problems += [
        f"{name} is a parameter of the operator, not of the metric"
        for name in values
        if name in VersionComparisonOperator.template_fields
    ]
    if problems:
        raise ValidationError("The comparison is not valid", problems=problems)
    return number, values


def _finding(compared: Mapping[str, Any]) -> HealthFinding:
    name = f"{compared['metric']} compared with version {compared['champion_version']}"
    return HealthFinding(
        check="metric",
        name=name,
        outcome=compared["outcome"],
        value=compared["improvement"],
        low=compared["low"],
        high=compared["high"],
        min=-compared["margin"],
        samples=compared["challenger_samples"],
        dataset_type=compared["dataset_type"],
        reason=compared["reason"],
    )
