"""Sizes of tests: ``make test`` runs smaller ones than ``make test-long``."""

from __future__ import annotations

import os

FULL = bool(os.environ.get("APORIA_FULL_SIZE"))
"""Whether tests have their full size."""


def sized(small: int, full: int) -> int:
    """
    Return the size of a test, such as its number of examples.

    :param small: Its size in ``make test``.
    :param full: Its size in ``make test-long``.
    """
    return full if FULL else small
