"""Everything that is imported is declared, and what an extra brings is not needed without it."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "aporia_provider"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BROUGHT = {
    "apache-airflow-core": {
        *("alembic", "attrs", "croniter", "fastapi", "httpx", "jinja2", "psutil", "pydantic", "sqlalchemy"),
        *("starlette", "tabulate", "apache-airflow-providers-standard"),
    },
    "pydantic": {"annotated-types", "pydantic-core", "typing-extensions"},
    "apache-airflow-providers-amazon": {"boto3", "botocore"},
    "apache-airflow-providers-openlineage": {"openlineage-python"},
    "jinja2": {"markupsafe"},
    "starlette": {"anyio"},
    "uvicorn": {"h11"},
    "botocore": {"urllib3"},
}
"""What dependencies of ours declare themselves, so that it is not declared a second time."""
OPTIONAL = {
    "embedded": ("pysail", "pyspark", "grpc", "pandas"),
    "postgres": ("psycopg",),
    "testing": ("moto", "pytest"),
    "openlineage": ("openlineage",),
    "page": ("vl_convert",),
}
"""Modules that the extras bring."""


def imported(file: Path) -> Iterator[str]:
    """The modules of other distributions that a file imports anywhere."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module


def third_party() -> set[str]:
    ours = {PACKAGE.name, *sys.stdlib_module_names}
    names = {name for file in PACKAGE.rglob("*.py") for name in imported(file)}
    return {name for name in names if name.partition(".")[0] not in ours}


def distributions(module: str) -> set[str]:
    """The distributions that a module may come from."""
    if module.startswith("airflow.providers."):
        return {f"apache-airflow-providers-{part}" for part in _provider_names(module)}
    if module.partition(".")[0] == "airflow":
        return {"apache-airflow"}
    found = top_level_modules().get(module.partition(".")[0], ())
    return {name.lower().replace("_", "-") for name in found}


@cache
def top_level_modules() -> Mapping[str, list[str]]:
    """The distributions of each module that is installed."""
    return packages_distributions()


def _provider_names(module: str) -> tuple[str, str]:
    first, second = [*module.split(".")[2:], ""][:2]
    return first, f"{first}-{second}"


def named(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~; ]", requirement)[0].lower() for requirement in requirements}


@pytest.mark.slow
def test_all_that_is_imported_is_declared() -> None:
    extras = [item for items in PROJECT["optional-dependencies"].values() for item in items]
    declared = named([*PROJECT["dependencies"], *extras]).union(*BROUGHT.values())
    undeclared = {name for name in third_party() if not distributions(name) & declared}
    assert undeclared == set()


@pytest.mark.slow
def test_nothing_is_listed_that_is_not_imported() -> None:
    found = set().union(*map(distributions, third_party()))
    assert set().union(*BROUGHT.values()) <= found


@pytest.mark.parametrize("dependency", BROUGHT)
def test_what_a_dependency_brings_it_declares_itself(dependency: str) -> None:
    own = [item for item in requires(dependency) or () if "extra ==" not in item]
    assert BROUGHT[dependency] <= named(own)


@pytest.mark.process
def test_every_module_can_be_imported_without_the_extras() -> None:
    hidden = [name for names in OPTIONAL.values() for name in names]
    code = f"""
import json, pkgutil, sys
from importlib import import_module
for name in {hidden!r}:
    sys.modules[name] = None
import aporia_provider
failed = {{}}
for module in pkgutil.walk_packages(aporia_provider.__path__, "aporia_provider."):
    if ".migrations." in module.name:
        continue
    try:
        import_module(module.name)
    except ImportError as error:
        failed[module.name] = str(error)
print(json.dumps(failed))
"""
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    failed = json.loads(output.splitlines()[-1])
    assert {name for name in failed if not name.startswith("aporia_provider.testing")} == set()
