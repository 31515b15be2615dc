"""What the documentation and the docstrings name exists, and the code in the documentation runs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from aporia_provider.cli.main import main
from aporia_provider.monitoring.catalogue import CATALOGUE
from aporia_provider.monitoring.custom_metrics import parse_metric
from aporia_provider.monitoring.custom_metrics.metric_functions import FUNCTIONS, GROUPS
from tests.defined_names import PACKAGE, ROOT, exists, messages

DOCS = ROOT / "docs"
PAGES = sorted(
    [*DOCS.glob("*.md"), *DOCS.glob("how_to/*.md"), ROOT / "CONTRIBUTING.md", ROOT / "RELEASING.md"]
)
NOT_THERE = {"docs/_build", "dags/first_model.py"}
"""What is built, and what readers write in a folder of theirs."""
COMMAND_GROUPS = ("alerts", "custom-metrics", "models", "monitors", "segments", "token")
"""Commands that have actions."""
HEAVY = ("airflow", "aporia_provider.hooks", "aporia_provider.operators", "boto3")
"""Blocks that import one of these are compiled only; what they import of the package is looked up."""
REFERENCE = re.compile(r"{(?:class|meth|func|attr|data|exc|mod)}`~?([\w.]+)`")
each_page = pytest.mark.parametrize(
    "text", [pytest.param(page.read_text(), id=str(page.relative_to(ROOT))) for page in PAGES]
)


def blocks(text: str, language: str) -> list[str]:
    """The blocks of code of a language, without the indentation that a list gives them."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```", text, re.DOTALL | re.MULTILINE)
    return [re.sub(f"^{indentation}", "", code, flags=re.MULTILINE) for indentation, code in found]


def commands(text: str) -> Iterator[list[str]]:
    """The words of the commands in blocks and in backticks."""
    for block in blocks(text, "console"):
        joined = re.sub(r"\\\n\s*", "", block)
        yield from (line.removeprefix("$ ").split() for line in joined.splitlines() if line.startswith("$ "))
    yield from (found.split() for found in re.findall(r"`((?:make|aporia-provider) [^`]+)`", text))


@each_page
def test_blocks_of_python_run(text: str) -> None:
    for code in blocks(text, "python"):
        tree = ast.parse(code)
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        modules = [name for node in imports for name in imported(node)]
        for node in imports:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("aporia_provider"):
                unknown = [alias.name for alias in node.names if not exists(f"{node.module}.{alias.name}")]
                assert unknown == [], f"{node.module} has no such names"
        if not any(name.startswith(HEAVY) for name in modules):
            exec(compile(tree, "documentation", "exec"), {})


def imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [alias.name for alias in node.names]


@each_page
def test_included_files_and_their_markers_exist(text: str) -> None:
    for path, options in re.findall(r"```{literalinclude} (\S+)\n(.*?)```", text, re.DOTALL):
        (file,) = {
            place for folder in (DOCS, DOCS / "how_to") if (place := (folder / path).resolve()).exists()
        }
        assert file.is_relative_to(DOCS / "examples") or file.is_relative_to(ROOT / "dags")
        for marker in re.findall(r':(?:start|end)-\w+: "(.*)"', options):
            assert marker in file.read_text(), marker


