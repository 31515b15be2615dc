"""Division of the code of a custom metric into tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from aporia_provider.monitoring.custom_metrics.code_faults import CodeError, Fault, Place

MAX_TOKENS: Final = 1_000
"""Maximum number of words, numbers and symbols of a code."""
MAX_NAME: Final = 200
"""Maximum number of characters of a name that has no quotes."""

Kind = Literal["number", "text", "name", "quoted", "symbol", "unknown", "newline", "end"]

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
_LINE = re.compile(r"[^\n]*")
_QUOTES = "\"'`"
_ESCAPES = {quote: re.compile(rf"\\(.)|{quote}{quote}") for quote in "\"'"}


@dataclass(frozen=True)
class Token:
    """
    A part of the code.

    :param kind: Kind of the token; ``unknown`` if it is not part of the language.
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


def split_tokens(code: str) -> tuple[list[Token], list[Fault]]:
    """
    Return the tokens of a code without spaces and comments, and their faults.

    The last token is of the kind ``end``; those with faults are of the kind ``unknown``.

    :raises CodeError: if there are too many tokens.
    """
    tokens: list[Token] = []
    faults: list[Fault] = []
    position, line, line_start = 0, 1, 0
    while position < len(code):
        place = line, position - line_start + 1
        kind, text = _next(code, position)
        token = Token(kind, text, position, place)
        position = token.end
        if kind == "newline":
            line, line_start = line + 1, position
        fault = _unknown(text[0]) if kind == "unknown" else _fault(tokens[-1:], token)
        if fault is not None:
            faults.append((place, fault))
            token = replace(token, kind="unknown")
        if kind != "space" and not text.startswith("#"):
            tokens.append(token)
        if len(tokens) > MAX_TOKENS:
            raise CodeError(place, f"the code has more than {MAX_TOKENS:,} words, numbers and symbols")
    return [*tokens, Token("end", "", position, (line, position - line_start + 1))], faults


def _next(code: str, position: int) -> tuple[Any, str]:
    """Return the kind and the text of a token. A faulty token may extend to the end of the line."""
    match = _PATTERN.match(code, position)
    if match is not None:
        return match.lastgroup, match[0]
    if code[position] in f"#{_QUOTES}":
        return "unknown", str(_LINE.match(code, position)[0])  # type: ignore[index]
    return "unknown", code[position]


def _fault(before: list[Token], token: Token) -> str | None:
    if token.kind != "name":
        return None
    if len(token.text) > MAX_NAME:
        return f"the name {token.shown} has more than {MAX_NAME} characters"
    if before and before[0].kind == "number" and before[0].end == token.start:
        return f"{(before[0].text + token.text)[:40]!r} is not a number"
    return None


def _unknown(letter: str) -> str:
    if letter in _QUOTES:
        return f"the text that begins with {letter} does not end in its line"
    if letter == "#":
        return "comments begin with //, not with #"
    letter_text = (
        repr(letter) if letter.isascii() and letter.isprintable() else f"{letter!r} (U+{ord(letter):04X})"
    )
    return f"{letter_text} is not part of the language"
