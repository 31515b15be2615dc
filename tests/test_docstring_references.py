"""What docstrings refer to exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.defined_names import PACKAGE, all_modules, exists, module_name

REFERENCE = re.compile(r":(?:py:)?(class|meth|func|attr|data|exc|mod):`~?([\w.]+)`")


@pytest.mark.slow
def test_references_of_docstrings_exist() -> None:
    # One test: a test for each of 700 files would take longer to start than to run.
    files = sorted(PACKAGE.rglob("*.py"))
    assert [wrong for file in files for wrong in wrong_references(file)] == []


def wrong_references(file: Path) -> Iterator[str]:
    source = file.read_text()
    if not REFERENCE.search(source):
        return
    module = module_name(file)
    for text, owner in docstrings(ast.parse(source)):
        places = [f"{module}.{owner}" if owner else module, module]
        for role, name in REFERENCE.findall(text):
            if not any(exists(place) for place in candidates(name, places)):
                yield f"{file.relative_to(PACKAGE)}: :{role}:`{name}`"


def candidates(name: str, places: list[str]) -> Iterable[str]:
    """The full names that a reference may stand for; with a dot in front it is the end of one."""
    if not name.startswith("."):
        return [name, *(f"{place}.{name}" for place in places)]
    return (f"{place}{name}" for place in packages_and_modules())


@cache
def packages_and_modules() -> frozenset[str]:
    parts = [module.split(".") for module in all_modules()]
    return frozenset(".".join(names[:count]) for names in parts for count in range(1, len(names) + 1))


def docstrings(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Docstrings, those below assignments included, each with the class that it is in."""
    for statement in tree.body:
        owner = statement.name if isinstance(statement, ast.ClassDef) else ""
        yield from ((text, owner) for text in _texts(statement))


def _texts(statement: ast.stmt) -> Iterator[str]:
    for node in ast.walk(statement):
        value = node.value if isinstance(node, ast.Expr) else None
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield value.value
