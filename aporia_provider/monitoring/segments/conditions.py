"""
Language of the conditions of segments.

A condition compares fields with constants, and combines comparisons by ``and``, ``or`` and ``not``. It is
parsed to a tree, which is evaluated on Arrow columns: no part of it becomes SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aporia_provider.monitoring.segments.condition_checks import condition_faults, resolve
from aporia_provider.monitoring.segments.condition_nodes import (
    Comparison,
    Condition,
    ConditionError,
    Constant,
    FieldName,
    IsNull,
    IsTruth,
    Junction,
    Membership,
    Node,
    Not,
    Operand,
    ParsedParts,
    Predicate,
    Truth,
)
from aporia_provider.monitoring.segments.condition_tokens import Token, shown, tokens_of

__all__ = [
    "MAX_DEPTH",
    "Condition",
    "ConditionError",
    "checked_condition",
    "condition_faults",
    "parse_condition",
    "resolve",
]

MAX_DEPTH = 32
"""Maximum depth of nested parentheses and negations."""

_MIRRORED = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_WORDS = {"and": "and", "&": "and", "or": "or", "|": "or"}
_MAX_FAULTS = 20
_OPERATORS = "> < <= >= = !=, is null, is not null and in"


def parse_condition(text: str) -> Condition:
    """
    Return a condition from its text.

    :param text: The condition, such as ``age > 23 and plan = 'Gold'``.
    :raises ConditionError: if there are problems; all are listed.
    """
    condition = _parsed(text)
    canonical = condition.text
    if canonical != text:
        # This text is stored and parsed again. It may be longer, and may have more parentheses.
        try:
            _parsed(canonical)
        except ConditionError as error:
            parts = ParsedParts(tuple(condition.field_names()), tuple(condition.predicates()))
            raise ConditionError([f"in its canonical form, {each}" for each in error.faults], parts) from None
    return condition


def _parsed(text: str) -> Condition:
    tokens, faults = tokens_of(text)
    if not tokens:
        raise ConditionError(faults)
    if tokens[0].kind == "end":
        raise ConditionError(["the condition is empty"])
    return _Parser(tokens, faults).condition()


def checked_condition(text: str, fields: Mapping[str, str]) -> Condition:
    """
    Return a condition from its text, checked against the fields of a model.

    :param text: The condition.
    :param fields: Types of the fields by key, such as ``features.age``.
    :raises ConditionError: if there are problems; all are listed, of the syntax and of
        the names and types in the parts that can be parsed.
    """
    try:
        condition = parse_condition(text)
    except ConditionError as error:
        raise ConditionError(error.faults + condition_faults(error.parts, fields)) from None
    if faults := condition_faults(condition, fields):
        raise ConditionError(faults)
    return condition


def _listed(faults: list[str]) -> list[str]:
    others = len(faults) - _MAX_FAULTS
    return [*faults[:_MAX_FAULTS], f"there are {others} other problems"] if others > 0 else faults


class _FaultError(Exception):
    """Problem of one predicate."""


class _TooDeepError(Exception):
    """Condition with too many levels."""


class _Parser:
    """
    Parser of the tokens of a condition.

    After a problem in a predicate, it continues with the next ``and``, ``or`` or closing parenthesis.

    :param tokens: The tokens.
    :param faults: The problems of single tokens.
    """

    def __init__(self, tokens: list[Token], faults: list[str]) -> None:
        self._tokens = tokens
        self._place = 0
        self._depth = 0
        self._faults = list(faults)
        self._names: list[FieldName] = []
        self._complete: list[Predicate] = []

    def condition(self) -> Condition:
        try:
            root = self._disjunction()
            while self._next.kind != "end":
                self._faults.append(f"{self._next} has no opening parenthesis")
                self._advance()
                if self._next.text in _WORDS and self._next.kind in ("word", "sign"):
                    self._advance()
                    self._disjunction()
        except _TooDeepError:
            self._faults.append(f"parentheses and negations are nested more than {MAX_DEPTH} levels deep")
            root = None
        if self._faults or root is None:
            parts = ParsedParts(tuple(self._names), tuple(self._complete))
            raise ConditionError(_listed(self._faults), parts)
        return Condition(root)

    @property
    def _next(self) -> Token:
        return self._tokens[self._place]

    def _advance(self) -> Token:
        token = self._next
        self._place = min(self._place + 1, len(self._tokens) - 1)
        return token

    def _accept(self, *texts: str) -> bool:
        """Skip the next token if it is one of some reserved words or signs."""
        accepted = self._next.kind in ("word", "sign") and self._next.text in texts
        if accepted:
            self._advance()
        return accepted

    def _disjunction(self) -> Node | None:
        return self._junction("or", ("or", "|"), self._conjunction)

    def _conjunction(self) -> Node | None:
        return self._junction("and", ("and", "&"), self._negation)

    def _junction(self, word: str, texts: tuple[str, ...], part: Callable[[], Node | None]) -> Node | None:
        parts = [part()]
        while self._accept(*texts):
            parts.append(part())
        nodes = [node for node in parts if node is not None]
        flat: list[Node] = []
        for node in nodes:
            flat += node.parts if isinstance(node, Junction) and node.word == word else [node]
        return flat[0] if len(flat) == 1 else Junction(word, tuple(flat)) if flat else None

    def _negation(self) -> Node | None:
        if not self._accept("not"):
            return self._recovered(self._primary)
        self._enter()
        inner = self._negation()
        self._depth -= 1
        return None if inner is None else _negated(inner)

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _TooDeepError

    def _recovered(self, parse: Callable[[], Node | None]) -> Node | None:
        begin = self._place
        try:
            node = parse()
            self._check_end()
        except _FaultError as fault:
            failed = self._place
            self._skip()
            # The problem of a token is listed, and others nearby may follow from it.
            if not any(token.kind == "fault" for token in self._tokens[begin : max(failed + 1, self._place)]):
                self._faults.append(str(fault))
            return None
        inner = node.inner if isinstance(node, Not) else node
        if inner is not None and not isinstance(inner, (Not, Junction)):
            self._complete.append(inner)
        return node

    def _check_end(self) -> None:
        token = self._next
        if token.kind == "end" or (token.kind in ("word", "sign") and token.text in (*_WORDS, ")")):
            return
        if token.text in _MIRRORED and token.kind == "sign":
            raise _FaultError(f"{token}: comparisons cannot be chained, combine two of them by and")
        raise _FaultError(f"{token} is not expected there: and, or, or the end")

    def _skip(self) -> None:
        """Skip the rest of a predicate."""
        opened = 0
        while self._next.kind != "end":
            text = self._next.text if self._next.kind in ("word", "sign") else ""
            if opened == 0 and text in (*_WORDS, ")"):
                return
            opened += (text == "(") - (text == ")")
            self._advance()

    def _primary(self) -> Node | None:
        opening = self._next
        if not self._accept("("):
            return self._predicate()
        self._enter()
        inner = self._disjunction()
        self._depth -= 1
        if not self._accept(")"):
            raise _FaultError(f"{opening} is not closed")
        return inner

    def _predicate(self) -> Node:
        left = self._operand()
        if self._next.kind == "sign" and self._next.text in _MIRRORED:
            return self._comparison(left, self._advance().text)
        if self._accept("is"):
            return self._null_or_truth_test(_field(left, "is"))
        if self._accept("in"):
            return Membership(_field(left, "in"), self._constants())
        if self._accept("not"):
            if not self._accept("in"):
                raise _FaultError(f"{self._next} is not expected after not: write not in, or is not null")
            return Not(Membership(_field(left, "in"), self._constants()))
        if self._next.is_name:
            raise _FaultError(f"{self._next} is not an operator; the operators are {_OPERATORS}")
        if isinstance(left, Constant):
            raise _FaultError(f"{shown(str(left))} at character {left.position} is not compared with a field")
        return Truth(left)

    def _comparison(self, left: Operand, operator: str) -> Node:
        right = self._operand()
        if isinstance(left, FieldName):
            return Comparison(left, operator, right)
        if isinstance(right, FieldName):
            return Comparison(right, _MIRRORED[operator], left)
        raise _FaultError(
            f"{left} {operator} {right} at character {left.position} compares two constants: one of them has "
            "to be a field"
        )

    def _null_or_truth_test(self, left: FieldName) -> Node:
        negative = self._accept("not")
        token = self._next
        node: Node
        if self._accept("null", "none"):
            node = IsNull(left)
        elif self._accept("true", "false"):
            node = IsTruth(left, token.text == "true")
        else:
            written = "!=" if negative else "="
            raise _FaultError(f"{token} is not expected after is: write null, or {written} for a constant")
        return Not(node) if negative else node

    def _constants(self) -> tuple[Constant, ...]:
        if not self._accept("("):
            raise _FaultError(f"{self._next} is not expected after in: write constants in parentheses")
        constants = [self._constant()]
        while self._accept(","):
            constants.append(self._constant())
        if not self._accept(")"):
            raise _FaultError(f"{self._next} is not expected there: a comma, or ) after the constants")
        return tuple(constants)

    def _constant(self) -> Constant:
        token, operand = self._next, self._operand()
        if not isinstance(operand, Constant):
            raise _FaultError(f"{token} is not a constant")
        return operand

    def _operand(self) -> Operand:
        token = self._next
        if token.kind == "text":
            return Constant(self._advance().text, token.position)
        if token.kind == "number":
            return Constant(_number(self._advance()), token.position)
        if self._accept("true", "false"):
            return Constant(token.text == "true", token.position)
        if token.is_name:
            return self._field_name()
        if token.kind == "word" and token.text in ("null", "none"):
            raise _FaultError(f"{token} cannot be compared: write is null, or is not null")
        raise _FaultError(f"{token} is not expected there: a field or a constant")

    def _field_name(self) -> FieldName:
        first = self._advance()
        parts = [first.text]
        while self._accept("."):
            if not self._next.is_name and self._next.kind != "word":
                raise _FaultError(f"{self._next} is not expected after a dot: the name of a field")
            parts.append(self._advance().written if self._next.kind == "word" else self._advance().text)
        if self._next.text == "(" and self._next.kind == "sign":
            raise _FaultError(f"{first}: functions are not supported")
        self._names.append(FieldName(".".join(parts), first.position))
        return self._names[-1]


def _negated(node: Node) -> Node:
    return node.inner if isinstance(node, Not) else Not(node)


def _field(operand: Operand, word: str) -> FieldName:
    if isinstance(operand, Constant):
        raise _FaultError(
            f"{shown(str(operand))} at character {operand.position} is a constant: {word} follows a field"
        )
    return operand


def _number(token: Token) -> float:
    number = float(token.text)
    if number in (float("inf"), float("-inf")):
        raise _FaultError(f"{token} is greater than the greatest number, which is about 1.8e308")
    return number + 0.0
