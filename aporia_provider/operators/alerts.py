"""Operators that monitor a model and send notifications of alerts."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseNotifier

from aporia_provider import settings
from aporia_provider.alerts import Alert, AlertEvent, OpenedAlert, alert_text
from aporia_provider.assets import EventKind, event_aliases
from aporia_provider.errors import TransientError
from aporia_provider.links import ModelPageLink
from aporia_provider.monitor_changes import MonitorChange
from aporia_provider.operators.base import emit_event, fail_without_retry
from aporia_provider.operators.monitors import MonitorsOperator

if TYPE_CHECKING:
    from airflow.sdk import BaseOperatorLink, Context

Notify = BaseNotifier | Callable[[Alert, AlertEvent], None]
"""A notifier of Airflow, or a function."""


class AlertsOperator(MonitorsOperator):
    """
    Base class of operators that send notifications and emit asset events.

    :param model_id: Id of the model; None for all models.
    :param notify: See :class:`NotifyAlertsOperator`.
    """

    operator_extra_links: tuple[BaseOperatorLink, ...] = (ModelPageLink(),)

    def __init__(
        self, *, model_id: str | None = None, notify: Notify | Sequence[Notify] = (), **kwargs: Any
    ) -> None:
        super().__init__(model_id=model_id, **kwargs)
        self.notify = notify
        self.outlets = [*self.outlets, *event_aliases(EventKind.ALERT, model_id)]
        self.on_success_callback = [*self.on_success_callback, _confirm_events]
        self.emitted_alerts: list[str] = []

    def send_notifications(self, context: Context) -> int:
        """Send the notifications that have not been sent; return their number."""
        if not self.notify:
            return 0
        targets = list(self.notify) if isinstance(self.notify, Sequence) else [self.notify]
        environment = self.aporia_hook.environment()
        senders = {
            name: _sender(target, environment, context) for name, target in _targets_by_name(targets).items()
        }
        return self.aporia_hook.notify(senders)

    def emit_opened_alerts(self, context: Context) -> int:
        """
        Emit the asset events of opened alerts.

        Airflow stores them when the task succeeds; the callback of the success confirms that.

        :return: The number of alerts.
        """
        opened = self.aporia_hook.claim_opened_alerts(_claimant(context))
        # Airflow starts one run for the first of several events of a task, and keeps the others for the next.
        by_model: dict[str, list[OpenedAlert]] = {}
        for alert in opened:
            by_model.setdefault(alert.alert.model_id, []).append(alert)
        for model_id, (worst, *others) in by_model.items():
            subject = (worst.environment, model_id, worst.model_version, None)
            alerts = [each.event_extra(settings.page_url()) for each in (worst, *others)]
            emit_event(self, context, EventKind.ALERT, subject, {**alerts[0], "alerts": alerts})
        self.emitted_alerts = [alert.alert.id for alert in opened]
        return len(opened)

    def read_tables(self, model_id: str, aws_conn_id: str | None) -> None:
        """Read the logs of the tables whose freshness is judged, and log which cannot be read."""
        for problem in self.aporia_hook.read_table_histories(model_id, aws_conn_id=aws_conn_id)["problems"]:
            self.log.warning("%s", problem)

    def log_evaluation(self, evaluation: Mapping[str, Any]) -> None:
        """Log the problems and notes of an evaluation, and its counts."""
        for monitor in evaluation["monitors"]:
            for text in (*monitor["problems"], *monitor["notes"]):
                self.log.info("%s: %s", monitor["name"], text)
        self.log.info(
            "%d windows were judged; %d alerts were opened, and %d resolved",
            *(evaluation[name] for name in ("windows", "opened", "resolved")),
        )


class NotifyAlertsOperator(AlertsOperator):
    """
    Send the notifications of alerts that were opened, recurred or were resolved since the last time.

    Each event is sent once to each notifier. If a notifier raises an error, the other events and notifiers
    follow, and the task fails and is retried; the retry, or the next task, sends the event again to the
    notifiers that have not received it. Notifiers are recognized by the names of their class or function, and
    several of the same name by their order. The task also emits an asset event of the kind
    :func:`~aporia_provider.assets.alert_opened` for each alert that was opened. Requires the embedded
    backend.

    :param notify: Functions that are called with the :class:`~aporia_provider.alerts.Alert` and the
        :class:`~aporia_provider.alerts.AlertEvent`, or notifiers of Airflow, whose templates can use
        ``alert``, ``event``, ``alert_text`` and ``alert_environment``.
    :return: ``{"sent", "emitted"}``, the numbers of notifications and of asset events.
    """

    template_fields = ("aporia_conn_id",)

    def __init__(self, *, notify: Notify | Sequence[Notify] = (), **kwargs: Any) -> None:
        super().__init__(notify=notify, **kwargs)

    def execute(self, context: Context) -> dict[str, Any]:
        """Send the notifications, and emit the asset events."""
        with fail_without_retry():
            sent = self.send_notifications(context)
            emitted = self.emit_opened_alerts(context)
        self.log.info("%d notifications were sent, and %d asset events emitted", sent, emitted)
        return {"sent": sent, "emitted": emitted}


class EvaluateMonitorsOperator(AlertsOperator):
    """
    Evaluate the monitors of one or all models, send notifications, and emit asset events of opened alerts.

    Syncs evaluate the monitors of their model. This operator also judges what depends on the clock: missing
    data, tables without new commits, and the age of versions. A model whose evaluation fails does not stop
    the others. Requires the embedded backend.

    :param model_id: Id of the model; None for all models with monitors.
    :param notify: See :class:`NotifyAlertsOperator`. None sends nothing.
    :param aws_conn_id: AWS connection used to read the logs of the tables whose freshness is judged.
    :return: ``models``, the ids of the evaluated models; ``windows``, ``opened`` and ``resolved``, the
        numbers of judged windows and of alerts; and ``sent`` and ``emitted``, the numbers of notifications
        and of asset events.
    """

    template_fields = (*MonitorsOperator.template_fields, "aws_conn_id")

    def __init__(
        self,
        *,
        model_id: str | None = None,
        notify: Notify | Sequence[Notify] = (),
        aws_conn_id: str | None = "aws_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(model_id=model_id, notify=notify, **kwargs)
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Evaluate the monitors, send the notifications, and emit the asset events."""
        evaluated: dict[str, dict[str, Any]] = {}
        with fail_without_retry():
            problems = self._evaluate(evaluated)
            sent = self.send_notifications(context)
            if problems:
                raise TransientError("\n- ".join(["Models could not be evaluated", *problems]))
            emitted = self.emit_opened_alerts(context)
        counts = {
            name: sum(result[name] for result in evaluated.values())
            for name in ("windows", "opened", "resolved")
        }
        return {"models": list(evaluated), **counts, "sent": sent, "emitted": emitted}

    def _evaluate(self, evaluated: dict[str, dict[str, Any]]) -> list[str]:
        """Evaluate the models; return the errors."""
        problems = []
        for model_id in self._models():
            try:
                # A table without new commits is not synced, so no sync reads its log.
                self.read_tables(model_id, self.aws_conn_id)
                evaluated[model_id] = self.aporia_hook.evaluate_monitors(model_id)
            except TransientError as error:
                problems.append(f"{model_id}: {error.message}")
            else:
                self.log.info("Model %r:", model_id)
                self.log_evaluation(evaluated[model_id])
        return problems

    def _models(self) -> list[str]:
        if self.model_id is not None:
            return [self.model_id]
        return list(dict.fromkeys(monitor["model_id"] for monitor in self.aporia_hook.get_monitors()))


