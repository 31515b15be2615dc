"""Names that the modules of the package define, found without importing them."""

from __future__ import annotations

import ast
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "aporia_provider"
# Names of these packages are not looked up.
OTHERS = frozenset({"airflow", "pandas", "uvicorn", *sys.stdlib_module_names})


@cache
def all_modules() -> frozenset[str]:
    return frozenset(module_name(file) for file in PACKAGE.rglob("*.py"))


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def exists(name: str) -> bool:
    """Whether a dotted name is a module or something in one; names of other packages are taken on trust."""
    if not name.startswith("aporia_provider"):
        return name.partition(".")[0] in OTHERS
    parts = name.split(".")
    for place in range(len(parts), 0, -1):
        if (module := ".".join(parts[:place])) in all_modules():
            return is_defined(module, parts[place:])
    return False


def is_defined(module: str, names: list[str]) -> bool:
    if not names:
        return True
    node = definitions(module).get(names[0])
    if isinstance(node, str):
        # It is imported from there.
        return exists(".".join([node, *names[1:]]))
    if node is None or len(names) == 1:
        return node is not None
    return isinstance(node, ast.ClassDef) and has_member(module, node, names[1])


def has_member(module: str, class_: ast.ClassDef, name: str) -> bool:
    if name in bound(class_.body):
        return True
    parents = [base.value if isinstance(base, ast.Subscript) else base for base in class_.bases]
    return any(is_defined(module, [base.id, name]) for base in parents if isinstance(base, ast.Name))


@cache
def definitions(module: str) -> dict[str, ast.AST | str]:
    """What the names of a module are: definitions, or the full names of what is imported."""
    path = ROOT.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return bound(ast.parse(file.read_text()).body)


def bound(body: list[ast.stmt]) -> dict[str, ast.AST | str]:
    names: dict[str, ast.AST | str] = {}
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names[node.name] = node
            if node.name == "__init__":
                names |= attributes(node)
        elif isinstance(node, ast.Assign):
            names |= dict.fromkeys(
                [
                    item.id
                    for target in node.targets
                    for item in ast.walk(target)
                    if isinstance(item, ast.Name)
                ],
                node,
            )
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names[node.target.id] = node
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.If):
            names |= bound([*node.body, *node.orelse])
    return names


def attributes(function: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, ast.AST | str]:
    """What a function sets on self."""
    return {
        node.attr: node
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    }


@cache
def messages() -> str:
    """All strings of the package, with … in place of what is formatted."""
    trees = (ast.parse(file.read_text()) for file in PACKAGE.rglob("*.py"))
    return "\n".join(text(node) for tree in trees for node in ast.walk(tree) if is_text(node))


def is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def text(node: ast.AST) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    return "".join(text(part) for part in node.values) if isinstance(node, ast.JoinedStr) else "…"
