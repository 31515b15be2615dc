"""Command ``aporia-provider segments``."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aporia_provider.cli.answer_lines import print_line
from aporia_provider.cli.definition_files import create_all, read_files
from aporia_provider.cli.registry_access import opened_registry, with_common_options

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from aporia_provider.segment_reports import SegmentCost, SegmentSuggestions


def add_segments(commands: _SubParsersAction[ArgumentParser]) -> list[ArgumentParser]:
    """Add the command and return its actions. The caller adds the option ``--database-url`` to each."""
    parser = commands.add_parser(
        "segments", help="list, create, delete and suggest segments, and estimate their cost"
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    makers = (_add_list, _add_create, _add_delete, _add_suggest, _add_cost)
    return with_common_options([make(actions) for make in makers])


def _add_list(actions: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    parser = actions.add_parser(
        "list", help="list segments: id, number of terms, manual (or made for a filter, or for sums), name"
    )
    parser.add_argument("model", metavar="MODEL", help="id of the model")
    parser.add_argument("--terms", action="store_true", help="print each term: name, label, condition")
    parser.set_defaults(run=_list)
    return parser


def _add_create(actions: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    parser = actions.add_parser(
        "create",
        help="create the segments of YAML files",
        description="Create the segments of YAML files, in their order. Nothing is created if a file cannot "
        "be read; a segment that is not valid does not prevent the others.",
    )
    parser.add_argument("files", metavar="FILE", nargs="+", help="YAML file with the segments of a model")
    parser.add_argument(
        "--if-exists",
        choices=("match", "skip", "fail"),
        default="match",
        help="what to do with an existing segment of the name: match requires that it is equal (default)",
    )
    parser.set_defaults(run=_create)
    return parser


def _add_delete(actions: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    parser = actions.add_parser("delete", help="delete segments, with their states")
    parser.add_argument("model", metavar="MODEL", help="id of the model")
    parser.add_argument("segments", metavar="SEGMENT", nargs="+", help="name or id of a segment")
    parser.set_defaults(run=_delete)
    return parser


def _add_suggest(actions: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    parser = actions.add_parser(
        "suggest",
        help="suggest segments for the most important fields of a version",
        description="Suggest segments from the stored states of a version: name, field, labels of the terms. "
        "Nothing is created.",
    )
    parser.add_argument("model", metavar="MODEL", help="id of the model")
    parser.add_argument("version", metavar="VERSION", help="name of the version")
    parser.add_argument("--yaml", action="store_true", help="print a file for 'segments create'")
    parser.set_defaults(run=_suggest)
    return parser


def _add_cost(actions: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    parser = actions.add_parser(
        "cost",
        help="estimate the cost of segments: name, terms, states, bytes, seconds a sync, seconds once",
        description="Estimate what each segment of a file, and the filters of each custom metric, would cost "
        "after those before it, from what is stored. Nothing is created; a segment that is not valid does "
        "not prevent the others.",
    )
    parser.add_argument("files", metavar="FILE", nargs="+", help="YAML file with the segments of a model")
    parser.set_defaults(run=_cost)
    return parser


def _list(options: Namespace) -> None:
    with opened_registry(options) as registry:
        segments = registry.list_segments(options.model)
    if options.json:
        print(json.dumps(segments, indent=2), file=options.answers)
        return
    for each in segments:
        if options.terms:
            for term in each["terms"]:
                print_line(options.answers, each["name"], term["label"], term["condition"])
        else:
            made = "manual" if each["manual"] else "sums" if "sums" in each["registration"] else "filter"
            print_line(options.answers, each["id"], len(each["terms"]), made, each["name"])


def _create(options: Namespace) -> int:
    files = read_files(options.files, options)
    with opened_registry(options) as registry:
        return create_all(
            [
                (file.model, segment.name, registry.create_segment, segment)
                for file in files
                for segment in file.segments
            ],
            "segments",
            options,
        )


def _delete(options: Namespace) -> None:
    with opened_registry(options) as registry:
        for segment in options.segments:
            registry.delete_segment(options.model, segment)
            print(f"Segment {segment} of model {options.model} was deleted.", file=sys.stderr)


def _suggest(options: Namespace) -> None:
    with opened_registry(options) as registry:
        found = registry.suggest_segments(options.model, options.version)
    if options.json:
        print(json.dumps(found, indent=2), file=options.answers)
        return
    if options.yaml:
        print(_as_yaml(found), end="", file=options.answers)
    else:
        for each in found["segments"]:
            segment = each["segment"]
            labels = ", ".join(map(str, segment.get("values") or segment["edges"]))
            print_line(options.answers, segment["name"], segment["field"], labels)
    for text in (*(each["reason"] for each in found["segments"]), *found["left_out"]):
        print(text, file=sys.stderr)


def _as_yaml(found: SegmentSuggestions) -> str:
    import yaml

    body = {"model": found["model_id"], "segments": [each["segment"] for each in found["segments"]]}
    return str(yaml.safe_dump(body, sort_keys=False, allow_unicode=True))


def _cost(options: Namespace) -> int:
    from aporia_provider.backend.registration.segment_costs import custom_metric_costs, segment_costs

    files = read_files(options.files, options)
    with opened_registry(options) as registry:
        found = []
        for file in files:
            segments, metrics = file.segments, file.custom_metrics
            costs = [
                *segment_costs(registry, file.model, segments),
                *custom_metric_costs(registry, file.model, segments, metrics),
            ]
            names = [*(each.name for each in segments), *(each.name for each in metrics)]
            found += [(file.model, name, cost) for name, cost in zip(names, costs, strict=True)]
    told = [(model, name, cost) for model, name, cost in found if not isinstance(cost, Exception)]
    _print_costs(told, options)
    faults = [(model, name, error) for model, name, error in found if isinstance(error, Exception)]
    for model, name, error in faults:
        print(f"{model}: {name}: {error.message}", file=sys.stderr)
    return 2 if faults else 0


def _print_costs(costs: Sequence[tuple[str, str, SegmentCost]], options: Namespace) -> None:
    if options.json:
        body = [{"model_id": model, "name": name, **cost} for model, name, cost in costs]
        print(json.dumps(body, indent=2), file=options.answers)
        return
    for _, name, cost in costs:
        print_line(options.answers, name, *_numbers(cost))
        for text in cost["problems"]:
            print(f"{name}: {text}", file=sys.stderr)
    for text in dict.fromkeys(text for _, _, cost in costs for text in cost["notes"]):
        print(text, file=sys.stderr)


def _numbers(cost: SegmentCost | Mapping[str, Any]) -> tuple[str, ...]:
    seconds = (cost["sync_seconds"], cost["fill_seconds"])
    shown = ("-" if each is None else f"{each:.1f}" for each in seconds)
    return str(cost["terms"]), str(cost["states"]), str(cost["bytes"]), *shown
