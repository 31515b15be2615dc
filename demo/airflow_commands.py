"""Commands of Airflow, in processes that are forked from this one, which has imported what they need."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import warnings
from pathlib import Path

MODULES = (
    "airflow.cli.commands.api_server_command",
    "airflow.cli.commands.dag_command",
    "airflow.cli.commands.scheduler_command",
    "airflow.executors.local_executor",
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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in MODULES:
            importlib.import_module(module)
    from sqlalchemy.orm import configure_mappers

    configure_mappers()


def start(*arguments: str, log: Path) -> int:
    """Start a command, whose output goes to a file; the id of its process."""
    sys.stdout.flush()
    process = os.fork()
    if process == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # A group of its own, which ends with it.
        os.setpgid(0, 0)
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
