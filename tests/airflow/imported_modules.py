"""
Modules that code imports, in forks of a process that has imported Airflow's SDK.

``python -m tests.airflow.imported_modules`` reads lists of two pieces of code, one in each line. Each is
answered by a line with the modules that the second piece imports and the first one does not.
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
