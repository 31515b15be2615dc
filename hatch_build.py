"""
Build hook that compiles the kernel (``aporia_provider/monitoring/kernel``) if there is a C compiler.

A wheel with the kernel is for one platform and every Python. Without a compiler, or if it fails, the wheel is
for all platforms, and numpy computes profiles. The environment variable ``CC`` chooses the compiler; if it is
empty, no kernel is compiled. ``python hatch_build.py`` compiles the kernel of a working tree.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import platform_tags

_FOLDER = Path("aporia_provider", "monitoring", "kernel")
_LIBRARY, _NOTE = "profile.kernel.so", "_not_compiled.txt"
_COMPILERS = ("cc", "gcc", "clang")
# Contraction of products and sums would change the last bit of results. The last two options only affect
# floating-point exceptions and errno, which the kernel does not use.
_OPTIONS = (
    *("-std=c11", "-O3", "-fPIC", "-shared", "-fvisibility=hidden"),
    *("-ffp-contract=off", "-fno-fast-math", "-fno-trapping-math", "-fno-math-errno"),
)
_SECONDS = 300


class NotCompiledError(Exception):
    """Error of a kernel that was not compiled. The message says why."""


class CustomBuildHook(BuildHookInterface[Any]):
    """Adds the compiled kernel to a wheel; for an editable installation, to the working tree."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """
        Compile the kernel.

        :param version: ``editable`` for an editable installation.
        :param build_data: Data of the wheel.
        """
        root = Path(self.root)
        folder = root / _FOLDER if version == "editable" else self._temporary_folder()
        try:
            compile_kernel(root / _FOLDER, folder / _LIBRARY)
        except NotCompiledError as error:
            self.app.display_warning(f"Profiles will be computed by numpy, which takes longer: {error}")
            built = _replaced(folder, _NOTE, str(error))
        else:
            self.app.display_info(f"The kernel was compiled: {folder / _LIBRARY}")
            built = folder / _LIBRARY
            if version != "editable":
                build_data["pure_python"] = False
                build_data["tag"] = f"py3-none-{_platform()}"
        if version != "editable":
            build_data["force_include"][str(built)] = str(_FOLDER / built.name)

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the temporary folder."""
        if self._temporary is not None:
            self._temporary.cleanup()

    _temporary: tempfile.TemporaryDirectory[str] | None = None

    def _temporary_folder(self) -> Path:
        self._temporary = tempfile.TemporaryDirectory()
        return Path(self._temporary.name)


def compile_kernel(folder: Path, library: Path) -> None:
    """
    Compile the kernel.

    :param folder: Folder of the source.
    :param library: Path of the library, which is replaced.
    :raises NotCompiledError: if it cannot be compiled.
    """
    sources = sorted(path for path in folder.iterdir() if path.suffix in (".c", ".h"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    files = [path.name for path in sources if path.suffix == ".c"]
    # A process that has loaded the library keeps the old file.
    made = library.with_suffix(".new")
    command = [*_compiler(), *_OPTIONS, f'-DSOURCE_DIGEST="{digest}"', *files, "-o", str(made)]
    _run(command, folder)
    made.replace(library)
    (library.parent / _NOTE).unlink(missing_ok=True)


def _compiler() -> list[str]:
    chosen = os.environ.get("CC")
    if chosen is not None:
        command = shlex.split(chosen)
        if not command:
            raise NotCompiledError("the environment variable CC is empty, so the kernel was not compiled")
        return command
    found = next(filter(None, map(shutil.which, _COMPILERS)), None)
    if found is None:
        raise NotCompiledError(f"no C compiler was found ({', '.join(_COMPILERS)})")
    return [found]


def _run(command: list[str], folder: Path) -> None:
    try:
        subprocess.run(  # noqa: S603
            command, cwd=folder, check=True, capture_output=True, text=True, timeout=_SECONDS
        )
    except subprocess.CalledProcessError as error:
        lines = (error.stderr or error.stdout or "").strip().splitlines()
        raise NotCompiledError(f"{command[0]} failed: {' / '.join(lines[:3])}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotCompiledError(f"{command[0]} failed: {error}") from error


def _replaced(folder: Path, name: str, text: str) -> Path:
    """Write a note in place of the library of an earlier build."""
    (folder / _LIBRARY).unlink(missing_ok=True)
    (folder / name).write_text(f"{text}\n")
    return folder / name


def _platform() -> str:
    """Return the tag of this platform, without one that promises an older system library."""
    return next(tag for tag in platform_tags() if not tag.startswith(("manylinux", "musllinux")))


if __name__ == "__main__":
    root = Path(__file__).parent.resolve()
    try:
        compile_kernel(root / _FOLDER, root / _FOLDER / _LIBRARY)
    except NotCompiledError as error:
        sys.exit(f"The kernel was not compiled: {error}")
