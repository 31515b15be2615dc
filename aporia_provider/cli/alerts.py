"""Command ``aporia-provider alerts``."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aporia_provider.alerts import ALERT_STATUSES, Alert
from aporia_provider.cli.answer_lines import print_line
from aporia_provider.cli.arguments import period
from aporia_provider.cli.registry_access import find_credentials, opened_registry, with_common_options

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from aporia_provider.backend.embedded import EmbeddedRegistry


def add_alerts(commands: _SubParsersAction[ArgumentParser]) -> list[ArgumentParser]:
    """Add the command and return the parsers of its actions, to which the caller adds ``--database-url``."""
    alerts = commands.add_parser("alerts", help="list, acknowledge, snooze and explain alerts of monitors")
    actions = alerts.add_subparsers(required=True, metavar="ACTION")
    makers = (_add_list, _add_acknowledge, _add_snooze, _add_explain)
    parsers = [make(actions) for make in makers]
    return with_common_options(parsers)


def _add_list(actions: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    parser = actions.add_parser("list", help="list alerts: open ones first, then by severity and time")
    parser.add_argument("model", nargs="?", metavar="MODEL", help="id of the model; default: all models")
    parser.add_argument("--status", choices=ALERT_STATUSES, help="default: both")
    parser.add_argument("--limit", type=int, default=100, help="default: %(default)s")
    return _runs(
        parser,
        lambda registry, options: registry.get_alerts(
            options.model, status=options.status, limit=options.limit
        ),
    )


def _add_acknowledge(actions: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    parser = actions.add_parser("acknowledge", help="mark an alert as seen")
    parser.add_argument("alert", metavar="ALERT", help="id of the alert")
    parser.add_argument("--by", help="who acknowledges it, such as an e-mail address")
    return _runs(parser, lambda registry, options: [registry.acknowledge_alert(options.alert, options.by)])


def _add_snooze(actions: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    parser = actions.add_parser("snooze", help="send no notifications of an alert for some time")
    parser.add_argument("alert", metavar="ALERT", help="id of the alert")
    parser.add_argument(
        "--for", dest="period", type=period, required=True, metavar="PERIOD", help="such as 12h or 7d"
    )
    return _runs(
        parser,
        lambda registry, options: [registry.snooze_alert(options.alert, datetime.now(UTC) + options.period)],
    )


def _add_explain(actions: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    parser = actions.add_parser(
        "explain",
        help="print why performance changed, as Markdown",
        description="Compare the windows of an alert about the performance of a binary model with the four "
        "weeks before: how much of the change is due to other inputs, and how much to other labels. The "
        "first commits with rows of the windows are read from the Delta logs.",
    )
    parser.add_argument("alert", metavar="ALERT", help="id of the alert")
    parser.add_argument(
        "--aws-conn-id", metavar="CONN_ID", help="Airflow connection; default: credentials of the environment"
    )
    parser.set_defaults(run=_explain)
    return parser


def _explain(options: Namespace) -> None:
    from aporia_provider.backend.monitors.alert_explanation import explain_alert

    with opened_registry(options) as registry:
        explanation = explain_alert(
            registry, options.alert, find_credentials=find_credentials(options.aws_conn_id)
        )
    text = json.dumps(explanation.to_dict(), indent=2) if options.json else explanation.to_markdown()
    print(text, file=options.answers)


def _runs(
    parser: ArgumentParser, call: Callable[[EmbeddedRegistry, Namespace], list[Alert]]
) -> ArgumentParser:
    def run(options: Namespace) -> None:
        with opened_registry(options) as registry:
            alerts = call(registry, options)
        if options.json:
            print(json.dumps([alert.to_json() for alert in alerts], indent=2), file=options.answers)
        for alert in [] if options.json else alerts:
            print_line(options.answers, *_columns(alert))

    parser.set_defaults(run=run)
    return parser


def _columns(alert: Alert) -> tuple[object, ...]:
    fields = ",".join(verdict.field or verdict.metric for verdict in alert.failed) or "-"
    days = f"{alert.start}/{alert.end}"
    version = ", ".join(filter(None, (alert.model_version or "all", alert.segment)))
    return (
        alert.id,
        alert.status,
        alert.severity,
        alert.model_id,
        version,
        alert.monitor,
        fields,
        days,
        alert.occurrences,
    )
