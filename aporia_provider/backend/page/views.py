"""Functions shared by the endpoints of the views."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from aporia_provider.backend.page.page_access import Visitor
from aporia_provider.backend.page.template_rendering import render
from aporia_provider.backend.registry import Registry
from aporia_provider.backend.store.database import Database
from aporia_provider.errors import ValidationError
from aporia_provider.explanations import FirstCommit
from aporia_provider.page_addresses import Addresses
from aporia_provider.segment_values import SegmentValue

AT_ONCE = 4
"""Maximum number of views that are computed at once; further ones wait."""
MAX_TEXT = 300
"""Maximum length of a parameter of a query."""


@dataclass(frozen=True)
class View:
    """
    A request of a signed-in user for a view.

    :param request: The request.
    :param database: The database.
    """

    request: Request
    database: Database

    @property
    def visitor(self) -> Visitor:
        """The user."""
        visitor: Visitor = self.request.state.visitor
        return visitor

    @property
    def environment(self) -> str:
        """The environment of the user."""
        return self.visitor.environment

    @cached_property
    def registry(self) -> Registry:
        """The registry of the environment of the user. It reads no folders of the server's disk."""
        return Registry(self.database, self.environment, self.request.app.state.allowed_local_folders)

    @cached_property
    def addresses(self) -> Addresses:
        """The addresses of the views."""
        return Addresses(self.request.scope.get("root_path", ""))

    def dag_run_address(self, commit: FirstCommit) -> str | None:
        """Return the address of the DAG run that made a commit, in Airflow's UI; None if it is not known."""
        base = self.visitor.airflow_url
        if base is None or commit.dag_id is None or commit.run_id is None:
            return None
        # The names are written by whoever made the commit.
        return f"{base}/dags/{quote(commit.dag_id, safe='')}/runs/{quote(commit.run_id, safe='')}"

    def path(self, name: str) -> str:
        """Return a parameter of the path."""
        value: str = self.request.path_params[name]
        return value

    def text(self, name: str) -> str:
        """Return a parameter of the query, at most :data:`MAX_TEXT` characters of it; empty if missing."""
        return self.request.query_params.get(name, "").strip()[:MAX_TEXT]

    @cached_property
    def segment(self) -> SegmentValue | None:
        """
        The segment whose rows the view shows; None for all rows.

        :raises aporia_provider.errors.ValidationError: if only one of ``segment`` and ``value`` is given.
        """
        query = self.request.query_params
        name, value = query.get("segment"), query.get("value")
        if not name and not value:
            return None
        if not name or not value:
            raise ValidationError("segment, the name of a segment, and value, one of its labels, go together")
        return SegmentValue(id=name, value=value)

    def of_segment(
        self, header: Sequence[str], lines: Iterable[Sequence[Any]]
    ) -> tuple[list[str], Iterator[list[Any]]]:
        """
        Return a table whose numbers state their segment, if the view shows one.

        :param header: Names of the columns.
        :param lines: Their values.
        """
        named = self.segment
        if named is None:
            return list(header), (list(line) for line in lines)
        return [*header, "segment", "segment_value"], ([*line, named.id, named.value] for line in lines)

    @property
    def segment_query(self) -> dict[str, str]:
        """The segment as parameters of a query."""
        segment = self.segment
        return {} if segment is None else {"segment": segment.id, "value": segment.value}

    def whole_number(self, name: str, default: int, lowest: int, highest: int) -> int:
        """
        Return a parameter of the query; the default if it is missing or empty.

        :raises aporia_provider.errors.ValidationError: if it is not a whole number within the limits.
        """
        text = self.text(name)
        if not text:
            return default
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
        if number is None or not lowest <= number <= highest:
            raise ValidationError(f"{name}: {text!r} is not a whole number from {lowest} to {highest}")
        return number

    def render(self, template: str, **values: Any) -> Response:
        """Return a template as a response."""
        values = {"visitor": self.visitor, **values}
        return HTMLResponse(render(template, self.request.scope.get("root_path", ""), values))

    def redirect(self, address: str) -> Response:
        """Return the response to a form: the browser then requests an address."""
        return RedirectResponse(address, 303)


def view(handler: Callable[[View], Response]) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that computes a view in a thread."""

    async def endpoint(request: Request) -> Response:
        state = request.app.state
        limiter: CapacityLimiter = state.limiter

        def respond() -> Response:
            return handler(View(request, state.open_database()))

        return await run_sync(respond, limiter=limiter)

    return endpoint
