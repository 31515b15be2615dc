"""Processes that hold leases, seen by a process that may not look at them."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.process

_HIDDEN = [
    "unshare",
    "--mount",
    "--pid",
    "--fork",
    "sh",
    "-c",
    'mount -t proc -o hidepid=2 proc /proc && exec "$@"',
]
_HOLDER = """
from aporia_provider.backend.sync.processes import this_process
print(this_process(), flush=True)
input()
"""
_SEEN_BY_ANOTHER_USER = """
import os, subprocess, sys
from aporia_provider.backend.sync.processes import has_exited, this_process
holder = subprocess.Popen(
    [sys.executable, "-c", sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
)
name, mine = holder.stdout.readline().strip(), this_process()
os.setgroups([])
os.setgid(12345)
os.setuid(12345)
alive, mine_ended = has_exited(name), has_exited(mine)
holder.communicate("\\n")
print(alive, mine_ended, has_exited(name))
"""


@pytest.mark.process
def test_a_process_of_another_user_that_is_hidden_has_not_ended() -> None:
    """Tasks of several users (``run_as_user``) share a database, and /proc may hide those of the others."""
    finished = subprocess.run(
        [*_HIDDEN, "sh", sys.executable, "-c", _SEEN_BY_ANOTHER_USER, _HOLDER], capture_output=True, text=True
    )
    if "permitted" in finished.stderr or "denied" in finished.stderr:
        pytest.skip("only root can hide processes")
    assert finished.stdout.split() == ["False", "False", "True"], finished.stderr
