"""The command ``about``."""

from __future__ import annotations

import platform
from argparse import Namespace
from importlib.metadata import version
from typing import TYPE_CHECKING

import aporia_provider

if TYPE_CHECKING:
    from argparse import ArgumentParser, _SubParsersAction


def add_about(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Add the command to the parser of the command line."""
    about = commands.add_parser("about", help="print versions, and what computes profiles")
    about.set_defaults(run=_about)


def _about(options: Namespace) -> None:
    from aporia_provider.monitoring.kernel.library import find_kernel

    # It may raise an error, after which nothing is printed.
    profiles = find_kernel().description
    print(f"airflow-provider-aporia\t{aporia_provider.__version__}", file=options.answers)
    print(f"Python\t{platform.python_version()} on {platform.machine()}", file=options.answers)
    for name in ("numpy", "pyarrow"):
        print(f"{name}\t{version(name)}", file=options.answers)
    print(f"profiles\t{profiles}", file=options.answers)