@each_page
def test_commands_exist(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for command in commands(text):
        if command[0] == "make":
            assert command[1] in targets, command
        elif command[0] == "aporia-provider":
            words = [word for word in command[1:3] if re.fullmatch(r"[a-z-]+", word) and word[0] != "-"]
            words = words if words[0] in COMMAND_GROUPS else words[:1]
            with pytest.raises(SystemExit) as ended:
                main([*words, "--help"])
            assert ended.value.code == 0, command
            known = set(re.findall(r"--[\w-]+", capsys.readouterr().out))
            assert {word for word in command if word.startswith("--")} <= known, command


@each_page
def test_named_paths_exist(text: str) -> None:
    named = set(re.findall(r"`((?:aporia_provider|docs|dags|tests|benchmarks)/[\w./-]*)`", text))
    missing = [path for path in named - NOT_THERE if not (ROOT / path).exists()]
    assert missing == []


def test_the_packages_and_the_flows_of_the_architecture_page_exist() -> None:
    text = (DOCS / "architecture.md").read_text()
    table = text.partition("## Packages")[2].partition("## Rules")[0]
    flows = text.partition("## Data flows")[2].partition("## Where")[0]
    rows = (cells for row in table.splitlines() if row.startswith("| `") for cells in row.split("|"))
    named = {path for cell in rows for path in re.findall(r"`([\w/]+(?:/|\.py))`", cell)}
    named |= set(re.findall(r"[\w/]+(?:/\w+\.py|/(?= ))", flows))
    missing = sorted(path for path in named if not (PACKAGE / path).exists())
    assert (missing, len(named) > 40) == ([], True)
    # Every package is in the table.
    packages = {f"{folder.name}/" for folder in PACKAGE.iterdir() if (folder / "__init__.py").exists()}
    assert packages - {path.partition("/")[0] + "/" for path in named} == set()


@pytest.mark.slow
def test_the_functions_of_the_flows_exist() -> None:
    flows = (DOCS / "architecture.md").read_text().partition("## Data flows")[2].partition("## Where")[0]
    calls = re.findall(r"([\w/]+)\.py  +([A-Za-z_][\w.]*)", flows)
    modules = [(path.replace("/", "."), name) for path, name in calls]
    wrong = [f"{path}.{name}" for path, name in modules if not exists(f"aporia_provider.{path}.{name}")]
    assert (wrong, len(calls) > 20) == ([], True)


@pytest.mark.slow
@each_page
def test_references_of_pages_exist(text: str) -> None:
    assert [name for name in REFERENCE.findall(text) if not exists(name)] == []


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted(DOCS.glob("how_to/*.md")), ids=lambda page: page.stem)
def test_messages_in_the_guides_are_those_of_the_package(page: Path) -> None:
    quoted = re.findall(r"(?<=[\s|])\*(\S[^*]*?\S)\*", page.read_text())
    # What an example stands for is between the parts.
    parts = [part.strip() for message in quoted for part in " ".join(message.split()).split("…")]
    assert [part for part in parts if len(part) > 8 and part not in messages()] == []


def metric_tables() -> Any:
    spec = spec_from_file_location("metric_tables", DOCS / "metric_tables.py")
    assert spec is not None
    assert spec.loader is not None
    tables = module_from_spec(spec)
    spec.loader.exec_module(tables)
    return tables


def test_the_page_on_custom_metrics_has_all_functions() -> None:
    text = (DOCS / "how_to" / "custom_metrics.md").read_text()
    groups = re.findall(r"{function-table} (\w+)", text)
    assert sorted(groups) == sorted(GROUPS)
    rows = [line for each in groups for line in metric_tables().functions_markdown(each).splitlines()[2:]]
    assert sorted(re.findall(r"^\| `(\w+)`", "\n".join(rows), re.MULTILINE)) == sorted(FUNCTIONS)


def test_the_codes_on_the_page_on_custom_metrics_are_valid() -> None:
    text = (DOCS / "how_to" / "custom_metrics.md").read_text()
    codes = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    assert len([parse_metric(code) for code in codes]) >= 6


def test_the_page_on_metrics_has_the_whole_catalogue() -> None:
    text = (DOCS / "metrics.md").read_text()
    kinds = {metric.kind for metric in CATALOGUE}
    assert sorted(re.findall(r"{metric-table} (\w+)", text)) == sorted({*kinds, "aliases"})
    tables = metric_tables()
    rows = [line for kind in kinds for line in tables.markdown(kind).splitlines()[2:]]
    assert len(rows) == len(CATALOGUE)
