"""Who may see the page, and who may change something with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


@dataclass(frozen=True)
class Visitor:
    """
    A user who is signed in.

    :param name: Name of the user, which is stored with an acknowledgement.
    :param environment: The only environment that is shown.
    :param may_read: Whether the user may see the page.
    :param may_act: Whether the user may acknowledge and snooze alerts.
    :param can_sign_out: Whether the page itself can end the session.
    :param airflow_url: Path or URL of Airflow's UI, for links to runs of DAGs; None if it is not known.
    """

    name: str
    environment: str
    may_read: bool = True
    may_act: bool = False
    can_sign_out: bool = False
    airflow_url: str | None = None


class PageAccess(Protocol):
    """The authentication and authorization of the deployment that serves the page."""

    open_paths: frozenset[str]
    """Paths of the page that are served without authentication."""

    @property
    def routes(self) -> Sequence[Route]:
        """Additional routes of the deployment, for example a form to sign in."""

    async def visitor(self, request: Request) -> Visitor | None:
        """
        Return the user of a request; None if nobody is signed in.

        Implementations return None if anything about the credentials is doubtful.
        """

    def sign_in(self, request: Request) -> Response | None:
        """Return the response that leads an anonymous user to the form; None if there is no form."""
