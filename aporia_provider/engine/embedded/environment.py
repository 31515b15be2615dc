"""What the process of the embedded engine gets of the environment of the task."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import aporia_provider
from aporia_provider.engine.embedded.numpy_simd import numpy_environment
from aporia_provider.lake.credentials import AwsCredentials

# All else may be secret: connections, variables and tokens of Airflow, passwords of databases.
_NAMES = frozenset(
    {
        # Where programs, libraries, the home folder with AWS profiles, and temporary files are.
        *("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME"),
        # Languages and times.
        *("LANG", "LC_ALL", "LC_CTYPE", "TZ"),
        # The way to S3.
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"),
        # How much the engine logs, and how many threads it and numpy use.
        *("RUST_LOG", "RUST_BACKTRACE", "TOKIO_WORKER_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
        "NPY_DISABLE_CPU_FEATURES",
    }
)
# Settings of the engine, and of access to S3.
_PREFIXES = ("SAIL_", "AWS_")


def engine_environment(credentials: AwsCredentials) -> dict[str, str]:
    """
    Environment of a process that runs the embedded engine.

    :param credentials: Credentials for S3. Variables that speak of AWS are inherited only if these are not
        complete.
    """
    kept = {name: value for name, value in os.environ.items() if _is_needed(name)}
    kept["PYTHONPATH"] = os.pathsep.join(_path())
    return {"RUST_LOG": "error", **numpy_environment(), **credentials.engine_environment(kept)}


def _is_needed(name: str) -> bool:
    # Proxies are commonly written in lower case.
    return name.upper() in _NAMES or name.startswith(_PREFIXES)


def _path() -> Iterator[str]:
    """
    Where the engine looks for modules: where the task does, but not in the working folder, in which anybody's
    files may lie, unless this package is there.
    """
    working, ours = _working_folder(), Path(aporia_provider.__file__).resolve().parent.parent
    for place in sys.path if working else filter(os.path.isabs, sys.path):
        if (resolved := Path(place).resolve()) == ours or resolved != working:
            yield str(resolved)


def _working_folder() -> Path | None:
    """The working folder; None if it was deleted."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return None
