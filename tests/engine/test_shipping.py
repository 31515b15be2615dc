"""Functions that a cluster receives by value, unpickled by several threads of a process at once."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from aporia_provider.engine.connecting import main_module_with_file
from aporia_provider.engine.dataframes.shipping import shipped
from aporia_provider.engine.dataframes.worker_functions import compute_states_with_numpy
from aporia_provider.monitoring.profiles.plan import ID, TIME, FieldPlan, ProfilePlan, dump_plan

pytestmark = pytest.mark.process

TRIALS = 40
PLAN = ProfilePlan("daily", (FieldPlan("features.x", "numeric", "x"), FieldPlan("features.c", "string", "c")))


def batch() -> pa.RecordBatch:
    """Rows of ten days."""
    numbers = np.arange(1000)
    times = pa.array(numbers // 100 * 86_400_000_000, pa.timestamp("us", "UTC"))
    texts = pa.array(["a", "b"] * 500)
    return pa.RecordBatch.from_pydict({ID: numbers, TIME: times, "x": numbers / 7, "c": texts})


def pickled_for_a_cluster() -> bytes:
    with main_module_with_file():
        cloudpickle: Any = importlib.import_module("pyspark.cloudpickle")
    pickled: bytes = cloudpickle.dumps(shipped(compute_states_with_numpy, json.dumps(dump_plan(PLAN))))
    return pickled


@pytest.mark.very_slow
@pytest.mark.process
def test_threads_do_not_use_classes_that_another_thread_is_completing(tmp_path: Path) -> None:
    function, rows = tmp_path / "function", tmp_path / "rows"
    function.write_bytes(pickled_for_a_cluster())
    with pa.OSFile(str(rows), "wb") as file, pa.ipc.new_stream(file, batch().schema) as stream:
        stream.write_batch(batch())
    script = Path(__file__).with_name("unpickling_threads.py")
    command = [sys.executable, "-P", str(script), str(function), str(rows), str(TRIALS)]
    finished = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=True)
    results = json.loads(finished.stdout)
    # The states of the rows, of x and of c for each of ten days.
    assert results == [30] * len(results)
    assert len(results) == 3 * TRIALS
