"""Parser of calls: the tokens of their arguments, in both versions of the language."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

from aporia_provider.monitoring.custom_metrics.code_faults import CodeError, Place
from aporia_provider.monitoring.custom_metrics.code_tokens import Token
from aporia_provider.monitoring.custom_metrics.expression import Argument

CATEGORIES = ("features", "raw_inputs", "predictions", "actuals", "labels")
"""Categories of fields; ``actuals`` are the labels of predictions."""

_LONGEST_SHOWN = 100
_BRACKETS = {"(": ")", "[": "]"}


class Cursor:
    """
    The next token of a code. Inside parentheses, ends of lines are skipped.

    :param code: The code.
    :param tokens: Its tokens.
    """

    def __init__(self, code: str, tokens: list[Token]) -> None:
        self._code = code
        self._tokens = tokens
        self._position = 0
        self._parentheses = 0

    @property
    def position(self) -> int:
        """Position of the next token."""
        return self._position

    def move_to(self, position: int) -> None:
        """Move to a token outside parentheses."""
        self._position, self._parentheses = position, 0

    def peek(self, ahead: int = 0) -> Token:
        """Return the next token, or one after it."""
        if self._parentheses:
            self.skip_newlines()
        return self._tokens[min(self._position + ahead, len(self._tokens) - 1)]

    def take(self) -> Token:
        """Return the next token and move past it."""
        token = self.peek()
        self._position = min(self._position + 1, len(self._tokens) - 1)
        return token

    def expect(self, symbol: str) -> Token:
        """
        Move past a symbol.

        :raises CodeError: if another token is next.
        """
        token = self.peek()
        if token.text != symbol or token.kind != "symbol":
            raise CodeError(token.place, f"{symbol!r} has to be here, not {token.shown}")
        return self.take()

    def after_newlines(self) -> Token:
        """Return the next token that is not the end of a line."""
        position = self._position
        while self._tokens[position].kind == "newline":
            position += 1
        return self._tokens[position]

    def skip_newlines(self) -> Token:
        """Move to the next token that is not the end of a line, and return it."""
        while self._tokens[self._position].kind == "newline":
            self._position += 1
        return self._tokens[self._position]

    @contextmanager
    def in_parentheses(self) -> Iterator[None]:
        """Skip ends of lines."""
        self._parentheses += 1
        yield
        self._parentheses = max(0, self._parentheses - 1)

    def source(self, first: Token, last: Token) -> str:
        """Return the code from a token to another, without comments, shortened for messages."""
        return shown(" ".join(self._code[first.start : last.end].split()))


def shown(text: str) -> str:
    """Return a text, shortened for messages."""
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"


@dataclass(frozen=True)
class FieldName:
    """
    A field with its category, ``features.age[features.plan == 'gold']``.

    :param category: The category.
    :param name: The name.
    :param filter: The condition in brackets; None without brackets.
    """

    category: str
    name: str
    filter: str | None


@dataclass(frozen=True)
class RawCondition:
    """A condition, or anything else that is not a value or a field."""

    text: str


@dataclass(frozen=True)
class WrittenArgument:
    """
    An argument of a call.

    :param name: Name of the parameter; None if there is none.
    :param value: The value.
    :param place: Line and column of the argument.
    """

    name: str | None
    value: Argument | FieldName | RawCondition
    place: Place


@dataclass(frozen=True)
class WrittenCall:
    """
    A call, as written.

    :param name: Name of the function.
    :param arguments: The arguments.
    :param text: The call, for messages.
    """

    name: Token
    arguments: tuple[WrittenArgument, ...]
    text: str


def parse_call(cursor: Cursor, name: Token) -> WrittenCall:
    """
    Parse a call after the name of its function.

    :raises CodeError: if it does not have the form of a call.
    """
    arguments: list[WrittenArgument] = []
    cursor.expect("(")
    with cursor.in_parentheses():
        while cursor.peek().text != ")":
            arguments.append(_argument(cursor))
            if cursor.peek().text != ")":
                cursor.expect(",")
        last = cursor.peek()
    return WrittenCall(name, tuple(arguments), cursor.source(name, cursor.expect(")") and last))


def _argument(cursor: Cursor) -> WrittenArgument:
    first, name = cursor.peek(), None
    if first.kind == "name" and _second(cursor).text == "=":
        name = cursor.take().text
        cursor.expect("=")
    tokens = list(_tokens_of_argument(cursor))
    if not tokens:
        raise CodeError(cursor.peek().place, f"a value has to be here, not {cursor.peek().shown}")
    return WrittenArgument(name, _value(tokens), first.place)


def _second(cursor: Cursor) -> Token:
    ahead = 1
    while cursor.peek(ahead).kind == "newline":
        ahead += 1
    return cursor.peek(ahead)


def _tokens_of_argument(cursor: Cursor) -> Iterator[Token]:
    """Yield the tokens before the comma or parenthesis that ends an argument."""
    open_brackets: list[str] = []
    while True:
        token = cursor.peek()
        if token.kind == "end":
            raise CodeError(
                token.place, f"{(open_brackets or [')'])[-1]!r} is missing at the end of the code"
            )
        if not open_brackets and token.text in (",", ")"):
            return
        if token.text in _BRACKETS:
            open_brackets.append(_BRACKETS[token.text])
        elif token.text in _BRACKETS.values() and (not open_brackets or token.text != open_brackets.pop()):
            raise CodeError(token.place, f"{token.text!r} closes nothing")
        yield cursor.take()


def _value(tokens: list[Token]) -> Argument | FieldName | RawCondition:
    if len(tokens) == 1 and tokens[0].kind == "text":
        return tokens[0].value
    words = [token.text for token in tokens]
    if words[0] in ("True", "False") and len(words) == 1:
        return words[0] == "True"
    if tokens[-1].kind == "number" and words[:-1] in ([], ["-"], ["+"]):
        return _number(words[-1]) * (-1 if words[0] == "-" else 1)
    return _field(tokens) or RawCondition(_joined(tokens))


def _number(text: str) -> float:
    # Longer integers have no exact float.
    return int(text) if text.isdigit() and len(text) <= 15 else float(text)


def _field(tokens: list[Token]) -> FieldName | None:
    kinds = [token.kind for token in tokens[:3]]
    if kinds[:1] != ["name"] or kinds[2:] not in (["name"], ["quoted"]) or tokens[1].text != ".":
        return None
    name = tokens[2].value if tokens[2].kind == "quoted" else tokens[2].text
    category, rest = tokens[0].text, tokens[3:]
    if not rest:
        return FieldName(category, name, None)
    if rest[0].text != "[" or rest[-1].text != "]" or len(rest) < 3 or not _is_one_bracket(rest):
        return None
    return FieldName(category, name, _joined(rest[1:-1]))


def _is_one_bracket(tokens: list[Token]) -> bool:
    depth = 0
    for token in tokens[:-1]:
        depth += (token.text == "[") - (token.text == "]")
        if not depth:
            return False
    return True


def _joined(tokens: list[Token]) -> str:
    """Return the text of tokens without comments and ends of lines."""
    parts = [tokens[0].text]
    for before, token in pairwise(tokens):
        parts.append(token.text if before.end == token.start else f" {token.text}")
    return "".join(parts)
