"""The hooks of pre-commit and the workflow run the commands that developers run."""

from __future__ import annotations

import re
from typing import Any

import yaml

from tests.defined_names import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()


def load(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


def test_the_hooks_are_the_linters() -> None:
    (repository,) = load(".pre-commit-config.yaml")["repos"]
    (recipe,) = re.findall(r"^lint: setup\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    linters = [line.split() for line in recipe.replace("$(BIN)", ".venv/bin").splitlines()]
    hooks = [hook["entry"].split() for hook in repository["hooks"]]
    assert [hook[:2] for hook in hooks] == [linter[:2] for linter in linters]


def test_the_workflow_runs_commands_that_exist() -> None:
    jobs = load(".github/workflows/ci.yml")["jobs"]
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert [command for command in commands if not command.startswith("sudo ")] == ["make check", ".ci/run"]
    assert re.search(r"^check:", MAKEFILE, re.MULTILINE)
    assert (ROOT / ".ci/run").exists()
