"""Division of the code of a custom metric into tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from aporia_provider.monitoring.custom_metrics.code_faults import CodeError, Place

MAX_TOKENS: Final = 1_000
"""Maximum number of words, numbers and symbols of a code."""
MAX_NAME: Final = 200
"""Maximum number of characters of a name that has no quotes."""

Kind = Literal["number", "text", "name", "quoted", "symbol", "newline", "end"]

_PATTERN = re.compile(
    r"""(?P<space>[ \t\r\f]+|//[^\n]*)
      | (?P<newline>\n)
      | (?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
      | (?P<text>"(?:[^"\\\n]|\\.|"")*"|'(?:[^'\\\n]|\\.|'')*')
      | (?P<quoted>`(?:[^`\n]|``)+`)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<symbol>\*\*|[=!<>]=|<>|[-+*/()=,.\[\]<>&|])""",
    re.VERBOSE,
)
_QUOTES = "\"'`"
_ESCAPES = {quote: re.compile(rf"\\(.)|{quote}{quote}") for quote in "\"'"}


@dataclass(frozen=True)
class Token:
    """
    A part of the code.

    :param kind: Kind of the token.
    :param text: Text of the token, as written.
    :param start: Position of its first character.
    :param place: Line and column of this character.
    """

    kind: Kind
    text: str
    start: int
    place: Place

    @property
    def end(self) -> int:
        """Position after the last character."""
        return self.start + len(self.text)

    @property
    def value(self) -> str:
        """
        Text between the quotes of a ``text`` or ``quoted`` token.

        :raises CodeError: if a backslash precedes something other than a quote or a backslash.
        """
        quote, inner = self.text[0], self.text[1:-1]
        if quote == "`":
            return inner.replace("``", "`")
        unknown = next((each for each in _ESCAPES[quote].findall(inner) if each not in ("", *"\"'\\")), None)
        if unknown is not None:
            raise CodeError(self.place, f"\\{unknown} in a text is not known; write \\\\ for a backslash")
        return _ESCAPES[quote].sub(lambda match: match[1] or quote, inner)

    @property
    def shown(self) -> str:
        """The token in a message."""
        if self.kind in ("newline", "end"):
            return f"the end of the {'line' if self.kind == 'newline' else 'code'}"
        return repr(self.text if len(self.text) <= 40 else f"{self.text[:39]}…")


def split_tokens(code: str) -> list[Token]:
    """
    Return the tokens of a code without spaces and comments; the last one is of the kind ``end``.

    :raises CodeError: at a character that is not part of the language, or if there are too many tokens.
    """
    tokens: list[Token] = []
    position, line, line_start = 0, 1, 0
    while position < len(code):
        place = line, position - line_start + 1
        match = _PATTERN.match(code, position)
        if match is None:
            raise CodeError(place, _unknown(code[position]))
        position = match.end()
        if match.lastgroup != "space":
            tokens.append(Token(match.lastgroup, match[0], match.start(), place))  # type: ignore[arg-type]
            _check(tokens)
        if match.lastgroup == "newline":
            line, line_start = line + 1, position
    return [*tokens, Token("end", "", position, (line, position - line_start + 1))]


def _check(tokens: list[Token]) -> None:
    token = tokens[-1]
    if len(tokens) > MAX_TOKENS:
        raise CodeError(token.place, f"the code has more than {MAX_TOKENS:,} words, numbers and symbols")
    if token.kind == "name" and len(token.text) > MAX_NAME:
        raise CodeError(token.place, f"the name {token.shown} has more than {MAX_NAME} characters")
    if token.kind == "name" and len(tokens) > 1:
        before = tokens[-2]
        if before.kind == "number" and before.end == token.start:
            raise CodeError(before.place, f"{(before.text + token.text)[:40]!r} is not a number")


def _unknown(letter: str) -> str:
    if letter in _QUOTES:
        return f"the text that begins with {letter} does not end in its line"
    if letter == "#":
        return "comments begin with //, not with #"
    known = repr(letter) if letter.isascii() and letter.isprintable() else f"{letter!r} (U+{ord(letter):04X})"
    return f"{known} is not part of the language"
