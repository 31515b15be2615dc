"""Running DAGs and operators in this process."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG

START = datetime(2026, 1, 1, tzinfo=UTC)


def new_dag(name: str, **params: Any) -> DAG:
    return DAG(name, schedule=None, start_date=START, params={"version": "v1", **params})


def finish(dag: DAG, **run: Any) -> Any:
    """Run the DAG in Airflow as its file would be run; the finished run."""
    store(dag)
    return dag.test(**run)


def store(dag: DAG) -> None:
    """Store the DAG as Airflow's DAG processor does."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.serialization.serialized_objects import LazyDeserializedDAG

    try:
        from airflow.serialization.definitions.dag import SerializedDAG
    except ImportError:
        # Airflow 3.1.
        from airflow.serialization.serialized_objects import SerializedDAG

    DagBundlesManager().sync_bundles_to_db()
    serialized = LazyDeserializedDAG.from_dag(dag)
    SerializedDAG.bulk_write_to_db("dags-folder", None, [serialized])
    SerializedDagModel.write_dag(serialized, bundle_name="dags-folder")


def run(dag: DAG) -> dict[str, Any]:
    """Run the DAG; the return values of its tasks, by task id."""
    finished = finish(dag)
    states = {ti.task_id: ti.state for ti in finished.get_task_instances()}
    assert set(states.values()) == {"success"}, states
    return {ti.task_id: ti.xcom_pull(task_ids=ti.task_id) for ti in finished.get_task_instances()}


def execute(operator: Any, **context: Any) -> Any:
    """Run an operator whose events nobody reads."""

    class Events:
        # No dict: aliases of Airflow 3.1 have no hash.
        def __getitem__(self, key: Any) -> Any:
            return type("Event", (), {"add": lambda *_, **__: None})()

    return operator.execute({"outlet_events": Events(), **context})


def asset_events(dag_id: str) -> list[tuple[str, Any, list[str]]]:
    """URI, extra and aliases of the events of a DAG."""
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session

    with create_session() as session:
        found = session.query(AssetEvent).filter_by(source_dag_id=dag_id).order_by(AssetEvent.id)
        return [
            (event.uri, event.extra, sorted(alias.name for alias in event.source_aliases)) for event in found
        ]


def look_for_dags_to_run(_: Any = None) -> None:
    """Let the scheduler create the runs of DAGs that are due."""
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
    from airflow.utils.session import create_session
    from airflow.utils.sqlalchemy import prohibit_commit

    with create_session() as session, prohibit_commit(session) as guard:
        SchedulerJobRunner(job=Job())._create_dagruns_for_dags(guard, session)


def consume(dag_id: str, schedule: Any) -> None:
    """Store a DAG that is scheduled on an alias and may run."""
    from airflow.models.dag import DagModel
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.utils.session import create_session

    with DAG(dag_id, schedule=[schedule], start_date=START, max_active_runs=100) as dag:
        EmptyOperator(task_id="nothing")
    store(dag)
    with create_session() as session:
        session.get_one(DagModel, dag_id).is_paused = False


def runs(dag_ids: Any) -> dict[str, int]:
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session

    with create_session() as session:
        return {dag_id: session.query(DagRun).filter_by(dag_id=dag_id).count() for dag_id in dag_ids}


def consumed(dag_id: str) -> list[str]:
    """URIs of the assets whose events started the runs of a DAG."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session

    with create_session() as session:
        found = session.query(DagRun).filter_by(dag_id=dag_id).order_by(DagRun.id)
        return [event.uri for run in found for event in run.consumed_asset_events]
