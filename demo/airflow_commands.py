"""Commands of Airflow, in processes that are forked from this one, which has imported Airflow once."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

MODULES = (
    "airflow.cli.commands.dag_command",
    "airflow.sdk.execution_time.task_runner",
    "airflow.providers.amazon.aws.hooks.base_aws",
    "aporia_provider.backend.embedded",
    "aporia_provider.backend.sync.runner",
    "aporia_provider.hooks.aporia",
    "aporia_provider.hooks.delta_lake",
    "aporia_provider.hooks.metrics",
    "deltalake",
    "pandas",
    "pyspark.sql.connect.session",
    "sklearn.metrics",
    "sklearn.tree",
)
"""What the tasks of the demo import; each of these processes would do it again."""


def preload() -> None:
    """Import what the commands and the tasks need. The environment must be that of the commands."""
    for module in MODULES:
        importlib.import_module(module)
    from airflow.sdk.execution_time.supervisor import in_process_api_server

    _ = in_process_api_server().app


def start(*arguments: str, log: Path) -> int:
    """Start a command, whose output goes to a file; the id of its process."""
    sys.stdout.flush()
    process = os.fork()
    if process == 0:
        os._exit(_code(arguments, log))
    return process


def run(*arguments: str, log: Path) -> float:
    """Run a command to its end; the processor time that it took, in seconds. If it fails, the demo ends."""
    _, status, usage = os.wait4(start(*arguments, log=log), 0)
    if status:
        print("".join(log.read_text().splitlines(keepends=True)[-40:]), file=sys.stderr)
        sys.exit(f"airflow {' '.join(arguments)} failed; its whole output is in {log}")
    return usage.ru_utime + usage.ru_stime


def _code(arguments: tuple[str, ...], log: Path) -> int:
    from airflow.cli import cli_parser

    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.argv = ["airflow", *arguments]
    try:
        parsed = cli_parser.get_parser().parse_args(arguments)
        parsed.func(parsed)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return 0 if end.code is None else end.code if isinstance(end.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0
