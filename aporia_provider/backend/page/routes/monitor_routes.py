"""Routes of the monitors of a model: their view, and the alerts of a replay."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from aporia_provider.backend.page.addresses import MONITORS
from aporia_provider.backend.page.contents.monitor_replay import GREATEST_RATE, LEAST_RATE
from aporia_provider.backend.page.contents.monitors_page import MonitorsPage, monitors_page
from aporia_provider.backend.page.csv_files import csv_response
from aporia_provider.backend.page.views import View, view


def _page(view: View) -> MonitorsPage:
    return monitors_page(
        view.registry,
        view.path("model_id"),
        monitor=view.text("monitor") or None,
        false_alarms_a_year=view.text("false_alarms_a_year") or None,
    )


def _show(view: View) -> Response:
    page = _page(view)
    return view.render(
        "monitors.html",
        title=f"Monitors of {page.model_name}",
        page=page,
        rates={"least": LEAST_RATE, "greatest": GREATEST_RATE},
        trail=[(page.model_name, view.addresses.model(page.model_id)), ("Monitors", None)],
    )


def _replayed(view: View) -> Response:
    page = _page(view)
    if page.replay is None:
        raise HTTPException(404)
    lines = [
        [
            *(page.replay.monitor, page.replay.false_alarms_a_year, alert.model_version),
            *(alert.start.isoformat(), alert.end.isoformat(), alert.occurrences, ", ".join(alert.failed)),
        ]
        for alert in page.replay.alerts
    ]
    header = ["monitor", "false_alarms_a_year", "model_version", "start", "end", "occurrences", "failed"]
    return csv_response(header, lines, "replay.csv")


routes = [Route(MONITORS, view(_show)), Route(f"{MONITORS}/replay.csv", view(_replayed))]
