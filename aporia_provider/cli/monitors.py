"""Command ``aporia-provider monitors``."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aporia_provider.cli.answer_lines import print_line
from aporia_provider.cli.arguments import moment
from aporia_provider.cli.registry_access import find_credentials, opened_registry, with_common_options
from aporia_provider.errors import NotFoundError, ValidationError
from aporia_provider.nearest import nearest

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from aporia_provider.models import Monitor


def add_monitors(commands: _SubParsersAction[ArgumentParser]) -> list[ArgumentParser]:
    """Add the command and return its actions. The caller adds the option ``--database-url`` to each."""
    parser = commands.add_parser("monitors", help="list, apply, evaluate and delete monitors")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    makers = (_add_list, _add_apply, _add_evaluate, _add_replay, _add_delete)
    return with_common_options([make(actions) for make in makers])


def _add_list(actions: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    parser = actions.add_parser("list", help="list monitors: id, model, type, active or not, name, problems")
    parser.add_argument("model", metavar="MODEL", nargs="?", help="id of the model; default: all models")
    parser.set_defaults(run=_list)
    return parser


def _add_apply(actions: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    parser = actions.add_parser(
        "apply",
        help="apply the monitors in YAML files",
        description="Create and update monitors from YAML files. Nothing changes if one is not valid.",
    )
    parser.add_argument("files", metavar="FILE", nargs="+", help="YAML file with the monitors of a model")
    parser.add_argument("--dry-run", action="store_true", help="only print what would change")
    parser.add_argument(
        "--delete-others",
        action="store_true",
        help="delete the monitors of these models that are in no file, with their alerts",
    )
    parser.set_defaults(run=_apply)
    return parser


def _add_replay(actions: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    parser = actions.add_parser(
        "replay",
        help="print the alerts that a monitor would have raised",
        description="Judge the windows of a range in order, as if the monitor had been evaluated after each. "
        "Nothing is stored.",
    )
    parser.add_argument("model", metavar="MODEL", help="id of the model")
    parser.add_argument("name", metavar="NAME", help="name of the monitor, also of one in --file")
    parser.add_argument("--file", help="YAML file with the monitor, which need not be applied")
    parser.add_argument("--from", dest="start", type=moment, metavar="TIME", required=True)
    parser.add_argument("--to", dest="end", type=moment, metavar="TIME", required=True)
    parser.add_argument(
        "--plant",
        nargs="?",
        type=float,
        const=True,
        default=False,
        metavar="SIZE",
        help="also print after how many windows the monitor finds shifts that are planted into the states in "
        "memory: values greater by half a standard deviation, twice as many missing values, accuracy less by "
        "0.02, and so on; SIZE is another size",
    )
    parser.set_defaults(run=_replay)
    return parser


def _add_delete(actions: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    parser = actions.add_parser("delete", help="delete monitors, with their alerts")
    parser.add_argument("monitors", metavar="MONITOR", nargs="+", help="id of a monitor")
    parser.set_defaults(run=_delete)
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
    parser.add_argument(
        "--aws-conn-id",
        metavar="CONN_ID",
        help="Airflow connection to read the logs of tables whose freshness is judged; default: credentials "
        "of the environment",
    )
    parser.set_defaults(run=_evaluate)
    return parser


def _list(options: Namespace) -> None:
    with opened_registry(options) as registry:
        monitors = registry.get_monitors(options.model)
    if options.json:
        print(json.dumps(monitors, indent=2), file=options.answers)
        return
    for monitor in monitors:
        active = "active" if monitor["is_active"] else "inactive"
        problems = "; ".join(monitor["problems"]) or "-"
        line = monitor["id"], monitor["model_id"] or "-", monitor["type"], active, _name(monitor), problems
        print_line(options.answers, *line)


def _apply(options: Namespace) -> None:
    from aporia_provider.monitor_changes import summary

    monitors_by_model = _read_files(options.files)
    with opened_registry(options) as registry:
        choices = {"delete_others": options.delete_others}
        # What one file would change is checked before anything is changed for another.
        for model_id, monitors in monitors_by_model.items():
            registry.apply_monitors(model_id, monitors, dry_run=True, **choices)
        changes = {
            model_id: registry.apply_monitors(model_id, monitors, dry_run=options.dry_run, **choices)
            for model_id, monitors in monitors_by_model.items()
        }
    if options.json:
        body = [
            {"model_id": name, "changes": [each.to_json() for each in of_model]}
            for name, of_model in changes.items()
        ]
        print(json.dumps(body, indent=2), file=options.answers)
        return
    for model_id, of_model in changes.items():
        for change in of_model:
            print_line(options.answers, change.action, model_id, change.name)
            for difference in change.differences:
                print(f"{change.name}: {difference}", file=sys.stderr)
        print(f"Model {model_id}: {summary(of_model)}.", file=sys.stderr)
    if options.dry_run:
        print("Nothing was changed.", file=sys.stderr)


def _read_files(paths: Sequence[str]) -> dict[str, list[Monitor]]:
    """Return the monitors of files by model; all faults of all files are listed."""
    from aporia_provider.monitor_definitions import parse_monitor_file

    monitors_by_model: dict[str, list[Monitor]] = {}
    problems: list[str] = []
    for path in paths:
        try:
            file = parse_monitor_file(Path(path).read_text())
            monitors_by_model.setdefault(file.model, []).extend(file.to_monitors())
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{path}: {error}")
        except ValidationError as error:
            problems += [f"{path}: {problem}" for problem in error.problems or [error.message]]
    if problems:
        raise ValidationError("The files cannot be applied", problems=problems)
    return monitors_by_model


def _replay(options: Namespace) -> None:
    monitor: str | Monitor = options.name
    if options.file:
        made = {each.name: each for each in _read_files([options.file]).get(options.model, [])}
        if options.name not in made:
            raise NotFoundError(
                f"{options.file} has no monitor {options.name!r} of model {options.model!r}; "
                f"{nearest(options.name, made)}"
            )
        monitor = made[options.name]
    with opened_registry(options) as registry:
        report = registry.replay_monitor(
            options.model, monitor, start=options.start, end=options.end, plant=options.plant
        )
    if options.json:
        print(json.dumps(report, indent=2), file=options.answers)
        return
    for alert in report["alerts"]:
        window, failed = f"{alert['start']}/{alert['end']}", ",".join(alert["failed"])
        line = _rows(alert), window, alert["occurrences"], failed
        print_line(options.answers, *line)
    for planted in report.get("planted", ()):
        print_line(options.answers, "planted", *_planted(report["monitor"], planted))
    for text in (*report["problems"], *report["notes"]):
        print(text, file=sys.stderr)
    verdicts = ", ".join(f"{count} {outcome}" for outcome, count in report["verdicts"].items())
    print(f"{report['windows']} windows: {verdicts}; {len(report['alerts'])} alerts.", file=sys.stderr)


def _rows(report: dict[str, Any]) -> str:
    """Return the version and the segment of an alert or of a planted shift."""
    return ", ".join(filter(None, (report["model_version"] or "all", report["segment"])))


def _name(monitor: dict[str, Any]) -> str:
    """Return the name of a monitor, with its segment if it has one."""
    identification = monitor["configuration"].get("identification")
    segment = identification.get("segment") if isinstance(identification, dict) else None
    if not isinstance(segment, dict) or segment.get("group") is None:
        return str(monitor["name"])
    group, value = segment["group"], segment.get("value")
    text = f"each value of {group}" if value is None else f"{group} = {value}"
    return f"{monitor['name']} ({text})"


def _planted(monitor: str, planted: dict[str, Any]) -> tuple[str, ...]:
    """Return what is printed of a planted shift, among it when it was found."""
    windows = planted["windows"]
    if planted["shift"] is None or not windows:
        result = f"not planted: {planted['reason']}"
    elif planted["found_after"] is None:
        reason = f": {planted['reason']}" if planted["reason"] else ""
        result = f"not found in {windows} window{'s' if windows > 1 else ''}{reason}"
    else:
        result = f"found after {windows} window{'s' if windows > 1 else ''}"
    return (
        monitor,
        _rows(planted),
        planted["field"] or "rows",
        planted["shift"] or "-",
        planted["planted_at"],
        result,
    )


def _delete(options: Namespace) -> None:
    with opened_registry(options) as registry:
        for monitor in options.monitors:
            registry.delete_monitor(monitor)
            print(f"Monitor {monitor} was deleted.", file=sys.stderr)


def _evaluate(options: Namespace) -> None:
    with opened_registry(options) as registry:
        tables = registry.read_table_histories(
            options.model, find_credentials=find_credentials(options.aws_conn_id)
        )
        report = registry.evaluate_monitors(
            options.model, options.version, start=options.start, end=options.end
        )
    if options.json:
        print(json.dumps(report, indent=2), file=options.answers)
        return
    for problem in tables["problems"]:
        print(problem, file=sys.stderr)
    for monitor in report["monitors"]:
        print_line(options.answers, monitor["name"], _counts(monitor))
        for text in (*monitor["problems"], *monitor["notes"]):
            print(f"{monitor['name']}: {text}", file=sys.stderr)
    print(f"{len(report['monitors'])} active monitors, {_counts(report)}.", file=sys.stderr)


def _counts(report: dict[str, Any]) -> str:
    verdicts = ", ".join(f"{count} {outcome}" for outcome, count in report["verdicts"].items())
    alerts = [len(ids) if isinstance(ids := report[name], list) else ids for name in ("opened", "resolved")]
    return f"{report['windows']} windows: {verdicts}; alerts: {alerts[0]} opened, {alerts[1]} resolved"
