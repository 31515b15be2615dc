"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_ESCAPED = str.maketrans({"<": "&lt;", "\n": " ", "\r": " ", **{each: f"\\{each}" for each in "\\|[]*`"}})


def markdown_text(text: str) -> str:
    """Return text for a cell or a line: without line breaks, columns, HTML, links, images and emphasis."""
    return text.translate(_ESCAPED)


def markdown_table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    lines = [headers, ["---"] * len(headers), *([markdown_text(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
