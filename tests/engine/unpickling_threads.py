"""
A process of a cluster whose threads unpickle and run the same function: FUNCTION BATCH TRIALS.

Prints the number of rows that each run returned, or its error, as JSON.
"""

from __future__ import annotations

import importlib
import json
import random
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pyarrow as pa

THREADS = 3
# Threads take turns so often that each meets the others at many places.
sys.setswitchinterval(1e-5)
cloudpickle: Any = importlib.import_module("pyspark.cloudpickle.cloudpickle")


def run(pickled: bytes, batch: pa.RecordBatch, seconds: float, barrier: threading.Barrier) -> object:
    barrier.wait()
    time.sleep(seconds)
    try:
        return sum(result.num_rows for result in cloudpickle.loads(pickled)([batch]))
    except Exception as error:
        return repr(error)


def trial(pickled: bytes, batch: pa.RecordBatch) -> list[object]:
    """Run the function as a new process does."""
    cloudpickle._DYNAMIC_CLASS_TRACKER_BY_ID.clear()
    vars(importlib.import_module("builtins")).pop("_aporia_provider_functions", None)
    results: list[object] = []
    barrier = threading.Barrier(THREADS)

    def work(seconds: float) -> None:
        results.append(run(pickled, batch, seconds, barrier))

    threads = [threading.Thread(target=work, args=(random.random() / 10,)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def main() -> None:
    pickled = Path(sys.argv[1]).read_bytes()
    batch = pa.ipc.open_stream(Path(sys.argv[2]).read_bytes()).read_next_batch()
    random.seed(7)
    results = [result for _ in range(int(sys.argv[3])) for result in trial(pickled, batch)]
    sys.stdout.write(json.dumps(results))


if __name__ == "__main__":
    main()
