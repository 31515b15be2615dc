"""Tokens of conditions."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

MAX_CHARACTERS = 4_000
"""Maximum length of a condition in characters."""
MAX_TOKENS = 400
"""Maximum number of names, constants, operators and parentheses of a condition."""
RESERVED_WORDS = ("and", "or", "not", "is", "in", "null", "none", "true", "false")
"""Words, in any case, that are not names of fields unless they are in backticks."""
BARE_NAME = re.compile(r"[^\W\d]\w*")
"""Name that needs no backticks."""

_LONGEST_SHOWN = 40
_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r\n]+)
    | (?P<number>[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![\w.]))
    | (?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
    | (?P<name>`(?:[^`]|``)+`)
    | (?P<word>[^\W\d]\w*)
    | (?P<sign>==|!=|<>|<=|>=|[=<>&|().,])
    | (?P<fault>--|/\*|\*/|//|&&|\|\||[+-]?[0-9.][\w.]*|['"`]|[^\w\s]|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_QUOTES = "'\"`"
_NOTATIONS = {"!=": "!=", "<>": "!=", "==": "="}
_HINTS = {
    ";": "a condition is one expression, without ';'",
    "--": "comments are not supported",
    "/*": "comments are not supported",
    "//": "comments are not supported",
    "!": "write not",
    "*": "arithmetic is not supported",
    "+": "arithmetic is not supported",
    "-": "arithmetic is not supported",
    "/": "arithmetic is not supported",
    "%": "arithmetic is not supported",
    "'": "the quote is not closed",
    '"': "the quote is not closed",
    "`": "the quote is not closed, or there is nothing in it",
}


@dataclass(frozen=True)
class Token:
    """
    Part of the text of a condition.

    :param kind: ``number``, ``text``, ``name`` (in backticks), ``word``, ``sign``, ``fault`` (a problem that
        is listed already) or ``end``.
    :param text: The text; a text constant or a name without its quotes, a reserved word in lower case, and
        one notation of an operator.
    :param position: Number of its first character, counted from 1.
    :param written: The text as it is written.
    """

    kind: str
    text: str
    position: int
    written: str

    @property
    def is_name(self) -> bool:
        """Whether it is the name of a field or a part of one."""
        return self.kind == "name" or (self.kind == "word" and self.text not in RESERVED_WORDS)

    def __str__(self) -> str:
        if self.kind == "end":
            return f"the end at character {self.position}"
        return f"{shown(self.written)} at character {self.position}"


def shown(text: str) -> str:
    """Return a text as it is shown in a message: in quotes, and not longer than a line."""
    return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}...")


def tokens_of(text: str) -> tuple[list[Token], list[str]]:
    """
    Return the tokens of a condition, the last of kind ``end``, and the problems that were found.

    :param text: The condition.
    """
    if len(text) > MAX_CHARACTERS:
        return [], [f"a condition has at most {MAX_CHARACTERS:,} characters, this one has {len(text):,}"]
    if position := next((position for position, one in enumerate(text, 1) if not _is_storable(one)), 0):
        return [], [f"{_character(text[position - 1])} at character {position} is not allowed"]
    tokens, faults = [], []
    for match in _TOKEN.finditer(text):
        kind = str(match.lastgroup)
        if kind == "fault":
            faults.append(_fault(match[0], match.start() + 1))
        if kind != "space":
            tokens.append(_token(kind, match[0], match.start() + 1))
        if kind == "fault" and match[0] in _QUOTES:
            # The rest may be part of the text.
            break
    if len(tokens) > MAX_TOKENS:
        return [], [
            f"a condition has at most {MAX_TOKENS} names, constants, operators and parentheses, "
            f"this one has {len(tokens)}"
        ]
    return [*tokens, Token("end", "", len(text) + 1, "")], faults


def _token(kind: str, written: str, position: int) -> Token:
    if kind in ("text", "name"):
        return Token(kind, written[1:-1].replace(written[0] * 2, written[0]), position, written)
    if kind == "word":
        lower = written.lower()
        return Token(kind, lower if lower in RESERVED_WORDS else written, position, written)
    return Token(kind, _NOTATIONS.get(written, written), position, written)


def _fault(written: str, position: int) -> str:
    if written in _HINTS:
        return f"{written} at character {position}: {_HINTS[written]}"
    if written[-1:].isascii() and len(written) > 1:
        return f"{shown(written)} at character {position} is not a number"
    return f"{_character(written[0])} at character {position} is not allowed outside quotes"


def _is_storable(character: str) -> bool:
    """Return whether a character can be stored in a database and encoded as UTF-8."""
    return character != "\0" and not "\ud800" <= character <= "\udfff"


def _character(character: str) -> str:
    code = f"U+{ord(character):04X}"
    if character.isascii() and character.isprintable():
        return repr(character)
    return f"{code} {unicodedata.name(character, '')}".rstrip()
