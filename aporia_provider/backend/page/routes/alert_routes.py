"""Routes of an alert: its view, its first commits, and what a user does about it."""

from __future__ import annotations

import logging
from datetime import timedelta

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aporia_provider.backend.monitors.commits_concerned import first_commits
from aporia_provider.backend.page.addresses import ALERT
from aporia_provider.backend.page.charts.alert_charts import windows_svg
from aporia_provider.backend.page.charts.compilation import MISSING_EXTRA, is_available
from aporia_provider.backend.page.contents.alert_page import alert_page, find_page_alert
from aporia_provider.backend.page.csv_files import csv_response
from aporia_provider.backend.page.forms import read_form
from aporia_provider.backend.page.views import View, view
from aporia_provider.backend.store.tables import utc_now

log = logging.getLogger(__name__)

SNOOZES = {"8": "8 hours", "24": "1 day", "72": "3 days", "168": "1 week", "720": "30 days"}
"""Lengths of a snooze in hours, and their texts."""
_SHOWN = ("field", "metric", "value", "low", "high", "baseline_value", "samples", "outcome")


def _show(view: View) -> Response:
    page = alert_page(view.registry, view.path("model_id"), view.path("alert_id"))
    alert = page.alert
    model = (alert.model_name or alert.model_id, view.addresses.model(alert.model_id))
    return view.render(
        "alert.html",
        title=alert.monitor,
        page=page,
        alert=alert,
        chart=windows_svg(page.points),
        charts_note=None if is_available() else MISSING_EXTRA,
        snoozes=SNOOZES,
        trail=[model, (f"Alert: {alert.monitor}", None)],
    )


def _windows(view: View) -> Response:
    page = alert_page(view.registry, view.path("model_id"), view.path("alert_id"))
    lines = [
        [point.start.isoformat(), point.end.isoformat(), *(getattr(point.verdict, name) for name in _SHOWN)]
        for point in page.points
    ]
    return csv_response(["start", "end", *_SHOWN], lines, "windows.csv")


def _commits(view: View) -> Response:
    alert = find_page_alert(view.registry, view.path("model_id"), view.path("alert_id"))
    commits = list(first_commits(view.registry, alert, view.request.app.state.find_credentials))
    model = (alert.model_name or alert.model_id, view.addresses.model(alert.model_id))
    up = view.addresses.alert(alert.model_id, alert.id)
    return view.render(
        "commits.html",
        title="First commits",
        commits=commits,
        dag_run_address=view.dag_run_address,
        trail=[model, (f"Alert: {alert.monitor}", up), ("First commits", None)],
    )


def _acknowledge(view: View) -> Response:
    alert = find_page_alert(view.registry, view.path("model_id"), view.path("alert_id"))
    view.registry.acknowledge_alert(alert.id, view.visitor.name)
    log.info("%s acknowledged alert %s", view.visitor.name, alert.id)
    return view.redirect(view.addresses.alert(alert.model_id, alert.id))


async def _snooze(request: Request) -> Response:
    hours = (await read_form(request)).get("hours", "")
    if hours not in SNOOZES:
        raise HTTPException(400)

    def snooze(found: View) -> Response:
        alert = find_page_alert(found.registry, found.path("model_id"), found.path("alert_id"))
        found.registry.snooze_alert(alert.id, utc_now() + timedelta(hours=int(hours)))
        log.info("%s snoozed alert %s for %s hours", found.visitor.name, alert.id, hours)
        return found.redirect(found.addresses.alert(alert.model_id, alert.id))

    return await view(snooze)(request)


routes = [
    Route(ALERT, view(_show)),
    Route(f"{ALERT}/windows.csv", view(_windows)),
    Route(f"{ALERT}/commits", view(_commits)),
    Route(f"{ALERT}/acknowledge", view(_acknowledge), methods=["POST"]),
    Route(f"{ALERT}/snooze", _snooze, methods=["POST"]),
]
