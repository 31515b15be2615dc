"""Views of the models that a DAG or a task has registered or synced."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from aporia_provider.backend.page.contents.overview import Selection
from aporia_provider.backend.page.routes.overview_routes import render_overview
from aporia_provider.backend.page.views import View, view

_MOST = 500
_DAG = "/dags/{dag_id:segment}"
_TASK = f"{_DAG}/runs/{{run_id:segment}}/tasks/{{task_id:segment}}"


def _models(view: View) -> Response:
    dag_id = view.path("dag_id")
    task = {name: view.request.path_params.get(name) for name in ("run_id", "task_id")}
    if not _may_read(view, dag_id):
        raise HTTPException(403)
    models = model_ids(view.environment, dag_id, **task)
    if len(models) == 1:
        return view.redirect(view.addresses.model(*models))
    subject = dag_id if task["task_id"] is None else f"{dag_id}, {task['task_id']}"
    return render_overview(view, Selection(models=models), title=f"Models of {subject}")


def model_ids(
    environment: str, dag_id: str, run_id: str | None = None, task_id: str | None = None
) -> frozenset[str]:
    """
    Return the ids of the models with asset events of a DAG or one of its tasks.

    :param environment: Environment of the models.
    :param dag_id: Id of the DAG.
    :param run_id: Id of the run; None for all runs.
    :param task_id: Id of the task; None for all tasks.
    """
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import exists, select

    event = AssetEvent
    conditions = [event.asset_id == AssetModel.id, event.source_dag_id == dag_id]
    if run_id is not None and task_id is not None:
        conditions += [event.source_run_id == run_id, event.source_task_id == task_id]
    # The table of events is indexed by asset, not by DAG.
    query = select(AssetModel.uri).where(AssetModel.uri.like("aporia://%"), exists().where(*conditions))
    with create_session() as session:
        addresses = [urlsplit(uri) for uri in session.scalars(query.limit(_MOST))]
    return frozenset(
        unquote(address.path.split("/")[1])
        for address in addresses
        if unquote(address.netloc) == environment and "/" in address.path
    )


def _may_read(view: View, dag_id: str) -> bool:
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails

    user = view.request.state.airflow_user
    details = DagDetails(id=dag_id)
    return bool(get_auth_manager().is_authorized_dag(method="GET", details=details, user=user))


routes = [Route(_DAG, view(_models)), Route(_TASK, view(_models))]
