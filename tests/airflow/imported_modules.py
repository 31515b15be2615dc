"""
Modules that pieces of code import, each in a fork of this process: ``python -m tests.airflow.imported_modules``.

A line of standard input is a list of two pieces of code. The line of standard output that answers it is the list
of the modules that the second one imports and the first one does not.
"""

from __future__ import annotations

import json
import os
import sys
import traceback


def main() -> None:
    answers = os.dup(1)
    # Airflow logs to standard output.
    os.dup2(2, 1)
    # What every DAG file imports.
    import airflow.sdk

    assert airflow.sdk
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _answer(answers, *json.loads(line))
        _, status = os.waitpid(child, 0)
        if status:
            sys.exit("A piece of code has failed")


def _answer(answers: int, before: str, code: str) -> None:
    """Be the fork."""
    status = 1
    try:
        exec(before, {})
        present = set(sys.modules)
        exec(code, {})
        os.write(answers, f"{json.dumps(sorted(set(sys.modules) - present))}\n".encode())
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


if __name__ == "__main__":
    main()
