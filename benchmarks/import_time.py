"""
What importing all operators adds to ``import airflow.sdk``, which every DAG file pays for.

Each sample is a process of its own; the figure is the median, beside the cost of ``import airflow.sdk``
itself in the same processes.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

SAMPLES = 9
CODE = """
import sys, time
start = time.perf_counter()
import airflow.sdk
between = time.perf_counter()
before = set(sys.modules)
import aporia_provider.operators.model, aporia_provider.operators.version
import aporia_provider.operators.dataset, aporia_provider.operators.access, aporia_provider.operators.sync
end = time.perf_counter()
heavy = {"pyarrow", "deltalake", "pyspark", "sqlalchemy", "boto3"}
added = {name.split(".")[0] for name in set(sys.modules) - before}
print(between - start, end - between, ",".join(sorted(heavy & added)) or "none")
"""


def main() -> None:
    lines = [
        subprocess.run(
            [sys.executable, "-c", CODE], check=True, capture_output=True, text=True
        ).stdout.split()
        for _ in range(SAMPLES)
    ]
    base, added = ([float(line[column]) * 1000 for line in lines] for column in (0, 1))
    print(f"import airflow.sdk:             {statistics.median(base):7.1f} ms")
    print(f"all operators on top of it:     {statistics.median(added):7.1f} ms  (worst {max(added):.1f} ms)")
    print(f"ratio:                          {statistics.median(added) / statistics.median(base):7.1%}")
    print(f"heavy packages they bring in:   {lines[0][2]}")


if __name__ == "__main__":
    main()
