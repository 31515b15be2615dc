"""Parts of conditions, and their text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from aporia_provider.monitoring.segments.condition_tokens import BARE_NAME, RESERVED_WORDS

_LARGEST_INTEGER = 1e16


@dataclass(frozen=True)
class FieldName:
    """
    Field that a condition names.

    :param name: Name without quotes, such as ``age`` or ``features.age``.
    :param position: Number of its first character in the condition.
    """

    name: str
    position: int = field(default=0, compare=False)

    def __str__(self) -> str:
        parts = self.name.split(".")
        if all(BARE_NAME.fullmatch(part) and part.lower() not in RESERVED_WORDS for part in parts):
            return self.name
        return f"`{self.name.replace('`', '``')}`"


@dataclass(frozen=True)
class Constant:
    """
    Constant in a condition.

    :param value: A number, a text, or a truth value.
    :param position: Number of its first character in the condition.
    """

    value: float | str | bool
    position: int = field(default=0, compare=False)

    def __str__(self) -> str:
        if isinstance(self.value, bool):
            return str(self.value).lower()
        if isinstance(self.value, str):
            return f"'{self.value.replace(chr(39), chr(39) * 2)}'"
        whole = self.value.is_integer() and abs(self.value) < _LARGEST_INTEGER
        return str(int(self.value)) if whole else repr(self.value)


Operand = FieldName | Constant


@dataclass(frozen=True)
class Comparison:
    """
    Comparison of a field with a constant or with another field.

    :param left: The field.
    :param operator: ``=``, ``!=``, ``<``, ``<=``, ``>`` or ``>=``.
    :param right: What it is compared with.
    """

    left: FieldName
    operator: str
    right: Operand

    def __str__(self) -> str:
        return f"{self.left} {self.operator} {self.right}"


@dataclass(frozen=True)
class Membership:
    """Whether a field equals one of some constants."""

    left: FieldName
    constants: tuple[Constant, ...]

    def __str__(self) -> str:
        return f"{self.left} in ({', '.join(map(str, self.constants))})"


@dataclass(frozen=True)
class IsNull:
    """Whether a field has no value."""

    left: FieldName

    def __str__(self) -> str:
        return f"{self.left} is null"


@dataclass(frozen=True)
class IsTruth:
    """Whether a boolean field is true or false; never unknown."""

    left: FieldName
    value: bool

    def __str__(self) -> str:
        return f"{self.left} is {str(self.value).lower()}"


@dataclass(frozen=True)
class Truth:
    """A boolean field as a condition."""

    left: FieldName

    def __str__(self) -> str:
        return str(self.left)


@dataclass(frozen=True)
class Not:
    """Negation."""

    inner: Node

    def __str__(self) -> str:
        if isinstance(self.inner, IsNull):
            return f"{self.inner.left} is not null"
        if isinstance(self.inner, Junction):
            return f"not ({self.inner})"
        return f"not {self.inner}"


@dataclass(frozen=True)
class Junction:
    """
    Conjunction or disjunction.

    :param word: ``and`` or ``or``.
    :param parts: At least two conditions. None of them is a junction with the same word.
    """

    word: str
    parts: tuple[Node, ...]

    def __str__(self) -> str:
        within = (f"({part})" if isinstance(part, Junction) else str(part) for part in self.parts)
        return f" {self.word} ".join(within)


Predicate = Comparison | Membership | IsNull | IsTruth | Truth
Node = Predicate | Not | Junction


@dataclass(frozen=True)
class ParsedParts:
    """
    The parts of a condition with problems that were parsed nevertheless.

    :param names: Occurrences of fields, in their order.
    :param complete: Predicates without problems of syntax.
    """

    names: tuple[FieldName, ...] = ()
    complete: tuple[Predicate, ...] = ()

    def field_names(self) -> Iterator[FieldName]:
        """Yield all occurrences of fields."""
        yield from self.names

    def predicates(self) -> Iterator[Predicate]:
        """Yield the predicates."""
        yield from self.complete


class ConditionError(ValueError):
    """
    Error of a condition.

    :param faults: The problems, at least one.
    :param parts: The parts that were parsed, which can be checked against fields.
    """

    def __init__(self, faults: list[str], parts: ParsedParts | None = None) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults
        self.parts = parts or ParsedParts()


@dataclass(frozen=True)
class Condition:
    """
    Parsed condition.

    :param root: Its outermost part.
    """

    root: Node

    @property
    def text(self) -> str:
        """Text of the condition; equal for conditions that differ only in their notation."""
        return str(self.root)

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields without quotes, in the order of their first occurrence."""
        return tuple(dict.fromkeys(name.name for name in self.field_names()))

    def field_names(self) -> Iterator[FieldName]:
        """Yield all occurrences of fields."""
        for predicate in self.predicates():
            yield predicate.left
            if isinstance(predicate, Comparison) and isinstance(predicate.right, FieldName):
                yield predicate.right

    def predicates(self) -> Iterator[Predicate]:
        """Yield the parts that are no combinations of others."""
        remaining: list[Node] = [self.root]
        while remaining:
            node = remaining.pop()
            if isinstance(node, Junction):
                remaining.extend(reversed(node.parts))
            elif isinstance(node, Not):
                remaining.append(node.inner)
            else:
                yield node
