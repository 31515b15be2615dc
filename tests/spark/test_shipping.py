"""A package reaches the workers of a cluster by value: nothing of it is installed there."""

from __future__ import annotations

import importlib
import io
import json
import pickle
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pytest

from tests.spark import shipped
from tests.spark.conftest import Engine, Engines
from tests.spark.shipped.mapping import tallies

# The copy that pyspark brings along: the package of this name has a register of its own.
cloudpickle: Any = importlib.import_module("pyspark.cloudpickle")

IDS = "SELECT * FROM VALUES ('anna'), ('bert'), ('emil'), ('frida') AS ids(id)"
EXPECTED = {"kind": "tally", "parts": ["texts", "letters"], "texts": 4, "letters": {"vowel": 2, "other": 2}}


@pytest.fixture
def by_value() -> Iterator[None]:
    cloudpickle.register_pickle_by_value(shipped)
    yield
    cloudpickle.unregister_pickle_by_value(shipped)


def mapped(engine: Engine, function: Any) -> list[str]:
    frame = engine.spark.sql(IDS).coalesce(1)
    return [row["tally"] for row in frame.mapInArrow(function, "tally string").collect()]


@pytest.mark.usefixtures("by_value")
def test_a_package_by_value(engines: Engines) -> None:
    """One call for the package takes its modules along, those that another module refers to as well."""
    for engine in engines:
        assert [json.loads(text) for text in mapped(engine, tallies)] == [EXPECTED]


def modules_named_by(function: Any) -> set[str]:
    """The modules that a worker has to import to unpickle a function."""
    named = set()

    class Reader(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            named.add(module)
            return super().find_class(module, name)

    Reader(io.BytesIO(cloudpickle.dumps(function))).load()
    return named


@pytest.mark.usefixtures("by_value")
def test_nothing_of_ours_is_left_to_import() -> None:
    assert not {name for name in modules_named_by(tallies) if name.startswith("tests.")}


@pytest.mark.usefixtures("by_value")
def test_an_import_inside_the_function_is_not_taken_along(engines: Engines) -> None:
    def late(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from tests.spark.shipped.mapping import tallies

        yield from tallies(batches)

    with pytest.raises(Exception, match="No module named 'tests'"):
        mapped(engines.cluster, late)


def test_by_reference_the_cluster_does_not_find_it(engines: Engines) -> None:
    with pytest.raises(Exception, match="No module named 'tests'"):
        mapped(engines.cluster, tallies)
