"""The command ``aporia-provider freshness``."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aporia_provider.cli.arguments import period
from aporia_provider.cli.registry_access import find_credentials

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from aporia_provider.backend.freshness.tables import CheckedTable

_METRICS = ("commit_gap", "rows_added", "files_added", "schema_changed", "null_share")
_HEADERS = ("table", "version", "last write", "late after", "late", *_METRICS)
_UNREADABLE = 2


def add_freshness(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Add the command to the parser of the command line."""
    parser = commands.add_parser(
        "freshness",
        help="print which Delta tables are late, from their logs alone",
        description="Print verdicts on the freshness and volume of Delta tables, learned from the commits in "
        "their logs. The exit code is 1 if a table is late, otherwise 2 if a log could not be read.",
    )
    parser.add_argument("uris", nargs="+", metavar="TABLE_URI", help="such as s3://bucket/table")
    parser.add_argument(
        "--max-gap",
        type=period,
        metavar="PERIOD",
        help="longest allowed gap between writes, such as 26h; default: learned for each table",
    )
    parser.add_argument(
        "--probability",
        type=float,
        default=0.99,
        help="that a write which follows the past ones is not late (default: %(default)s)",
    )
    parser.add_argument(
        "--timezone", default="UTC", help="of weekdays, days and hours (default: %(default)s)"
    )
    parser.add_argument(
        "--history-folder",
        metavar="FOLDER",
        help="folder that keeps what was read, so that the next run reads only new commits",
    )
    parser.add_argument(
        "--aws-conn-id", metavar="CONN_ID", help="Airflow connection; default: credentials of the environment"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=_run)


def _run(options: Namespace) -> int:
    from aporia_provider.backend.freshness.tables import check_tables, summary
    from aporia_provider.data_sources import S3DataSource
    from aporia_provider.lake.log.history_folder import HistoryFolder
    from aporia_provider.monitoring.freshness import FreshnessSettings

    sources = [S3DataSource(object_path=uri, object_format="delta") for uri in options.uris]
    tables = check_tables(
        [source.uri for source in sources],
        find_credentials(options.aws_conn_id),
        settings=FreshnessSettings(
            probability=options.probability, max_gap=options.max_gap, timezone=options.timezone
        ),
        histories=HistoryFolder(options.history_folder) if options.history_folder else None,
    )
    result = summary(tables)
    print(json.dumps(result, indent=2) if options.json else _table(tables), file=options.answers)
    for table in tables:
        _print_reasons(table)
    return 1 if result["late"] else _UNREADABLE if result["unreadable"] else 0


def _table(tables: list[CheckedTable]) -> str:
    from tabulate import tabulate

    return str(tabulate([_cells(table) for table in tables], headers=_HEADERS, disable_numparse=True))


def _cells(table: CheckedTable) -> list[str]:
    if (health := table.health) is None:
        return [table.uri, "", "", "", table.outcome]
    outcomes = [health.verdict(metric).outcome for metric in ("late", *_METRICS)]
    return [table.uri, str(table.version), _time(health.last_write), _time(health.late_after), *outcomes]


def _time(time: datetime | None) -> str:
    return "" if time is None else time.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def _print_reasons(table: CheckedTable) -> None:
    """Print why verdicts are not ``pass``, to standard error."""
    verdicts = table.health.verdicts if table.health is not None else (table.late,)
    for verdict in verdicts:
        # Every column of a short history has the same reason.
        is_repeated = verdict.metric == "null_share" and verdict.outcome == "insufficient"
        if verdict.outcome != "pass" and not is_repeated:
            name = " ".join(filter(None, (verdict.metric, verdict.field)))
            print(f"{table.uri}: {name}: {verdict.outcome}: {verdict.reason}", file=sys.stderr)
    for note in table.notes:
        print(f"{table.uri}: {note}", file=sys.stderr)
