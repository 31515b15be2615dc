"""
Make calls with the official SDK, unmodified, in the SDK's own environment.

Each line of standard input is a task in JSON: ``host``, ``port``, ``token``, ``environment`` and ``steps``, a
list of ``[call, arguments]``. The line of standard output that answers it is a JSON list of
``{"call", "result", "error", "log"}``, one for each step. Each task has a process of its own, forked from
this one, since importing the SDK takes longer than its calls.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from functools import cache
from typing import Any

import aporia
import pandas
from aporia import experimental
from aporia.core.context import get_context
from aporia.core.types import data_source as data_sources

MODULES = {"create_monitor": experimental, "delete_monitor": experimental}
FUNCTIONS = ("create_model", "create_model_version", "delete_model", "add_model_tags", "get_model_tags")


class Log(logging.Handler):
    """What the SDK logs instead of raising."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@cache
def model(model_id: str, model_version: str) -> aporia.Model:
    return aporia.Model(model_id, model_version)


def prepared(name: str, value: Any) -> Any:
    """An argument as the SDK takes it."""
    if name == "data_source":
        return getattr(data_sources, value["class"])(**value["arguments"])
    if name == "model_artifact":
        return value.encode()
    return value


def call(name: str, arguments: dict[str, Any]) -> Any:
    if name == "environments":
        return environments()
    if name in (*FUNCTIONS, "delete_model_tag", *MODULES):
        return getattr(MODULES.get(name, aporia), name)(**arguments)
    of = model(arguments.pop("model_id"), arguments.pop("model_version"))
    if name == "log_training_sample":
        arguments = {key: pandas.DataFrame(value) for key, value in arguments.items()}
    return getattr(of, name)(**arguments)


def environments() -> Any:
    """The first request of the SDK's PySpark logging, which cannot be imported without PySpark."""
    context = get_context()
    data = {"name": context.config.environment}
    return context.event_loop.run_coroutine(context.http_client.post(url="environments", data=data))


def main(task: dict[str, Any]) -> list[dict[str, Any]]:
    log = Log()
    logging.getLogger("aporia").addHandler(log)
    aporia.init(
        token=task["token"],
        host=task["host"],
        port=task["port"],
        environment=task["environment"],
        throw_errors=True,
        verbose=True,
    )
    report: list[dict[str, Any]] = []
    for name, given in task["steps"]:
        arguments = {key: prepared(key, value) for key, value in given.items()}
        if name == "delete_monitor":
            arguments["monitor_id"] = report[-1]["result"]
        log.lines.clear()
        entry: dict[str, Any] = {"call": name, "result": None, "error": None}
        try:
            entry["result"] = call(name, arguments)
            entry["result"] = None if isinstance(entry["result"], aporia.Model) else entry["result"]
        except Exception as error:
            entry["error"] = f"{type(error).__name__}: {error}"
        report.append({**entry, "log": list(log.lines)})
    aporia.shutdown()
    return report


if __name__ == "__main__":
    for line in sys.stdin:
        if not (child := os.fork()):
            sys.stdout.write(json.dumps(main(json.loads(line))) + "\n")
            sys.stdout.flush()
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            sys.exit(1)
