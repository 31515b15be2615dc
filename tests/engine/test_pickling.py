"""The pickles that the tests make quickly are those that pyspark makes by itself."""

from __future__ import annotations

import importlib
import os.path
import xml.dom
import xml.dom.minidom
from types import FunctionType
from typing import Any

import pytest

import aporia_provider
from aporia_provider.engine.connecting import main_module_with_file
from tests.pickling import pickle_quickly


def names_a_submodule() -> Any:
    return xml.dom.minidom.Node, os.path.sep


def names_none() -> Any:
    return xml, aporia_provider.__version__


@pytest.mark.parametrize("function", [names_a_submodule, names_none])
def test_the_same_submodules_are_found(function: FunctionType) -> None:
    with main_module_with_file():
        cloudpickle: Any = importlib.import_module("pyspark.cloudpickle.cloudpickle")
    pickle_quickly()
    quick = cloudpickle._find_imported_submodules
    (slow,) = (cell.cell_contents for cell in quick.__closure__)
    dependencies = [function.__globals__[name] for name in ("os", "xml", "aporia_provider", "pytest")]
    found = slow(function.__code__, [*dependencies, "no module"])
    assert bool(found) == (function is names_a_submodule)
    assert quick(function.__code__, [*dependencies, "no module"]) == found
