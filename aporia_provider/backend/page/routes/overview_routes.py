"""Route of the overview."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from aporia_provider.backend.page.contents.overview import SEVERITIES, STATES, Selection, overview
from aporia_provider.backend.page.views import View, view

_MAX_PAGE = 10_000
_SORTS = {
    "state": "state",
    "name": "name",
    "rows": "rows of the last day",
    "lag": "sync lag",
    "sync": "time of the last sync",
}


def _overview(found: View) -> Response:
    selection = Selection(
        search=found.text("search"),
        state=found.text("state"),
        sort=found.text("sort") or "state",
        page=found.whole_number("page", 1, 1, _MAX_PAGE),
    )
    contents = overview(found.registry, selection)
    return found.render(
        "overview.html",
        title="Models",
        overview=contents,
        selection=selection,
        states=STATES,
        severities=SEVERITIES,
        sorts=_SORTS,
    )


routes = [Route("/", view(_overview))]
