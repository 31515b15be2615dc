"""Command ``aporia-provider custom-metrics``."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from aporia_provider.cli.answer_lines import print_line
from aporia_provider.cli.definition_files import create_all, read_files
from aporia_provider.cli.registry_access import opened_registry, with_common_options

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add_custom_metrics(commands: _SubParsersAction[ArgumentParser]) -> list[ArgumentParser]:
    """Add the command and return its actions. The caller adds the option ``--database-url`` to each."""
    parser = commands.add_parser("custom-metrics", help="list, create and delete custom metrics")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    return with_common_options([make(actions) for make in (_add_list, _add_create, _add_delete)])


def _add_list(actions: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    parser = actions.add_parser("list", help="list custom metrics: id, name, number of made segments, code")
    parser.add_argument("model", metavar="MODEL", help="id of the model")
    parser.set_defaults(run=_list)
    return parser


def _add_create(actions: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    parser = actions.add_parser(
        "create",
        help="create the custom metrics of YAML files",
        description="Create the custom metrics of YAML files, in their order. Nothing is created if a file "
        "cannot be read; a custom metric that is not valid does not prevent the others.",
    )
    parser.add_argument(
        "files", metavar="FILE", nargs="+", help="YAML file with the custom metrics of a model"
    )
    parser.add_argument(
        "--if-exists",
        choices=("match", "skip", "fail"),
        default="match",
        help="what to do with an existing one of the name: match requires that it is equal (default)",
    )
    parser.set_defaults(run=_create)
    return parser


def _add_delete(actions: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    parser = actions.add_parser(
        "delete", help="delete custom metrics, and the segments of filters that no other one uses"
    )
    parser.add_argument("model", metavar="MODEL", help="id of the model")
    parser.add_argument("metrics", metavar="METRIC", nargs="+", help="name or id of a custom metric")
    parser.set_defaults(run=_delete)
    return parser


def _list(options: Namespace) -> None:
    with opened_registry(options) as registry:
        metrics = registry.list_custom_metrics(options.model)
    if options.json:
        print(json.dumps(metrics, indent=2), file=options.answers)
        return
    for metric in metrics:
        # The lines of a code would look like further answers.
        code = " ".join(metric["code"].split())
        print_line(options.answers, metric["id"], metric["name"], len(metric["filters"]), code)


def _create(options: Namespace) -> int:
    files = read_files(options.files, options)
    with opened_registry(options) as registry:
        return create_all(
            [
                (file.model, metric.name, registry.create_custom_metric, metric)
                for file in files
                for metric in file.custom_metrics
            ],
            "custom metrics",
            options,
        )


def _delete(options: Namespace) -> None:
    with opened_registry(options) as registry:
        for metric in options.metrics:
            registry.delete_custom_metric(options.model, metric)
            print(f"Custom metric {metric} of model {options.model} was deleted.", file=sys.stderr)
