"""Explanations of alerts of performance."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from aporia_provider.alerts import Alert
from aporia_provider.api import AporiaApi
from aporia_provider.backend.metrics.change_explanation import EXPLAINED, Change, explain
from aporia_provider.backend.monitors.commits_concerned import FindCredentials, first_commits
from aporia_provider.backend.monitors.measures import Question
from aporia_provider.errors import NotFoundError, ValidationError
from aporia_provider.explanations import ChangeExplanation
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.monitor_configuration import MonitorConfiguration, parse_configuration
from aporia_provider.registered_versions import registered_schema
from aporia_provider.segment_values import segment_text

BASELINE = timedelta(weeks=4)
"""Length of the period before an alert with which its windows are compared."""
MAX_ALERTS = 1000


def explain_alert(
    api: AporiaApi,
    alert: Alert | str,
    baseline: timedelta = BASELINE,
    *,
    find_credentials: FindCredentials = AwsCredentials,
) -> ChangeExplanation:
    """
    Divide the change of a metric from the time before an alert to its windows.

    :param api: The embedded backend, or a client of this project's server.
    :param alert: The alert, or its id.
    :param baseline: Length of the period before the alert.
    :param find_credentials: Function that returns the credentials for S3, from whose Delta logs the first
        commits with rows of the failed windows are read.
    :return: See :meth:`.MetricsHook.explain_change`.
    :raises aporia_provider.errors.NotFoundError: if there is no such alert, or its monitor or its segment was
        deleted.
    :raises aporia_provider.errors.ValidationError: if the alert is not about an explainable metric of a
        single version.
    """
    found = _find(api, alert) if isinstance(alert, str) else alert
    explanation = explain_change_of(api, found, baseline)
    return replace(explanation, first_commits=tuple(first_commits(api, found, find_credentials)))


def explain_change_of(api: AporiaApi, found: Alert, baseline: timedelta = BASELINE) -> ChangeExplanation:
    """
    Divide the change of a metric as :func:`explain_alert`, without reading the logs of tables.

    :param api: The embedded backend, or a client of this project's server.
    :param found: The alert.
    :param baseline: Length of the period before the alert.
    :raises aporia_provider.errors.NotFoundError: if the monitor or the segment of the alert was deleted.
    :raises aporia_provider.errors.ValidationError: if the alert is not about an explainable metric of a
        single version.
    """
    verdict = found.failed[0]
    if verdict.metric not in EXPLAINED or found.model_version is None:
        subject = verdict.metric if found.model_version else "the union of all versions"
        raise ValidationError(
            f"Alert {found.id} is about {subject}: alerts about {', '.join(EXPLAINED)} of one version can be "
            "explained"
        )
    configuration = _configuration(api, found)
    start, end = (datetime.fromisoformat(moment) for moment in (found.start, found.end))
    change = Change(
        found.model_id,
        verdict.metric,
        {"start": start, "end": end},
        {"start": start - baseline, "end": start},
        found.model_version,
        segment=_segment(api, found, configuration),
    )
    parameters: dict[str, Any] = dict(Question.of(configuration.metric).parameters)
    if verdict.field is not None:
        parameters["column"] = verdict.field
    return explain(
        api.query_metrics,
        lambda name: registered_schema(api, found.model_id, name),
        change,
        parameters,
        segments_of=lambda: api.list_segments(found.model_id),
    )


def _find(api: AporiaApi, alert_id: str) -> Alert:
    found = next((each for each in api.get_alerts(limit=MAX_ALERTS) if each.id == alert_id), None)
    if found is None:
        raise NotFoundError(f"There is no alert {alert_id!r} among the latest {MAX_ALERTS}")
    return found


def _configuration(api: AporiaApi, alert: Alert) -> MonitorConfiguration:
    """Return the configuration of the alert's monitor."""
    monitors = {each["id"]: each for each in api.get_monitors(alert.model_id)}
    if alert.monitor_id not in monitors:
        raise NotFoundError(f"The monitor of alert {alert.id} was deleted")
    registration = monitors[alert.monitor_id]
    return parse_configuration(registration["type"], registration["configuration"])


def _segment(api: AporiaApi, alert: Alert, configuration: MonitorConfiguration) -> dict[str, str] | None:
    """Return the term of the segment whose rows an alert is about; None for all rows."""
    if alert.segment is None:
        return None
    group = None if configuration.segment is None else configuration.segment[0]
    for segment in api.list_segments(alert.model_id):
        if group in (segment["id"], segment["name"]):
            for term in segment["terms"]:
                if segment_text(segment["name"], term["label"]) == alert.segment:
                    return {"id": segment["id"], "value": term["label"]}
    raise NotFoundError(f"The segment of alert {alert.id}, which is about {alert.segment}, was deleted")
