"""What docstrings refer to exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.defined_names import PACKAGE, all_modules, exists, module_name

REFERENCE = re.compile(r":(?:py:)?(class|meth|func|attr|data|exc|mod):`~?([\w.]+)`")


@pytest.mark.parametrize(
    "file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: str(file.relative_to(PACKAGE))
)
def test_references_of_docstrings_exist(file: Path) -> None:
    tree = ast.parse(file.read_text())
    module = module_name(file)
    wrong = []
    for text, owner in docstrings(tree):
        places = [f"{module}.{owner}" if owner else module, module]
        for role, name in REFERENCE.findall(text):
            if not any(exists(place) for place in candidates(name, places)):
                wrong.append(f":{role}:`{name}`")
    assert wrong == []


def candidates(name: str, places: list[str]) -> Iterator[str]:
    """The full names that a reference may stand for; with a dot in front it is the end of one."""
    if not name.startswith("."):
        yield name
        yield from (f"{place}.{name}" for place in places)
        return
    for module in all_modules():
        yield f"{module}{name}"
        parents = module.split(".")
        yield from (f"{'.'.join(parents[:count])}{name}" for count in range(1, len(parents)))


def docstrings(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Docstrings, those below assignments included, each with the class that it is in."""
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            value = child.value if isinstance(child, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield value.value, owner_of(tree, child)


def owner_of(tree: ast.Module, node: ast.AST) -> str:
    around = [
        item.name
        for item in tree.body
        if isinstance(item, ast.ClassDef) and any(inner is node for inner in ast.walk(item))
    ]
    return around[0] if around else ""
