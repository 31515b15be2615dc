"""Command ``aporia-provider models``."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from aporia_provider.cli.answer_lines import print_line
from aporia_provider.cli.registry_access import opened_registry, with_common_options

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add_models(commands: _SubParsersAction[ArgumentParser]) -> list[ArgumentParser]:
    """Add the command and return its actions. The caller adds the option ``--database-url`` to each."""
    parser = commands.add_parser("models", help="change the retention of a model")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    return with_common_options([_add_update(actions)])


def _add_update(actions: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    parser = actions.add_parser(
        "update",
        help="change the retention of a model",
        description="Change how long the states of a model are kept. The next sync of a dataset of the model "
        "drops the states that are no longer kept. The other attributes of a model cannot be changed.",
    )
    parser.add_argument("model", metavar="MODEL", help="id of the model")
    retention = parser.add_mutually_exclusive_group(required=True)
    retention.add_argument(
        "--retention", metavar="TEXT", help="such as 'hourly for 30 days, daily for 2 years'"
    )
    retention.add_argument("--keep-all", action="store_true", help="keep all states for ever from now on")
    parser.set_defaults(run=_update)
    return parser


def _update(options: Namespace) -> None:
    with opened_registry(options) as registry:
        update = registry.update_model(options.model, retention=options.retention)
    if options.json:
        print(json.dumps(update, indent=2), file=options.answers)
        return
    print_line(options.answers, update["id"], update["status"])
    for note in update["notes"]:
        print(note, file=sys.stderr)
