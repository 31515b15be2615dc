"""Lines of the answers of commands."""

from __future__ import annotations

from typing import TextIO

_BIDIRECTIONAL = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
_CONTROLS = (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *_BIDIRECTIONAL)
_ESCAPED = {code: chr(code).encode("unicode_escape").decode() for code in _CONTROLS}


def line_of(*cells: object) -> str:
    """
    Return values separated by tabs.

    Names may contain control characters, which a terminal would execute, and ends of lines, which would look
    like further answers. They are printed as ``\\x1b`` and ``\\n``.

    :param cells: The values.
    """
    return "\t".join(str(cell).translate(_ESCAPED) for cell in cells)


def print_line(answers: TextIO, *cells: object) -> None:
    """Print values as :func:`line_of` returns them."""
    print(line_of(*cells), file=answers)
