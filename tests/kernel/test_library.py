"""Which computation profiles use, and what is said about it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from aporia_provider.cli.main import main
from aporia_provider.engine.embedded.environment import engine_environment
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.monitoring.kernel.library import VARIABLE

ROOT = Path(__file__).parents[2]
KERNEL = Path("aporia_provider", "monitoring", "kernel")


def about(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    assert main(["about"]) == 0
    return dict(line.split("\t") for line in capsys.readouterr().out.splitlines())


def test_the_kernel_is_used_if_nothing_else_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert about(capsys)["profiles"].startswith("C (profile.kernel.so with ")


def test_the_environment_chooses_numpy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "NumPy ")
    assert about(capsys)["profiles"] == "numpy (APORIA_KERNEL is numpy)"


def test_other_values_are_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "nunpy")
    assert main(["about"]) == 2
    assert "APORIA_KERNEL is 'nunpy': use 'numpy', or remove it" in capsys.readouterr().err


def test_the_engine_gets_the_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "numpy")
    assert engine_environment(AwsCredentials())[VARIABLE] == "numpy"


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of what is needed to build the package, without a compiled kernel."""
    for name in ("aporia_provider", "dags"):
        ignored = shutil.ignore_patterns("__pycache__", "profile.kernel.so", "_not_compiled.txt")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    for name in ("hatch_build.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    # Otherwise an editable wheel needs a package that pip installs for the build alone.
    with (tmp_path / "pyproject.toml").open("a") as project:
        project.write('\n[tool.hatch.build]\ndev-mode-dirs = ["."]\n')
    return tmp_path


def run(folder: Path, *command: str, **variables: str) -> str:
    environment = {name: text for name, text in os.environ.items() if name not in ("CC", VARIABLE)}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(folder), **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def profiles(folder: Path) -> str:
    """What computes profiles, as the package in a folder says."""
    lines = dict(
        line.split("\t") for line in run(folder, "-m", "aporia_provider.cli.main", "about").splitlines()
    )
    return lines["profiles"]


def install_editable(folder: Path, **variables: str) -> str:
    """Run the build of ``pip install --editable``."""
    return run(folder, "-m", "hatchling", "build", "--target", "wheel:editable", **variables)


@pytest.mark.very_slow
@pytest.mark.process
def test_an_editable_installation_compiles_the_kernel(copied: Path) -> None:
    assert profiles(copied) == "numpy (the kernel was not compiled)"
    install_editable(copied)
    assert profiles(copied).startswith("C (profile.kernel.so with ")
    # Without a compiler, the kernel of an earlier installation is not used any more.
    assert "Profiles will be computed by numpy" in install_editable(copied, PATH="")
    assert profiles(copied) == "numpy (no C compiler was found (cc, gcc, clang))"
    install_editable(copied)
    assert profiles(copied).startswith("C (profile.kernel.so with ")


@pytest.mark.process
@pytest.mark.parametrize(
    ("compiler", "reason"),
    [
        ("", "the environment variable CC is empty, so the kernel was not compiled"),
        ("/nowhere/cc -O1", "/nowhere/cc failed: "),
        (f"{sys.executable} -c 'import sys; sys.exit(\"no space left\")'", "failed: no space left"),
    ],
)
def test_a_compiler_that_fails_is_no_error(copied: Path, compiler: str, reason: str) -> None:
    assert reason in install_editable(copied, CC=compiler)
    assert profiles(copied).startswith("numpy (")
    assert reason in profiles(copied)


@pytest.mark.process
def test_a_kernel_of_another_source_is_not_used(copied: Path) -> None:
    install_editable(copied)
    with (copied / KERNEL / "ids.c").open("a") as source:
        source.write("/* A later version. */\n")
    assert "compiled from another source; install the package again" in profiles(copied)


@pytest.mark.process
def test_a_file_that_is_no_library_is_not_used(copied: Path) -> None:
    (copied / KERNEL / "profile.kernel.so").write_bytes(b"\x7fELF but not much more")
    assert profiles(copied).startswith("numpy (profile.kernel.so cannot be loaded: ")


@pytest.mark.process
def test_the_library_is_loaded_from_the_package_alone(copied: Path, tmp_path: Path) -> None:
    install_editable(copied)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (copied / KERNEL / "profile.kernel.so").rename(elsewhere / "profile.kernel.so")
    said = run(
        elsewhere,
        *("-m", "aporia_provider.cli.main", "about"),
        PYTHONPATH=str(copied),
        LD_LIBRARY_PATH=str(elsewhere),
    )
    assert "numpy (the kernel was not compiled)" in said
