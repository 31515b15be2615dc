"""
Functions for the workers of a cluster, where this package is not installed.

A worker may be a thread of a process with others. Classes that are pickled by value are shared by all threads
that unpickle them, and one thread would use a class while another is still assigning its attributes. So
each process unpickles a function only once, while its other threads wait, and the data of a call are text.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

import pyarrow as pa

import aporia_provider

BatchFunction = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]
WorkerFunction = Callable[[Iterable[pa.RecordBatch], str], Iterator[pa.RecordBatch]]

_MOST_FUNCTIONS = 4
"""Number of unpickled functions that a process of a cluster keeps."""


def bound(function: WorkerFunction, argument: str) -> BatchFunction:
    """
    Return a function of batches for an engine that can import this package.

    :param function: Function at the top of a module.
    :param argument: Its second argument.
    """

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from function(batches, argument)

    return run


def shipped(function: WorkerFunction, argument: str) -> BatchFunction:
    """
    Return a function of batches that contains everything of this package that it refers to.

    It must be called where pyspark can be imported.

    :param function: Function at the top of a module. Its module and those it refers to must import at the top
        and must not use cached functions or properties, which are pickled by reference.
    :param argument: Its second argument.
    """
    code, most = _pickled(function), _MOST_FUNCTIONS
    digest = hashlib.sha256(code).hexdigest()

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import builtins
        import threading

        from pyspark.cloudpickle import loads

        # All threads get the value that the first of them has set.
        lock, functions = vars(builtins).setdefault("_aporia_provider_functions", (threading.Lock(), {}))
        with lock:
            if digest not in functions:
                while len(functions) >= most:
                    functions.pop(next(iter(functions)))
                functions[digest] = loads(code)
            function = functions[digest]
        yield from function(batches, argument)

    return run


@cache
def _pickled(function: WorkerFunction) -> bytes:
    # pyspark uses its own copy of cloudpickle, with its own registry.
    cloudpickle: Any = importlib.import_module("pyspark.cloudpickle")
    cloudpickle.register_pickle_by_value(aporia_provider)
    try:
        code: bytes = cloudpickle.dumps(function)
    finally:
        cloudpickle.unregister_pickle_by_value(aporia_provider)
    return code
