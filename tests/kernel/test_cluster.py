"""The workers of a cluster receive a function that needs neither this package nor the kernel."""

from __future__ import annotations

import base64
import importlib
import io
import json
import pickle
import subprocess
import sys
from typing import Any

import pyarrow as pa
import pytest

import aporia_provider
from aporia_provider.engine.connecting import main_module_with_file
from aporia_provider.engine.dataframes.worker_functions import states_by_partition
from aporia_provider.monitoring.bins.field_bins import NumericBins
from aporia_provider.monitoring.profiles.plan import FieldPlan, ProfilePlan
from tests.kernel.comparing import texts, with_kernel
from tests.monitoring.columns import DAY, KEY, table_of
from tests.pickling import pickle_quickly

pytestmark = pytest.mark.slow

BATCH = table_of(pa.array([1.5, None, -3.0, float("nan")]), [0, 0, DAY, None])
PLAN = ProfilePlan("daily", (FieldPlan(KEY, "numeric", "c"),), (), {KEY: NumericBins((0.0, 1.0), (), 0.5)})
WORKER = """
import base64, json, pickle, sys
sys.modules["aporia_provider"] = None
import pyarrow as pa
function, batch = pickle.loads(base64.b64decode(sys.stdin.read()))
(states,) = function([batch])
json.dump(states.to_pylist(), sys.stdout)
"""


class _Frame:
    """What a data frame of a cluster does: it pickles the function, for its workers."""

    def mapInArrow(self, function: Any, schema: str) -> Any:
        with main_module_with_file():
            cloudpickle: Any = importlib.import_module("pyspark.cloudpickle")
        self.pickled: bytes = cloudpickle.dumps((function, BATCH))
        return self

    def toArrow(self) -> pa.Table:
        return pa.table({})


@pytest.fixture(scope="module")
def pickled() -> bytes:
    pickle_quickly()
    frame: Any = _Frame()
    states_by_partition(frame, PLAN, embedded=False)
    content: bytes = frame.pickled
    return content


def test_nothing_of_it_is_imported_from_the_package(pickled: bytes) -> None:
    named = set()

    class Reader(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            named.add(module.partition(".")[0])
            return super().find_class(module, name)

    Reader(io.BytesIO(pickled)).load()
    assert not named & {aporia_provider.__name__, "ctypes", "_ctypes"}
    assert b"ctypes" not in pickled
    assert b"find_kernel" not in pickled


@pytest.mark.process
def test_it_computes_the_states_of_the_kernel(pickled: bytes) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WORKER],
        input=base64.b64encode(pickled),
        capture_output=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr.decode()
    found = {(row["bucket"], row["key"]): json.loads(row["state"]) for row in json.loads(done.stdout)}
    expected = {place: json.loads(text) for place, text in texts(with_kernel([BATCH], PLAN)).items()}
    assert found == expected
