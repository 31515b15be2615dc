"""Route of the overview."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from aporia_provider.backend.page.contents.model_summary import model_summary
from aporia_provider.backend.page.contents.overview import SEVERITIES, STATES, Selection, overview
from aporia_provider.backend.page.views import View, view
from aporia_provider.backend.request_paths import MODEL

_MAX_PAGE = 10_000
_SORTS = {
    "state": "state",
    "name": "name",
    "rows": "rows of the last day",
    "lag": "sync lag",
    "sync": "time of the last sync",
}


def _overview(view: View) -> Response:
    selection = Selection(
        search=view.text("search"),
        state=view.text("state"),
        sort=view.text("sort") or "state",
        page=view.whole_number("page", 1, 1, _MAX_PAGE),
    )
    return render_overview(view, selection)


def render_overview(view: View, selection: Selection, title: str = "Models") -> Response:
    """
    Return the overview.

    :param view: The request.
    :param selection: Which models are shown.
    :param title: Heading of the page.
    """
    return view.render(
        "overview.html",
        title=title,
        overview=overview(view.registry, selection, view.request.app.state.summaries),
        selection=selection,
        states=STATES,
        severities=SEVERITIES,
        sorts=_SORTS,
    )


def _summary(view: View) -> Response:
    model_id = view.path("model_id")
    summary = model_summary(view.registry, model_id, view.request.app.state.summaries)
    return view.render(
        "summary.html",
        title="Performance and labels",
        found=summary,
        trail=[(model_id, view.addresses.model(model_id)), ("Performance and labels", None)],
    )


routes = [Route("/", view(_overview)), Route(f"{MODEL}/summary", view(_summary))]
