"""
What importing all operators adds to ``import airflow.sdk``, which every DAG file pays for.

Each sample is a process of its own; the figure is the median, beside the cost of ``import airflow.sdk``
itself in the same processes. None of the packages that tasks import when they run may be among them.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from typing import Any

from tests.airflow.test_provider import HEAVY

SAMPLES = 9
CODE = """
import json, sys, time
start = time.perf_counter()
import airflow.sdk
between = time.perf_counter()
before = set(sys.modules)
import aporia_provider.operators.model, aporia_provider.operators.version
import aporia_provider.operators.dataset, aporia_provider.operators.access, aporia_provider.operators.sync
end = time.perf_counter()
added = {name.split(".")[0] for name in set(sys.modules) - before}
print(json.dumps([between - start, end - between, sorted(added)]))
"""


def sample() -> Any:
    """Seconds of ``import airflow.sdk`` and of the rest, and the packages that the rest brings in."""
    run = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True)
    return json.loads(run.stdout)


def main() -> None:
    bases, rests, packages = zip(*(sample() for _ in range(SAMPLES)), strict=True)
    base, added = ([seconds * 1000 for seconds in taken] for taken in (bases, rests))
    heavy = sorted(set(HEAVY) & set().union(*packages))
    print(f"import airflow.sdk:             {statistics.median(base):7.1f} ms")
    print(f"all operators on top of it:     {statistics.median(added):7.1f} ms  (worst {max(added):.1f} ms)")
    print(f"ratio:                          {statistics.median(added) / statistics.median(base):7.1%}")
    print(f"no heavy packages among them:   {'NO, ' + ', '.join(heavy) if heavy else 'yes'}")
    raise SystemExit(bool(heavy))


if __name__ == "__main__":
    main()
