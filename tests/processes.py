"""
Which tests are fast: those that start no process and compute for no more than a tenth of a second.

A fixture that starts a process (an engine, a server, a database server, Airflow) is declared with
:func:`starts_process`; a test that starts one itself has the marker ``process``, and one that computes for
longer has the marker ``slow``. All other tests get the marker ``fast``, and fail if they start a process.
Tests that start a whole Airflow, kill, stall or flood processes, or take about ten seconds have the marker
``very_slow``: ``make test-slow`` runs them. A module without a fast test, or with very slow ones only, says
so in ``pytestmark``: then it is not imported to run the others.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

# It runs the program ``file`` when it is imported, to learn whether Python has 64 bits.
import croniter  # noqa: F401
import pytest

Function = TypeVar("Function", bound=Callable[..., Any])

_EVENTS = frozenset({"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system"})
_DECLARED = ("process", "slow", "very_slow")
# Their tests start processes, import Airflow (five seconds), or judge or show states of many days.
_FOLDERS = frozenset({"airflow", "compat", "monitors", "page", "soak", "spark", "testing"})
# Statements that mark all tests of a module.
_NONE_FAST = re.compile(rf"^pytestmark = .*\bmark\.(?:{'|'.join(_DECLARED)})\b", re.MULTILINE)
_ALL_VERY_SLOW = re.compile(r"^pytestmark = .*\bmark\.very_slow\b", re.MULTILINE)
_NO_PARAMETER = object()

_guarded: list[str] | None = None


def starts_process(*, unless: str | None = None) -> Callable[[Function], Function]:
    """
    Declare that a fixture starts a process; this decorator is below ``@pytest.fixture``.

    :param unless: The parameter with which it starts none.
    """

    def declared(fixture: Function) -> Function:
        fixture.starts_process_unless = unless  # type: ignore[attr-defined]
        return fixture

    return declared


@cache
def in_slow_folder(path: Path) -> bool:
    """Whether no test of a folder or module is fast."""
    tests = Path(__file__).parent
    return path.is_relative_to(tests) and not _FOLDERS.isdisjoint(path.relative_to(tests).parts)


def has_none_of(markers: str, path: Path) -> bool:
    """
    Whether a folder or module says that it has no test that is run, so that it need not be imported.

    :param markers: The expression of markers (``-m``) with which tests are selected.
    """
    if markers == "fast" and in_slow_folder(path):
        return True
    if path.suffix != ".py" or not path.name.startswith("test_"):
        return False
    if markers == "fast":
        return _NONE_FAST.search(path.read_text()) is not None
    if markers == "not very_slow":
        return _ALL_VERY_SLOW.search(path.read_text()) is not None
    return markers == "very_slow" and "mark.very_slow" not in path.read_text()


def is_fast(item: pytest.Item) -> bool:
    """Whether nothing declares that a test starts a process or computes for long."""
    if in_slow_folder(item.path) or any(item.get_closest_marker(name) for name in _DECLARED):
        return False
    # The last definition of a name is the one that the test uses.
    used = {name: found[-1].func for name, found in item._fixtureinfo.name2fixturedefs.items()}  # type: ignore[attr-defined]
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    return not any(
        function.starts_process_unless != parameters.get(name, _NO_PARAMETER)
        for name, function in used.items()
        if hasattr(function, "starts_process_unless")
    )


@contextmanager
def no_process() -> Iterator[None]:
    """Fail if this process, in any thread, starts another one before the block ends."""
    global _guarded
    started: list[str] = []
    before, _guarded = _guarded, started
    try:
        yield
    finally:
        _guarded = before
    # A thread or an ``except`` clause may have swallowed the first failure.
    if started:
        pytest.fail(_told(started[0]))


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if _guarded is not None and event in _EVENTS:
        _guarded.append(f"{event}{arguments!r}")
        pytest.fail(_told(_guarded[-1]))


def _told(started: str) -> str:
    return (
        f"A test that is marked fast starts a process: {started}. "
        "Declare its fixture with starts_process, or mark the test with pytest.mark.process"
    )


sys.addaudithook(_watch)
