"""The loop, once: drifted rows, an alert, a retrain, a comparison, an answer, and another version in use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from deployment import Deployment

    from aporia_provider.backend.embedded import EmbeddedRegistry

MODEL = "employment"
LOOP = "retrain_on_alert"
MONITOR = "Young"
ROWS = 2_000
ANSWER = "promote"


class Loop:
    """
    What happens in the loop, told as it happens.

    :param airflow: The running Airflow.
    :param registry: The embedded backend.
    :param version: The version in use.
    :param say: Tells a step.
    """

    def __init__(
        self, airflow: Deployment, registry: EmbeddedRegistry, version: str, say: Callable[[str], None]
    ) -> None:
        self._airflow, self._registry, self._version = airflow, registry, version
        self._say = say

    def close(self) -> None:
        """Commit drifted rows, and follow what Airflow does until another version is in use."""
        self._create_monitor()
        uri = self._commit_drifted_rows()
        self._say(
            f"Loop: {ROWS:,} predictions of yesterday, about people a quarter as old, are committed to {uri}"
        )
        self._airflow.unpause(LOOP)
        evaluated = self._airflow.trigger("monitor_models")
        self._say("Loop: syncing and evaluating: airflow dags trigger monitor_models")
        self._airflow.finish(evaluated)
        # The new version is synced by the DAG that compares it.
        self._airflow.unpause("monitor_models", is_paused=True)
        run = self._airflow.first_run(LOOP)
        alert = self._airflow.eventually(lambda: self._result(run, "read_alert"))
        self._say(f"Loop: the alert has started {LOOP}: {alert['monitor']}: {alert['description']}")
        self._answer(run)
        states = self._airflow.finish(run)
        champion = self._registry.get_model_tags(MODEL).get("champion")
        self._say(f"Loop: closed: {ANSWER} is {states[ANSWER]}; the version in use is now {champion}")

    def _create_monitor(self) -> None:
        from aporia_provider.monitor_definitions import MonitorDefinition

        young = MonitorDefinition(
            name=MONITOR, type="metric_change", metric="mean", features=["AGEP"], min=25, severity="HIGH"
        )
        self._registry.apply_monitors(MODEL, [young.to_monitor(MODEL)])

    def _commit_drifted_rows(self) -> str:
        from deltalake import DeltaTable, write_deltalake

        from aporia_provider.hooks.delta_lake import DeltaLakeHook

        uri = f"s3://lake/{MODEL}/{self._version}/serving"
        storage_options = DeltaLakeHook().delta_options()
        rows = DeltaTable(uri, storage_options=storage_options).to_pandas().head(ROWS)
        yesterday = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(hours=12)
        drifted = rows.assign(id=rows.id + 10_000_000, AGEP=rows.AGEP // 4, predicted_at=yesterday)
        drifted["predicted_at"] = drifted.predicted_at.dt.as_unit("us")
        write_deltalake(uri, drifted, mode="append", storage_options=storage_options)
        return uri

    def _answer(self, run: str) -> None:
        """Wait for the question, and answer it in place of a person."""
        place = f"{run}/taskInstances/ask/-1/hitlDetails"
        question = self._airflow.eventually(lambda: self._airflow.call("GET", place))
        compared = self._airflow.result(run, "compare")
        versions = f"{compared['champion_version']} and {compared['challenger_version']}"
        self._say(f"Loop: retrained, registered, synced, and compared: {versions}")
        print(f"\n{question['subject']}\n\n{question['body']}\n")
        self._say(f'Loop: the demo answers "{ANSWER}", as a person would on the page "Required Actions"')
        self._airflow.eventually(lambda: self._is_answered(place))

    def _is_answered(self, place: str) -> bool:
        if not self._airflow.call("GET", place)["response_received"]:
            self._airflow.call("PATCH", place, {"chosen_options": [ANSWER], "params_input": {}})
        return True

    def _result(self, run: str, task_id: str) -> Any:
        return self._airflow.result(run, task_id) if self._airflow.state(run, task_id) == "success" else None
