"""
Parsing of Spark SQL expressions within limits.

A parser that tries one interpretation of ``struct(`` after another takes twice the time for each level of
nesting. So limits are checked before an expression is parsed, and the steps of the parser are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from aporia_provider.errors import ValidationError

if TYPE_CHECKING:
    from sqlglot import exp

MAX_CHARACTERS = 200_000
"""Maximum total length of all expressions of a data source, in characters."""
MAX_TOKENS = 20_000
"""Maximum total number of tokens: words, numbers, strings and signs."""
MAX_NESTING = 32
"""Maximum nesting depth of brackets, types, ``CASE`` and signs such as ``-``."""

MAX_OPERATIONS = 300
"""Maximum depth of nested operations, as in a long sum. A depth of 1000 crashes the embedded engine."""

SELECT = "SELECT "
"""Prefix with which an expression is parsed."""

_LIMIT_ADVICE = "is the limit; compute such columns when the table is written"
_STEPS_PER_TOKEN = 2
_SPARE_STEPS = 4_000
_OPENING_TOKENS = {"(", "[", "{", "case"}
_CLOSING_TOKENS = {")", "]", "}", "end"}
_NESTED_TYPES = {"array", "map", "struct"}
_SIGNS = {"-", "+", "~", "!", "not"}


class LimitError(ValidationError):
    """Error of an expression that exceeds a limit."""


class Parsing:
    """
    Parser of the expressions of one data source, which share the limits.

    :param expressions: The expressions.
    """

    def __init__(self, expressions: Sequence[str]) -> None:
        self._characters = sum(map(len, expressions))
        self._tokens = 0
        self._steps = 0

    @property
    def fault(self) -> str | None:
        """Reason why no further expression can be parsed, or None."""
        if self._characters > MAX_CHARACTERS:
            return f"they have {self._characters:,} characters in total; {MAX_CHARACTERS:,} {_LIMIT_ADVICE}"
        if self._tokens > MAX_TOKENS:
            return f"they have more than {MAX_TOKENS:,} words and signs, which {_LIMIT_ADVICE}"
        if self._steps > self._max_steps:
            return "parsing them takes too long: use fewer nested calls"
        return None

    @property
    def _max_steps(self) -> int:
        return _STEPS_PER_TOKEN * self._tokens + _SPARE_STEPS

    def tokens(self, expression: str) -> list[Any]:
        """
        Return the tokens of an expression. Must be called before the expression is parsed.

        :raises LimitError: if the expressions are too long, or this one is nested too deeply.
        :raises sqlglot.errors.TokenError: if a quote is not closed.
        """
        from sqlglot.dialects.spark import Spark

        self._check()
        tokens = list(Spark().tokenize(expression))
        self._tokens += len(tokens)
        self._check()
        if _nesting(tokens) > MAX_NESTING:
            raise LimitError(
                f"it is nested too deeply: at most {MAX_NESTING} brackets, types, CASE and signs are allowed"
            )
        return tokens

    def statements(self, expression: str) -> list[Any]:
        """
        Return the statements that an expression after ``SELECT`` is parsed to; one, if it is an expression.

        :raises LimitError: if parsing takes too many steps.
        :raises sqlglot.errors.ParseError: if it is not Spark SQL.
        """
        from sqlglot.dialects.spark import Spark

        text = f"{SELECT}{expression}\n"
        statements: list[Any] = _counting_parser()(self._step, dialect=Spark()).parse(
            Spark().tokenize(text), text
        )
        return statements

    def expression(self, expression: str) -> exp.Expression:
        """
        Return the parsed tree of a valid expression.

        :raises LimitError: see :meth:`tokens` and :meth:`statements`.
        """
        self.tokens(expression)
        root: exp.Expression = self.statements(expression)[0].expressions[0]
        return root

    def _step(self) -> None:
        self._steps += 1
        if self._steps > self._max_steps:
            self._check()

    def _check(self) -> None:
        if fault := self.fault:
            raise LimitError(f"select_expr: {fault}")


def operations(root: exp.Expression) -> int:
    """Return the depth of nested operations."""
    deepest, remaining = 0, [(root, 1)]
    while remaining:
        node, depth = remaining.pop()
        deepest = max(deepest, depth)
        remaining.extend((inner, depth + 1) for inner in node.iter_expressions())
    return deepest


def _nesting(tokens: Sequence[Any]) -> int:
    """Return the maximum nesting depth of brackets, types, ``CASE`` and signs."""
    brackets = types = signs = deepest = 0
    previous = ""
    for token in tokens:
        text = "" if token.token_type.name in ("IDENTIFIER", "STRING") else token.text.lower()
        if text in _OPENING_TOKENS:
            brackets += 1
        elif text in _CLOSING_TOKENS:
            brackets = max(brackets - 1, 0)
        elif text == "<" and previous in _NESTED_TYPES:
            types += 1
        elif text.startswith(">"):
            types = max(types - text.count(">"), 0)
        signs = signs + 1 if text in _SIGNS else 0
        previous, deepest = text, max(deepest, brackets + types + signs)
    return deepest


@cache
def _counting_parser() -> Any:
    """Return a subclass of the Spark SQL parser that calls a function at each step."""
    from sqlglot.dialects.spark import Spark

    base: Any = Spark.parser_class

    class Counting(base):  # type: ignore[misc]
        def __init__(self, step: Callable[[], None], **options: Any) -> None:
            self._step = step
            super().__init__(**options)

        def _advance(self, times: int = 1) -> None:
            self._step()
            super()._advance(times)

    return Counting
