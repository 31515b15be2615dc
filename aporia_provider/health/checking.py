"""The check of the health of a model version through the API."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from textwrap import shorten
from typing import Any

from aporia_provider.api import AporiaApi
from aporia_provider.datasets import SERVING
from aporia_provider.errors import NotFoundError, ValidationError
from aporia_provider.health.health_report import HealthFinding, HealthReport
from aporia_provider.health.health_request import LATEST, HealthRequest
from aporia_provider.health.metric_condition import MetricCondition, length_of
from aporia_provider.health.metric_judging import judge_metric
from aporia_provider.health.monitor_judging import concerns, judge_alerts, judge_monitor
from aporia_provider.metric_results import QueryResult, ResultRange
from aporia_provider.metrics import MetricsQuery
from aporia_provider.nearest import nearest
from aporia_provider.registrations import Version
from aporia_provider.verdicts import LatestVerdict

_MOST_ALERTS = 1000
_MOST_TOLD = 200  # Maximum length of a reason of an evaluation in characters.


def check_health(api: AporiaApi, request: HealthRequest) -> HealthReport:
    """
    Check the health of a model version.

    :param api: The API.
    :param request: What is checked.
    :raises aporia_provider.errors.NotFoundError: if there is no such model, version or monitor.
    :raises aporia_provider.errors.ValidationError: if a metric cannot be computed, naming all of them.
    """
    # Times of Airflow are of a subclass whose arithmetic fails with the time zone of the standard library.
    until = datetime.fromisoformat((request.until or datetime.now(UTC)).isoformat())
    version = _version(api, request.model_id, request.model_version)
    check = _Check(api, request, version, until)
    findings = [*check.alerts(), *check.monitors(), *check.metrics()]
    return HealthReport(
        model_id=request.model_id,
        model_version=version["name"],
        environment=api.environment,
        until=until.isoformat(),
        findings=findings,
    )


def _version(api: AporiaApi, model_id: str, name: str | None) -> Version:
    versions = api.get_model_versions(model_id)
    if not versions:
        raise NotFoundError(f"Model {model_id!r} has no version: register one first")
    if name in (None, LATEST):
        return versions[-1]
    entry = next((version for version in versions if version["name"] == name), None)
    if entry is None:
        hint = nearest(str(name), [version["name"] for version in versions])
        raise NotFoundError(f"Model {model_id!r} has no version {name!r}; {hint}")
    return entry


@dataclass
class _Check:
    """The check of one version."""

    api: AporiaApi
    request: HealthRequest
    version: Version
    until: datetime

    @property
    def name(self) -> str:
        return self.version["name"]

    @property
    def since(self) -> datetime | None:
        """Earliest time of data that is recent enough; None if all data is."""
        age = self.request.max_data_age
        return None if age is None else self.until - length_of(age)

    @cached_property
    def evaluation(self) -> dict[str, Any]:
        """Reports of the evaluation by the name of the monitor."""
        if not self.request.evaluate:
            return {}
        report = self.api.evaluate_monitors(self.request.model_id, self.name, end=self.until)
        return {monitor["name"]: monitor for monitor in report["monitors"]}

    @cached_property
    def verdicts(self) -> list[LatestVerdict]:
        self.evaluation  # noqa: B018
        return self.api.get_verdicts(self.request.model_id, self.name, end=self.until)

    def alerts(self) -> list[HealthFinding]:
        severity = self.request.alerts
        if severity is None:
            return []
        verdicts = self.verdicts
        alerts = self.api.get_alerts(self.request.model_id, status="open", limit=_MOST_ALERTS)
        complete = len(alerts) < _MOST_ALERTS
        return judge_alerts(alerts, verdicts, self.name, severity, complete=complete)

    def monitors(self) -> list[HealthFinding]:
        if not self.request.monitors:
            return []
        findings = []
        for name in self._monitor_names():
            findings += judge_monitor(name, self.verdicts, self.since, self._missing(name))
        return findings

    def _monitor_names(self) -> Sequence[str]:
        there = self.api.get_monitors(self.request.model_id)
        names = self.request.monitor_names
        if names is None:
            mine = (self.version["id"], self.name)
            active = [each["name"] for each in there if each.get("is_active", True) and concerns(each, mine)]
            if not active:
                raise NotFoundError(f"Model {self.request.model_id!r} has no active monitor of its versions")
            return active
        monitor_names = [each["name"] for each in there]
        missing = [name for name in dict.fromkeys(names) if name not in monitor_names]
        if missing:
            hints = "; ".join(f"{name!r} ({nearest(name, monitor_names)})" for name in missing)
            raise NotFoundError(f"Model {self.request.model_id!r} has no monitor {hints}")
        return list(dict.fromkeys(names))

    def _missing(self, name: str) -> str:
        report = self.evaluation.get(name, {})
        messages = [*report.get("problems", ()), *report.get("notes", ())]
        text = f"the monitor has not judged version {self.name!r}"
        return "; ".join([text, *(shorten(str(message), _MOST_TOLD) for message in messages[:3])])

    def metrics(self) -> Iterator[HealthFinding]:
        conditions = self.request.metrics
        metrics = [
            condition.to_metric(str(index), self.name, self.until)
            for index, condition in enumerate(conditions)
        ]
        age = self._age_condition()
        if age is not None:
            metrics.append(age.to_metric(str(len(conditions)), self.name, self.until))
        if not metrics:
            return
        answers = self.api.query_metrics(MetricsQuery(model_id=self.request.model_id, metrics=metrics))
        results = {result.id: (item.time_range, result) for item in answers for result in item.metrics}
        every = [*conditions, *([] if age is None else [age])]
        _check_results(every, results)
        for index, condition in enumerate(conditions):
            time_range, result = results[str(index)]
            yield judge_metric(condition, result, time_range)
        if age is not None:
            yield self._data_age(*results[str(len(conditions))])

    def _age_condition(self) -> MetricCondition | None:
        period = self.request.max_data_age
        return None if period is None else MetricCondition(metric="count", min=1, period=period)

    def _data_age(self, time_range: ResultRange | None, result: QueryResult) -> HealthFinding:
        rows = result.value if isinstance(result.value, int) else 0
        age = self.request.max_data_age
        return HealthFinding(
            check="data age",
            name=f"rows of the {SERVING} dataset in the last {age}",
            outcome="pass" if rows else "insufficient",
            value=rows,
            min=1,
            samples=rows,
            dataset_type=SERVING,
            start=time_range.start if time_range else None,
            end=time_range.end if time_range else None,
            reason=None if rows else self._sync_reason(),
        )

    def _sync_reason(self) -> str:
        status = self.api.get_dataset_sync_status(self.request.model_id, self.name, "serving")
        synced = status.get("last_sync_at")
        last_sync = f"the last sync was at {synced}" if synced else "the dataset was never synced"
        return f"there are no recent rows; {last_sync}"


def _check_results(
    conditions: Sequence[MetricCondition], results: dict[str, tuple[ResultRange | None, QueryResult]]
) -> None:
    problems = []
    for index, condition in enumerate(conditions):
        result = results.get(str(index))
        if result is None:
            problems.append(f"{condition.title}: the server returned no result")
        elif result[1].error is not None:
            problems.append(f"{condition.title}: {result[1].error}")
        elif result[1].value is not None and (
            isinstance(result[1].value, bool) or not isinstance(result[1].value, int | float)
        ):
            problems.append(f"{condition.title}: the metric is not a number, so it has no limits")
    if problems:
        raise ValidationError("The metrics cannot be judged", problems=problems)