class MonitorModelOperator(AlertsOperator):
    """
    Set up the standard monitors of a model, evaluate its monitors, and send the notifications of alerts.

    For each alert that was opened, also one of another model, it emits an asset event of the kind
    :func:`~aporia_provider.assets.alert_opened`.

    The standard monitors concern activity, freshness of the tables, missing values, drift of inputs and
    predictions, performance and calibration once labels are connected, new values, and the age of the latest
    version. They follow the schema and the datasets of the latest version. Other monitors of the model are
    not changed.

    :param model_id: Id of the model.
    :param false_alarms_a_year: Number of false alarms a year that the standard monitors that learn from the
        history may raise together, for each version that receives data.
    :param max_version_age: Age of the latest version above which it is stale, such as ``8w``. None creates
        no such monitor.
    :param notify: See :class:`NotifyAlertsOperator`. None sends nothing.
    :param aws_conn_id: AWS connection used to read the logs of the tables whose freshness is judged.
    :return: ``model_id``; ``changes`` of the monitors; ``left_out``, why there is no monitor of a kind;
        ``evaluation``, see :class:`~aporia_provider.api.AporiaApi`; and ``sent`` and ``emitted``, the numbers
        of notifications and of asset events.
    """

    template_fields = (
        *MonitorsOperator.template_fields,
        "false_alarms_a_year",
        "max_version_age",
        "aws_conn_id",
    )

    def __init__(
        self,
        *,
        model_id: str,
        false_alarms_a_year: float | str = 1.0,
        max_version_age: str | None = None,
        notify: Notify | Sequence[Notify] = (),
        aws_conn_id: str | None = "aws_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(model_id=model_id, notify=notify, **kwargs)
        self.false_alarms_a_year = false_alarms_a_year
        self.max_version_age = max_version_age
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Set up and evaluate the monitors, and send the notifications."""
        assert self.model_id is not None  # noqa: S101
        hook = self.aporia_hook
        with fail_without_retry():
            result = hook.apply_standard_monitors(
                self.model_id,
                false_alarms_a_year=self.false_alarms_a_year,
                max_version_age=self.max_version_age,
            )
            self.log_changes([MonitorChange(**change) for change in result["changes"]])
            for name, reason in result["left_out"].items():
                self.log.info("No monitor of %s: %s", name, reason)
            if hook.server_url() is None:
                self.read_tables(self.model_id, self.aws_conn_id)
            evaluation = hook.evaluate_monitors(self.model_id)
            self.log_evaluation(evaluation)
            sent = self.send_notifications(context)
            emitted = self.emit_opened_alerts(context) if hook.server_url() is None else 0
        return {**result, "evaluation": evaluation, "sent": sent, "emitted": emitted}


def _claimant(context: Context) -> str:
    """Return a text that identifies the task instance, without its try."""
    # Users' tests may execute the operator without a context.
    if "ti" not in context:
        return "-"
    ti = context["ti"]
    return "/".join(map(str, (ti.dag_id, ti.run_id, ti.task_id, ti.map_index)))


def _confirm_events(context: Context) -> None:
    """Record that Airflow has stored the events of a task that has succeeded."""
    operator: Any = context["ti"].task
    if operator.emitted_alerts:
        operator.aporia_hook.confirm_alert_events(_claimant(context), operator.emitted_alerts)


def _targets_by_name(targets: Sequence[Notify]) -> dict[str, Notify]:
    """Return notifiers by the name that identifies them when the task runs again."""
    named: dict[str, Notify] = {}
    for target in targets:
        kind: Any = type(target) if isinstance(target, BaseNotifier) else target
        name = getattr(kind, "__qualname__", type(target).__qualname__)
        number = sum(earlier_name.partition(" ")[0] == name for earlier_name in named) + 1
        named[name if number == 1 else f"{name} {number}"] = target
    return named


def _sender(target: Notify, environment: str, context: Context) -> Callable[[Alert, AlertEvent], None]:
    if not isinstance(target, BaseNotifier):
        return target

    def send(alert: Alert, event: AlertEvent) -> None:
        alert_context = {
            "alert": alert,
            "event": event,
            "alert_text": alert_text(alert, event),
            "alert_environment": environment,
        }
        # A notifier renders its templates in place.
        copy.copy(target)({**context, **alert_context})

    return send
