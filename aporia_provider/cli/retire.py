"""Command ``aporia-provider retire``."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from aporia_provider.cli.arguments import period

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
    parser.add_argument("--environment", help="default: [aporia] environment of Airflow's configuration")
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    parser.set_defaults(run=_run)
    return parser


def _run(options: Namespace) -> None:
    from aporia_provider import settings
    from aporia_provider.backend.embedded import EmbeddedRegistry

    url = options.database_url or settings.database_url()
    with EmbeddedRegistry(url, options.environment or settings.environment()) as registry:
        result = registry.retire_versions(
            options.model, keep=options.keep, ended_for=options.ended_for, dry_run=options.dry_run
        )
    if options.json:
        print(json.dumps(result, indent=2), file=options.answers)
        return
    for version in result["retired"]:
        line = version["model_version"], version["data_until"] or "-", version["reason"]
        print(*line, sep="\t", file=options.answers)
    verb = "would be retired" if options.dry_run else "retired"
    kept, disabled, empty = (len(result[name]) for name in ("kept", "already_disabled", "without_datasets"))
    counts = f"{kept} kept, {disabled} already disabled, {empty} without datasets"
    print(f"{len(result['retired'])} {verb}, {counts}.", file=sys.stderr)
