"""
Commands of ``aporia-provider`` in processes that are forked from one that has imported them.

Each command is a process with an environment, a standard output and signals of its own. Only the imports,
which take several seconds, are done once for all of them. Airflow reads its home on import, so a command with
another AIRFLOW_HOME cannot be forked.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from typing import IO

_SECONDS = 300


@cache
def _forks() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.backend.preloaded", __name__])
    return context


class ForkedCommand:
    """
    A command that runs; it has the methods of :class:`subprocess.Popen` that the tests use.

    :param arguments: Arguments of the command.
    :param stdout: Its standard output, as :class:`subprocess.Popen` takes it.
    :param stderr: Its standard error; likewise.
    :param env: Its environment; without, that of this process. It has the AIRFLOW_HOME of this process.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        stdout: int | IO[str] | None = None,
        stderr: int | IO[str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        assert env is None or env.get("AIRFLOW_HOME") == os.environ["AIRFLOW_HOME"]
        # A test that is marked fast must not start one.
        sys.audit("subprocess.Popen", "aporia-provider", list(arguments), None, env)
        self.args = list(arguments)
        self.stdout, output = _opened(stdout, 1)
        self.stderr, errors = _opened(stderr, 2)
        work = (self.args, dict(os.environ if env is None else env), output, errors)
        self._process = _forks().Process(target=_run, args=work, daemon=True)
        self._process.start()
        output.close()
        errors.close()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self.args, timeout)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def run_forked(
    arguments: Sequence[str], env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        command = ForkedCommand(arguments, stdout=output, stderr=errors, env=env)
        try:
            returncode = command.wait(_SECONDS)
        finally:
            command.kill()
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(command.args, returncode, output.read(), errors.read())


def _opened(wanted: int | IO[str] | None, inherited: int) -> tuple[IO[str] | None, Connection]:
    """Return the end of a pipe to read from, if one is wanted, and what the command writes to."""
    if wanted == subprocess.PIPE:
        reading, writing = os.pipe()
        return os.fdopen(reading), Connection(writing, readable=False)
    if wanted is None:
        return None, Connection(os.dup(inherited), readable=False)
    assert not isinstance(wanted, int)
    return None, Connection(os.dup(wanted.fileno()), readable=False)


def _run(arguments: Sequence[str], env: Mapping[str, str], output: Connection, errors: Connection) -> None:
    """Be the command: the main function of the forked process."""
    # A fork server ignores modules that cannot be imported.
    assert "tests.backend.preloaded" in sys.modules
    for connection, number in ((output, 1), (errors, 2)):
        os.dup2(connection.fileno(), number)
        connection.close()
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    from aporia_provider.cli.main import main

    sys.argv = ["aporia-provider", *arguments]
    sys.exit(main(arguments))
