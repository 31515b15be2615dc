"""The distributions, and README's test and commands in an empty folder where the wheel is installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.sizes import sized

pytestmark = pytest.mark.very_slow

ROOT = Path(__file__).parents[2]


def run(*command: str | Path, **options: object) -> str:
    """Run Python with ``command``; what it prints."""
    done = subprocess.run(  # type: ignore[call-overload]
        [sys.executable, *command], capture_output=True, text=True, timeout=300, check=False, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


PIP = ("-m", "pip", "--disable-pip-version-check", "--quiet")


def build_wheel(source: Path, folder: Path, **options: object) -> Path:
    """Build a wheel of a folder or a source distribution."""
    run(*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, source, **options)
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(wheel: Path, target: Path) -> Path:
    """Install a wheel in an empty folder; what it depends on is there already."""
    run(*PIP, "install", "--no-deps", "--no-index", "--target", target, wheel)
    return target


def about(installed: Path, folder: Path, environment: dict[str, str]) -> str:
    return run(installed / "bin" / "aporia-provider", "about", cwd=folder, env=environment)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the working tree."""
    return build_wheel(ROOT, tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the wheel is installed."""
    return install(wheel, tmp_path_factory.mktemp("installed"))


@pytest.fixture
def project(installed: Path, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """An empty folder, and the environment of somebody who has installed the wheel."""
    folder = tmp_path / "project"
    folder.mkdir()
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    home = {"HOME": str(tmp_path), "AIRFLOW_HOME": str(tmp_path / "airflow")}
    return folder, {**kept, **home, "PYTHONPATH": str(installed)}


def test_the_source_distribution_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    run("-m", "hatchling", "build", "--target", "sdist", "--directory", tmp_path, cwd=ROOT)
    (source,) = tmp_path.glob("*.tar.gz")
    with ZipFile(wheel) as expected, ZipFile(build_wheel(source, tmp_path)) as built:
        contents = [{name: file.read(name) for name in file.namelist()} for file in (expected, built)]
    assert contents[1] == contents[0]


def test_the_wheel_contains_the_kernel_for_every_python_on_this_platform(
    wheel: Path, installed: Path, project: tuple[Path, dict[str, str]]
) -> None:
    assert wheel.name.split("-", 2)[2] == f"py3-none-{sysconfig.get_platform().replace('-', '_')}.whl"
    assert "profiles\tC (profile.kernel.so with " in about(installed, *project)


def test_without_a_compiler_the_wheel_is_for_all_platforms(
    project: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    folder, environment = project
    wheel = build_wheel(ROOT, tmp_path, env={**os.environ, "CC": ""})
    assert wheel.name.endswith("-py3-none-any.whl")
    installed = install(wheel, tmp_path / "installed")
    said = about(installed, folder, {**environment, "PYTHONPATH": str(installed)})
    assert "profiles\tnumpy (the environment variable CC is empty, so the kernel was not compiled)" in said


def test_the_wheel_contains_the_example_dags(installed: Path) -> None:
    shipped = installed / "aporia_provider" / "example_dags"
    assert files_in(shipped) == files_in(ROOT / "dags")


def files_in(folder: Path) -> dict[Path, bytes]:
    sources = (path for path in folder.rglob("*.*") if "__pycache__" not in path.parts)
    return {path.relative_to(folder): path.read_bytes() for path in sources if path.is_file()}


def test_the_commands_of_the_readme_run(installed: Path, project: tuple[Path, dict[str, str]]) -> None:
    folder, environment = project
    text = (ROOT / "README.md").read_text()
    (create,) = re.findall(r"^\$ aporia-provider (token create .*)$", text, re.MULTILINE)
    queries = re.findall(r"^\$ aporia-provider (metrics .*)$", text, re.MULTILINE)
    assert len(run(installed / "bin" / "aporia-provider", *create.split(), cwd=folder, env=environment)) > 40
    assert len(queries) == 3
    for query in queries[: sized(1, 3)]:
        with pytest.raises(AssertionError, match="There is no model 'insurance'"):
            run(installed / "bin" / "aporia-provider", *query.split(), cwd=folder, env=environment)


def test_the_test_of_the_readme_passes_with_the_wheel(project: tuple[Path, dict[str, str]]) -> None:
    folder, environment = project
    section = (ROOT / "README.md").read_text().partition("\n## Testing\n")[2].partition("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 15
    (folder / "test_insurance.py").write_text(code)
    assert "1 passed" in run("-m", "pytest", cwd=folder, env=environment)


def test_a_test_that_does_not_use_the_fixtures_does_not_load_airflow(
    installed: Path, project: tuple[Path, dict[str, str]]
) -> None:
    folder, environment = project
    (folder / "test_other.py").write_text(
        "import sys\n"
        "def test_other():\n"
        f"    assert sys.modules['aporia_provider.testing'].__file__.startswith({str(installed)!r})\n"
        "    assert not {'airflow', 'moto', 'pyarrow'} & set(sys.modules)\n"
    )
    assert "1 passed" in run("-m", "pytest", cwd=folder, env=environment)
