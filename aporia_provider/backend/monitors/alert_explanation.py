"""Explanations of alerts of performance."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from aporia_provider.alerts import Alert
from aporia_provider.api import AporiaApi
from aporia_provider.backend.metrics.change_explanation import EXPLAINED, Change, explain
from aporia_provider.backend.monitors.alert_segments import alert_configuration, find_alert_segment
from aporia_provider.backend.monitors.commits_concerned import FindCredentials, first_commits
from aporia_provider.backend.monitors.measures import Question
from aporia_provider.errors import NotFoundError, ValidationError
from aporia_provider.explanations import ChangeExplanation
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.registered_versions import registered_schema

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
    configuration = alert_configuration(api, found)
    segment = find_alert_segment(api, found, configuration)
    start, end = (datetime.fromisoformat(moment) for moment in (found.start, found.end))
    change = Change(
        found.model_id,
        verdict.metric,
        {"start": start, "end": end},
        {"start": start - baseline, "end": start},
        found.model_version,
        segment=None if segment is None else segment.value.model_dump(),
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
