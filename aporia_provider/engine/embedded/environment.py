"""Environment variables of the process of the embedded engine."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import aporia_provider
from aporia_provider.engine.embedded.numpy_simd import numpy_environment
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.monitoring.kernel.library import VARIABLE as KERNEL_VARIABLE

# All other variables may contain secrets: connections, variables and tokens of Airflow, database passwords.
_NAMES = frozenset(
    {
        # Paths of programs and libraries, the home folder with AWS profiles, and the folder for temporary
        # files.
        *("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME"),
        # Locale and time zone.
        *("LANG", "LC_ALL", "LC_CTYPE", "TZ"),
        # Network access to S3.
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"),
        # Log level of the engine, numbers of threads of the engine and numpy, and what computes profiles.
        *("RUST_LOG", "RUST_BACKTRACE", "TOKIO_WORKER_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
        *("NPY_DISABLE_CPU_FEATURES", KERNEL_VARIABLE),
    }
)
# Settings of the engine, and of access to S3.
_PREFIXES = ("SAIL_", "AWS_")


def engine_environment(credentials: AwsCredentials) -> dict[str, str]:
    """
    Return the environment of a process that runs the embedded engine.

    :param credentials: Credentials for S3. ``AWS_`` variables other than timeouts are inherited only if the
        credentials are neither explicit nor anonymous.
    """
    variables = {name: value for name, value in os.environ.items() if _is_needed(name)}
    variables["PYTHONPATH"] = os.pathsep.join(_module_search_path())
    return {"RUST_LOG": "error", **numpy_environment(), **credentials.engine_environment(variables)}


def _is_needed(name: str) -> bool:
    # Proxy variables are often written in lower case.
    return name.upper() in _NAMES or name.startswith(_PREFIXES)


def _module_search_path() -> Iterator[str]:
    """
    Yield the module search path of the engine: the task's path without the working folder.

    Other users may be able to write to the working folder. It is kept only if it contains this package.
    """
    working_folder, package_folder = _working_folder(), Path(aporia_provider.__file__).resolve().parent.parent
    for path in sys.path if working_folder else filter(os.path.isabs, sys.path):
        if (folder := Path(path).resolve()) == package_folder or folder != working_folder:
            yield str(folder)


def _working_folder() -> Path | None:
    """Return the working folder; None if it was deleted."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return None
