"""Tests that start a process are not marked fast, and one that is marked so fails if it does."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import pytest

from tests.processes import has_none_of, no_process, starts_process

START: list[Callable[[], object]] = [
    lambda: subprocess.run(["true"], check=True),
    lambda: os.system("true"),
    lambda: os.posix_spawn("/bin/true", ["true"], {}),
    os.fork,
]


def fails() -> AbstractContextManager[object]:
    return pytest.raises(pytest.fail.Exception, match="is marked fast starts a process")


def is_marked(request: pytest.FixtureRequest) -> bool:
    return request.node.get_closest_marker("fast") is not None


@pytest.fixture(params=["none", "one"])
@starts_process(unless="none")
def processes(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def indirect(processes: str) -> str:
    return processes


def test_the_fixtures_tell_which_tests_are_fast(indirect: str, request: pytest.FixtureRequest) -> None:
    assert is_marked(request) == (indirect == "none")


def test_a_test_without_such_fixtures_is_fast(request: pytest.FixtureRequest) -> None:
    assert is_marked(request)


@pytest.mark.process
def test_a_test_that_starts_a_process_is_not(request: pytest.FixtureRequest) -> None:
    assert not is_marked(request)
    subprocess.run(["true"], check=True)


@pytest.mark.slow
def test_a_test_that_computes_for_long_is_not(request: pytest.FixtureRequest) -> None:
    assert not is_marked(request)


@pytest.mark.parametrize(
    ("statement", "skipped_by"),
    [
        ("", {"very_slow"}),
        ("pytestmark = pytest.mark.process", {"fast", "very_slow"}),
        ("pytestmark = pytest.mark.very_slow", {"fast", "not very_slow"}),
        ("pytestmark = [pytest.mark.timeout(600), pytest.mark.very_slow]", {"fast", "not very_slow"}),
        ("@pytest.mark.very_slow\ndef test_it(): ...", set()),
    ],
)
def test_modules_without_a_selected_test_are_not_imported(
    statement: str, skipped_by: set[str], tmp_path: Path
) -> None:
    (tmp_path / "test_it.py").write_text(f"import pytest\n\n{statement}\n")
    selections = ["", "fast", "very_slow", "not very_slow"]
    assert {each for each in selections if has_none_of(each, tmp_path / "test_it.py")} == skipped_by


@pytest.mark.parametrize("start", START)
def test_no_process_is_started(start: Callable[[], object]) -> None:
    with fails(), no_process():
        start()


def test_a_failure_that_is_swallowed_is_one() -> None:
    with fails(), no_process(), suppress(BaseException):
        subprocess.run(["true"], check=True)


def test_threads_start_none_either() -> None:
    with fails(), no_process(), ThreadPoolExecutor(1) as thread:
        thread.submit(subprocess.run, ["true"]).exception()
