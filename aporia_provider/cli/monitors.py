"""Command ``aporia-provider monitors``."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from aporia_provider.cli.arguments import moment

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from aporia_provider.backend.embedded import EmbeddedRegistry


def add_monitors(commands: _SubParsersAction[ArgumentParser]) -> list[ArgumentParser]:
    """Add the command and return its actions. The caller adds the option ``--database-url`` to each."""
    parser = commands.add_parser("monitors", help="list and evaluate monitors")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    added = [_add_list(actions), _add_evaluate(actions)]
    for action in added:
        action.add_argument("--environment", help="default: [aporia] environment of Airflow's configuration")
        action.add_argument("--json", action="store_true", help="print JSON instead of lines")
    return added


def _add_list(actions: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    parser = actions.add_parser("list", help="list monitors: id, model, type, active or not, name, problems")
    parser.add_argument("model", metavar="MODEL", nargs="?", help="id of the model; default: all models")
    parser.set_defaults(run=_list)
    return parser


def _add_evaluate(actions: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    parser = actions.add_parser(
        "evaluate",
        help="judge the windows of a model's monitors",
        description="Judge the windows whose data is complete and has changed since. Of a monitor that was "
        "never evaluated, only the latest window is judged, unless --from is given.",
    )
    parser.add_argument("model", metavar="MODEL", help="id of the model")
    parser.add_argument("--version", help="the only version to judge, apart from the union of all")
    parser.add_argument("--from", dest="start", type=moment, metavar="TIME", help="start of the first window")
    parser.add_argument("--to", dest="end", type=moment, metavar="TIME", help="end of the last window")
    parser.set_defaults(run=_evaluate)
    return parser


@contextmanager
def _registry(options: Namespace) -> Iterator[EmbeddedRegistry]:
    from aporia_provider import settings
    from aporia_provider.backend.embedded import EmbeddedRegistry

    url = options.database_url or settings.database_url()
    with EmbeddedRegistry(url, options.environment or settings.environment()) as registry:
        yield registry


def _list(options: Namespace) -> None:
    with _registry(options) as registry:
        monitors = registry.get_monitors(options.model)
    if options.json:
        print(json.dumps(monitors, indent=2), file=options.answers)
        return
    for each in monitors:
        active = "active" if each["is_active"] else "inactive"
        problems = "; ".join(each["problems"]) or "-"
        line = each["id"], each["model_id"] or "-", each["type"], active, each["name"], problems
        print(*line, sep="\t", file=options.answers)


def _evaluate(options: Namespace) -> None:
    with _registry(options) as registry:
        report = registry.evaluate_monitors(
            options.model, options.version, start=options.start, end=options.end
        )
    if options.json:
        print(json.dumps(report, indent=2), file=options.answers)
        return
    for monitor in report["monitors"]:
        print(monitor["name"], _counts(monitor), sep="\t", file=options.answers)
        for text in (*monitor["problems"], *monitor["notes"]):
            print(f"{monitor['name']}: {text}", file=sys.stderr)
    print(f"{len(report['monitors'])} active monitors, {_counts(report)}.", file=sys.stderr)


def _counts(report: dict[str, Any]) -> str:
    verdicts = ", ".join(f"{count} {outcome}" for outcome, count in report["verdicts"].items())
    alerts = [len(ids) if isinstance(ids := report[name], list) else ids for name in ("opened", "resolved")]
    return f"{report['windows']} windows: {verdicts}; alerts: {alerts[0]} opened, {alerts[1]} resolved"
