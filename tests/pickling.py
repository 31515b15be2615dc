"""
Functions that pyspark pickles by value, in a process that has imported thousands of modules.

For each function and each module that it refers to, pyspark looks through all of ``sys.modules``. A worker of
pytest has imported more than 4,000 modules, so pickling the functions of one small sync took longer than the
rest of the sync.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from functools import cache
from types import CodeType, ModuleType
from typing import Any

from aporia_provider.engine.connecting import main_module_with_file


@cache
def pickle_quickly() -> None:
    """Make pyspark look only for submodules that a function names; what it finds is the same."""
    # The main module of a worker of pytest-xdist has no file.
    with main_module_with_file():
        cloudpickle: Any = importlib.import_module("pyspark.cloudpickle.cloudpickle")
    find = cloudpickle._find_imported_submodules

    def find_named(code: CodeType, dependencies: Iterable[Any]) -> list[ModuleType]:
        return find(code, [found for found in dependencies if _names_submodule(code, found)])

    cloudpickle._find_imported_submodules = find_named


def _names_submodule(code: CodeType, dependency: Any) -> bool:
    """Whether a function names a submodule of what it refers to, if that is a module."""
    if not isinstance(dependency, ModuleType):
        return False
    return any(f"{dependency.__name__}.{name}" in sys.modules for name in code.co_names)
