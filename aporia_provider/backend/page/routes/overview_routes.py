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
    return render_overview(found, selection)


def render_overview(found: View, selection: Selection, title: str = "Models") -> Response:
    """
    Return the overview.

    :param found: The request.
    :param selection: Which models are shown.
    :param title: Heading of the page.
    """
    return found.render(
        "overview.html",
        title=title,
        overview=overview(found.registry, selection),
        selection=selection,
        states=STATES,
        severities=SEVERITIES,
        sorts=_SORTS,
    )


routes = [Route("/", view(_overview))]
