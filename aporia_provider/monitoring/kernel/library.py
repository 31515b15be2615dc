"""Loading of the compiled kernel."""

from __future__ import annotations

import ctypes
import hashlib
import os
from functools import cache
from pathlib import Path
from typing import NamedTuple

from aporia_provider.errors import ValidationError

VARIABLE = "APORIA_KERNEL"
"""Environment variable: ``numpy`` to compute profiles with numpy although the kernel was compiled."""

_CHOICES = ("", "numpy")
_FOLDER = Path(__file__).parent
_LIBRARY = _FOLDER / "profile.kernel.so"  # A second dot, so that Python does not take it for a module.
_NOTE = _FOLDER / "_not_compiled.txt"
_DIGEST_LENGTH = 64


class Kernel(NamedTuple):
    """
    The kernel, or why it is not used.

    :param library: The library; None if numpy is used.
    :param reason: Why.
    """

    library: ctypes.CDLL | None
    reason: str

    @property
    def description(self) -> str:
        """What computes profiles, and why."""
        return f"{'numpy' if self.library is None else 'C'} ({self.reason})"


def find_kernel() -> Kernel:
    """
    Return the kernel, as the environment variable ``APORIA_KERNEL`` and this installation allow.

    :raises aporia_provider.errors.ValidationError: if the environment variable has an unknown value.
    """
    choice = os.environ.get(VARIABLE, "").strip().lower()
    if choice not in _CHOICES:
        raise ValidationError(f"The environment variable {VARIABLE} is {choice!r}: use 'numpy', or remove it")
    return Kernel(None, f"{VARIABLE} is numpy") if choice == "numpy" else _load()


def source_digest() -> str:
    """Return a digest of the source of the kernel in this package."""
    sources = sorted(path for path in _FOLDER.iterdir() if path.suffix in (".c", ".h"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()


@cache
def _load() -> Kernel:
    """Load the library from the folder of this package, and from nowhere else."""
    if not _LIBRARY.is_file():
        return Kernel(None, _NOTE.read_text().strip() if _NOTE.is_file() else "the kernel was not compiled")
    try:
        library = ctypes.CDLL(str(_LIBRARY.resolve()))
        compiled = (ctypes.c_char * _DIGEST_LENGTH).in_dll(library, "aporia_source_digest").value.decode()
        instructions = _instructions(library)
    except (OSError, ValueError, AttributeError) as error:
        return Kernel(None, f"{_LIBRARY.name} cannot be loaded: {error}")
    if compiled != source_digest():
        return Kernel(None, f"{_LIBRARY.name} was compiled from another source; install the package again")
    if instructions is None:
        return Kernel(None, "numpy is faster on a processor without AVX2")
    return Kernel(library, f"{_LIBRARY.name} with {instructions}")


def _instructions(library: ctypes.CDLL) -> str | None:
    """Return the vector instructions that the kernel uses; None if they are too few to be worth it."""
    library.aporia_instructions.restype = ctypes.c_char_p
    name = library.aporia_instructions()
    return None if name is None else str(name.decode())
