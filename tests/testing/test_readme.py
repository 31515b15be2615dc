"""README's test of a user, run in an empty folder with the wheel."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Building a wheel, and all that Airflow imports, take long where there are other processes.
pytestmark = pytest.mark.timeout(400)


def run(*command: str | Path, **options: object) -> str:
    """Run Python with ``command``; what it prints."""
    done = subprocess.run(  # type: ignore[call-overload]
        [sys.executable, *command], capture_output=True, text=True, timeout=300, check=False, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the wheel is installed; what it depends on is there already."""
    wheels, target = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("installed")
    pip = ("-m", "pip", "--disable-pip-version-check", "--quiet")
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, ROOT)
    (wheel,) = wheels.glob("*.whl")
    run(*pip, "install", "--no-deps", "--no-index", "--target", target, wheel)
    return target


@pytest.fixture
def project(installed: Path, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """An empty folder, and the environment of somebody who has installed the wheel."""
    folder = tmp_path / "project"
    folder.mkdir()
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    home = {"HOME": str(tmp_path), "AIRFLOW_HOME": str(tmp_path / "airflow")}
    return folder, {**kept, **home, "PYTHONPATH": str(installed)}


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
