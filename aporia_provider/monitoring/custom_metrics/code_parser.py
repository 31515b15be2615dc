"""Parser of the code of custom metrics. Nothing of a code is executed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, cast

from aporia_provider.monitoring.custom_metrics.call_parser import Cursor, parse_call
from aporia_provider.monitoring.custom_metrics.code_faults import CodeError, CustomMetricError, Fault, Place
from aporia_provider.monitoring.custom_metrics.code_tokens import Token, split_tokens
from aporia_provider.monitoring.custom_metrics.expression import (
    Call,
    CallResult,
    Constant,
    MetricExpression,
    Operation,
    Operator,
    PartialCall,
    Step,
)
from aporia_provider.monitoring.custom_metrics.function_calls import read_call
from aporia_provider.monitoring.custom_metrics.metric_functions import FUNCTIONS
from aporia_provider.monitoring.custom_metrics.number_arithmetic import NoNumberError, calculate
from aporia_provider.nearest import nearest

MAX_LENGTH: Final = 4_000
"""Maximum number of characters of a code."""
MAX_DEPTH: Final = 32
"""Maximum number of nested parentheses and exponents."""
MAX_CALLS: Final = 50
"""Maximum number of calls in a code."""

_UNKNOWN = -1  # Position of the step of an operand that has a fault.
_CONTINUING = ("*", "/", "**")  # Operators that no line can begin with otherwise.


def parse_metric(code: str) -> MetricExpression:
    """
    Parse the code of a custom metric.

    :param code: The code, in the language of version 3 of the platform or of version 1.
    :raises CustomMetricError: if there are faults; all are listed.
    """
    if not isinstance(code, str):
        raise CustomMetricError([(None, f"the code is not text, but {type(code).__name__}")])
    if len(code) > MAX_LENGTH:
        raise CustomMetricError(
            [(None, f"the code has {len(code):,} characters; {MAX_LENGTH:,} is the limit")]
        )
    try:
        tokens, faults = split_tokens(code)
    except CodeError as error:
        raise CustomMetricError([(error.place, error.text)]) from None
    return _Parser(code, tokens, faults).parse()


class _Parser:
    """
    Parser of the tokens of a code.

    After a fault in a line, it reads the other calls of the line, and continues with the next line.

    :param code: The code.
    :param tokens: Its tokens.
    :param faults: The faults of tokens.
    """

    def __init__(self, code: str, tokens: list[Token], faults: list[Fault]) -> None:
        self._code = code
        self._cursor = Cursor(code, tokens)
        self._depth = 0
        self._steps: list[Step] = []
        self._calls: dict[object, tuple[int, Call]] = {}
        self._written = 0
        self._names: dict[str, tuple[int, Place]] = {}
        self._used: set[str] = set()
        self._faults = list(faults)
        self._partial: list[PartialCall] = []
        self._unknown = {position for position, _ in faults}
        self._last_call = 0
        self._is_cut = False

    def parse(self) -> MetricExpression:
        value = self._statements()
        for name, (_, position) in self._names.items():
            if name not in self._used and not self._is_cut:
                self._fault(position, f"the name {name!r} is assigned and not used")
        if self._faults:
            raise CustomMetricError(self._faults, self._partial)
        if value != len(self._steps) - 1:
            self._steps.append(Operation("*", self._step(Constant(1.0)), value))
        return MetricExpression(
            self._code, tuple(call for _, call in self._calls.values()), tuple(self._steps)
        )

    def _fault(self, position: Place, text: str) -> None:
        self._faults.append((position, text))

    def _statements(self) -> int:
        """Return the position of the step of the value."""
        value, has_value = _UNKNOWN, False
        while self._cursor.skip_newlines().kind != "end":
            start = self._cursor.peek()
            if has_value:
                self._fault(start.place, "the line above has no name, and is not the last: write name = …")
            assigned = self._assigned()
            has_value = assigned is None
            try:
                value = self._line(assigned)
            except CodeError as fault:
                if fault.place not in self._unknown:
                    self._fault(fault.place, fault.text)
                self._recover()
        if not has_value and not self._is_cut:
            self._fault(
                self._cursor.peek().place, "the last line has to be an expression, which is the value"
            )
        return value

    def _recover(self) -> None:
        """Read the calls in the rest of the line; of the code, if a call is not closed."""
        self._depth = 0
        self._is_cut = self._cursor.peek().kind == "end"
        self._cursor.move_to(self._last_call if self._is_cut else self._cursor.position)
        while (token := self._cursor.peek()).kind not in ("end", *(() if self._is_cut else ("newline",))):
            self._cursor.take()
            following = self._cursor.peek().text
            if token.kind == "name" and following == "(":
                self._recover_call(token)
            elif token.kind == "name" and following == "=":
                # The line may have begun inside parentheses that are not closed.
                self._names.setdefault(token.text, (_UNKNOWN, token.place))
                self._used.add(token.text)

    def _recover_call(self, name: Token) -> None:
        position = self._cursor.position
        # Each attempt may read the rest of the code.
        if self._written <= MAX_CALLS:
            try:
                self._call(name)
            except CodeError:
                self._cursor.move_to(position)

    def _assigned(self) -> Token | None:
        """Move past the name that the line assigns, and return it; None if it assigns none."""
        token = self._cursor.peek()
        if token.kind != "name" or self._cursor.peek(1).text != "=":
            return None
        self._cursor.take()
        self._cursor.expect("=")
        if token.text in self._names:
            self._fault(token.place, f"the name {token.text!r} is assigned a second time")
        if token.text in FUNCTIONS:
            self._fault(token.place, f"{token.text!r} is the name of a function")
        return token

    def _line(self, assigned: Token | None) -> int:
        """Parse the expression of a line, and return the position of its step."""
        step = _UNKNOWN
        try:
            step = self._expression()
            token = self._cursor.peek()
            if token.kind not in ("newline", "end"):
                raise CodeError(token.place, f"an operator or the end has to be here, not {token.shown}")
        finally:
            # The name is known in the lines below, even if this line has a fault.
            if assigned is not None:
                self._names.setdefault(assigned.text, (step, assigned.place))
        return step

    @contextmanager
    def _nested(self, token: Token) -> Iterator[None]:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise CodeError(token.place, f"the nesting is deeper than {MAX_DEPTH}")
        yield
        self._depth -= 1

    def _operator(self, *symbols: str) -> Token | None:
        """Take and return the next token if it is one of the operators."""
        if self._cursor.after_newlines().text in set(symbols).intersection(_CONTINUING):
            self._cursor.skip_newlines()
        if self._cursor.peek().text not in symbols:
            return None
        token = self._cursor.take()
        self._cursor.skip_newlines()
        return token

    def _expression(self) -> int:
        step = self._term()
        while operator := self._operator("+", "-"):
            step = self._operation(operator, step, self._term())
        return step

    def _term(self) -> int:
        step = self._factor()
        while operator := self._operator("*", "/"):
            step = self._operation(operator, step, self._factor())
        return step

    def _factor(self) -> int:
        negative, sign = False, self._cursor.peek()
        while (token := self._cursor.peek()).text in ("-", "+"):
            negative ^= self._cursor.take().text == "-"
        step = self._power(token)
        if not negative:
            return step
        return self._operation(sign, self._step(Constant(-1.0)), step, "*")

    def _power(self, token: Token) -> int:
        step = self._atom()
        if operator := self._operator("**"):
            with self._nested(token):
                step = self._operation(operator, step, self._factor())
        return step

    def _atom(self) -> int:
        token = self._cursor.take()
        if token.kind == "number":
            return self._number(token)
        if token.text == "(":
            return self._parenthesis(token)
        if token.kind == "name" and self._cursor.peek().text == "(":
            return self._call(token)
        if token.kind == "name" and self._cursor.peek().text not in (".", "["):
            return self._named(token)
        shown = token.shown if token.kind != "name" else self._cursor.peek().shown
        raise CodeError(token.place, f"a number, a name or a call has to be here, not {shown}")

    def _number(self, token: Token) -> int:
        number = float(token.text)
        if not math.isfinite(number):
            raise CodeError(token.place, "the number is too great for a float")
        return self._step(Constant(number))

    def _parenthesis(self, token: Token) -> int:
        with self._nested(token), self._cursor.in_parentheses():
            step = self._expression()
            self._cursor.expect(")")
        return step

    def _named(self, token: Token) -> int:
        self._used.add(token.text)
        if token.text in self._names:
            return self._names[token.text][0]
        if token.text in FUNCTIONS:
            self._fault(token.place, f"{token.text} is a function: write {token.text}(…)")
        else:
            hint = nearest(token.text, self._names)
            self._fault(token.place, f"there is no name {token.text!r}; {hint}")
        return _UNKNOWN

    def _call(self, name: Token) -> int:
        self._last_call = self._cursor.position
        self._written += 1
        written = parse_call(self._cursor, name)
        if self._written == MAX_CALLS + 1:
            self._fault(written.name.place, f"the code has more than {MAX_CALLS} calls")
        read = read_call(written)
        self._faults.extend(read.faults)
        self._partial.append(read.partial)
        if read.faults:
            return _UNKNOWN
        step = self._result(read.partial.call)
        if read.divisor is None:
            return step
        return self._operation(written.name, step, self._result(read.divisor), "/")

    def _result(self, call: Call) -> int:
        position, _ = self._calls.setdefault(call.key, (len(self._calls), call))
        return self._step(CallResult(position))

    def _operation(self, token: Token, left: int, right: int, operator: str | None = None) -> int:
        if _UNKNOWN in (left, right):
            return _UNKNOWN
        chosen = cast("Operator", operator or token.text)
        one, other = self._number_at(left), self._number_at(right)
        try:
            if one is not None and other is not None:
                return self._step(Constant(calculate(chosen, one, other)))
            if other is not None and chosen == "/":
                calculate(chosen, 1.0, other)
        except NoNumberError as error:
            self._fault(token.place, str(error))
            return _UNKNOWN
        return self._step(Operation(chosen, left, right, token.place))

    def _number_at(self, position: int) -> float | None:
        step = self._steps[position]
        return step.number if isinstance(step, Constant) else None

    def _step(self, step: Step) -> int:
        self._steps.append(step)
        return len(self._steps) - 1
