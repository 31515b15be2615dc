"""Command ``aporia-provider retire``."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from aporia_provider.cli.answer_lines import print_line
from aporia_provider.cli.arguments import period
from aporia_provider.cli.registry_access import opened_registry, with_common_options

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add_retire(commands: _SubParsersAction[ArgumentParser]) -> ArgumentParser:
    """Add the command and return its parser. The caller adds the option ``--database-url``."""
    parser = commands.add_parser(
        "retire",
        help="disable the syncs of a model's older versions",
        description="Disable the syncs of versions that are no longer used, and print the versions.",
    )
    parser.add_argument("model", metavar="MODEL", help="id of the model")
    parser.add_argument(
        "--keep", type=int, metavar="N", help="number of newest versions whose syncs stay enabled"
    )
    parser.add_argument(
        "--ended-for",
        type=period,
        metavar="PERIOD",
        help="how long ago the serving data of a version must have ended, such as 12h, 90d or 8w; with "
        "--keep as well, both conditions apply",
    )
    parser.add_argument("--dry-run", action="store_true", help="only print what would be retired")
    parser.set_defaults(run=_run)
    return with_common_options([parser])[0]


def _run(options: Namespace) -> None:
    with opened_registry(options) as registry:
        result = registry.retire_versions(
            options.model, keep=options.keep, ended_for=options.ended_for, dry_run=options.dry_run
        )
    if options.json:
        print(json.dumps(result, indent=2), file=options.answers)
        return
    for version in result["retired"]:
        line = version["model_version"], version["data_until"] or "-", version["reason"]
        print_line(options.answers, *line)
    verb = "would be retired" if options.dry_run else "retired"
    kept, disabled, empty = (len(result[name]) for name in ("kept", "already_disabled", "without_datasets"))
    counts = f"{kept} kept, {disabled} already disabled, {empty} without datasets"
    print(f"{len(result['retired'])} {verb}, {counts}.", file=sys.stderr)
