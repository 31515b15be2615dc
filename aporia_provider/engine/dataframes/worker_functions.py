"""
Python functions that run inside the engine.

The embedded engine imports them. The workers of a cluster receive them pickled by value, with everything of
this package that they refer to, since it is not installed there. So their imports must be at the top of
modules, and they must not use cached functions or properties, which are pickled by reference.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import pyarrow as pa

import aporia_provider
from aporia_provider.monitoring.profiles.baseline_grids import make_grids
from aporia_provider.monitoring.profiles.numpy_profile import Profile, numpy_profile
from aporia_provider.monitoring.profiles.plan import FieldPlan, ProfilePlan, dump_grids
from aporia_provider.monitoring.profiles.profile import profile

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

BatchFunction = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]

_STATES = "bucket long, key string, state string"
_GRIDS = "grids string, values string"


def states_by_partition(frame: DataFrame, plan: ProfilePlan, embedded: bool) -> list[dict[str, Any]]:
    """
    Return the states of each partition of a frame.

    :param embedded: Whether the engine is the embedded one.
    :return: Rows with ``bucket``, ``key`` and ``state`` (JSON); several may have the same bucket and key.
    """
    # The workers of a cluster do not have the kernel.
    profiler = _profiler(plan, profile if embedded else numpy_profile)
    return _run_on_partitions(frame, profiler, _STATES, embedded)


def bins_by_partition(
    frame: DataFrame, fields: tuple[FieldPlan, ...], embedded: bool
) -> list[dict[str, Any]]:
    """
    Return the bins computed from each partition of a frame.

    :param embedded: Whether the engine is the embedded one.
    :return: Rows with ``grids`` (JSON) and the number of ``values`` that each was computed from.
    """
    return _run_on_partitions(frame, _grid_maker(fields), _GRIDS, embedded)


def _run_on_partitions(
    frame: DataFrame, function: BatchFunction, schema: str, embedded: bool
) -> list[dict[str, Any]]:
    # The function is not pickled before the result is requested.
    with nullcontext() if embedded else _pickled_by_value():
        rows: list[dict[str, Any]] = frame.mapInArrow(function, schema).toArrow().to_pylist()
    return rows


@contextmanager
def _pickled_by_value() -> Iterator[None]:
    # pyspark uses its own copy of cloudpickle, with its own registry.
    cloudpickle: Any = importlib.import_module("pyspark.cloudpickle")
    cloudpickle.register_pickle_by_value(aporia_provider)
    try:
        yield
    finally:
        cloudpickle.unregister_pickle_by_value(aporia_provider)


def _all_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """
    Yield all batches, or raise an error.

    A panic of the engine raises an exception that is not a subclass of ``Exception``. If it propagated, the
    engine would treat it as the end of the rows.
    """
    iterator = iter(batches)
    while True:
        try:
            batch = next(iterator)
        except StopIteration:
            return
        except Exception:
            raise
        except BaseException as error:
            raise RuntimeError(f"The engine crashed: {error}") from None
        yield batch


def _profiler(
    plan: ProfilePlan, compute: Callable[[Iterable[pa.RecordBatch], ProfilePlan], Profile] = profile
) -> BatchFunction:
    def profiler(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        states = compute(_all_batches(batches), plan)
        if states:
            buckets, keys = zip(*states, strict=True)
            state_texts = [json.dumps(state.to_json()) for state in states.values()]
            columns = [
                pa.array(buckets, pa.int64()),
                pa.array(keys, pa.string()),
                pa.array(state_texts, pa.string()),
            ]
            yield pa.RecordBatch.from_arrays(columns, names=["bucket", "key", "state"])

    return profiler


def _grid_maker(fields: tuple[FieldPlan, ...]) -> BatchFunction:
    def grid_maker(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        received = list(_all_batches(batches))
        if received:
            computed = make_grids(pa.Table.from_batches(received), fields)
            grids = dump_grids({key: item.grid for key, item in computed.items()})
            values = {key: item.values for key, item in computed.items()}
            yield pa.RecordBatch.from_pydict({"grids": [json.dumps(grids)], "values": [json.dumps(values)]})

    return grid_maker
