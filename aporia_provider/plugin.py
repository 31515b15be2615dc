"""
Airflow plugin that shows the web page inside Airflow's UI.

The API server and the DAG processor import plugins, so this module imports nothing that is needed only to
show the page.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from airflow.plugins_manager import AirflowPlugin

from aporia_provider import settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_NAME = "Models"


class LazyPage:
    """ASGI application that constructs the page when it is first requested."""

    def __init__(self) -> None:
        self._app: ASGIApp | None = None
        self._lock = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        await self.app(scope, receive, send)

    @property
    def app(self) -> Any:
        """The page."""
        with self._lock:
            if self._app is None:
                from aporia_provider.airflow_page.construction import create_airflow_page

                self._app = create_airflow_page()
            return self._app


def external_views(path: str) -> list[dict[str, Any]]:
    """
    Return the views of Airflow's UI that show the page.

    All keys and destinations exist since Airflow 3.1; a single unknown one would remove the whole plugin.

    :param path: Path of the page.
    """
    run = f"{path}/dags/{{DAG_ID}}/runs/{{RUN_ID}}/tasks/{{TASK_ID}}"
    addresses = {"nav": f"{path}/", "dag": f"{path}/dags/{{DAG_ID}}", "task_instance": run}
    return [
        {
            "name": _NAME,
            "href": address,
            "destination": destination,
            "url_route": "aporia" if destination == "nav" else f"aporia-{destination.replace('_', '-')}",
            "icon": f"{path}/static/icon.svg",
            **({"category": "browse"} if destination == "nav" else {}),
        }
        for destination, address in addresses.items()
    ]


class AporiaPlugin(AirflowPlugin):
    """The web page, and the views of Airflow's UI that show it."""

    name = "aporia"
    fastapi_apps = [{"app": LazyPage(), "url_prefix": settings.PAGE_PREFIX, "name": _NAME}]
    external_views = external_views(settings.page_path())
