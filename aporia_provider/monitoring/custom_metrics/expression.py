"""Expressions of custom metrics: the calls of functions, and the arithmetic on their results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from aporia_provider.metrics import MetricParameters
from aporia_provider.monitoring.custom_metrics.code_faults import Place
from aporia_provider.monitoring.segments.condition_nodes import ParsedParts

Operator = Literal["+", "-", "*", "/", "**"]
Argument = str | float | bool


@dataclass(frozen=True, eq=False)
class Call:
    """
    A call of a function: a metric of the catalogue on the rows that meet a condition.

    Calls with the same :attr:`key` are equal, and have equal results.

    :param function: Name of the function in the code.
    :param metric: Name of the metric in the catalogue.
    :param parameters: Parameters of the metric by their names in
        :class:`~aporia_provider.metrics.MetricParameters`.
    :param filter: Condition, in the language of segments; None for all rows.
    :param text: The call, for messages.
    :param place: Line and column of the call in the code.
    """

    function: str
    metric: str
    parameters: Mapping[str, Argument]
    filter: str | None
    text: str
    place: Place = (1, 1)

    def request(self, **shared: Any) -> MetricParameters:
        """
        Return the parameters of the metric in the form of a query.

        :param shared: Parameters that all calls share, such as ``confidence`` and ``minimum``.
        """
        return MetricParameters(**{**shared, **self.parameters})

    def with_column(self, column: str) -> Call:
        """Return the call with another name of the column."""
        return replace(self, parameters={**self.parameters, "column": column})

    @property
    def key(self) -> tuple[Any, ...]:
        """What two calls with equal results have in common."""
        # True equals 1, but is another value of a field.
        parameters = ((name, type(value).__name__, value) for name, value in self.parameters.items())
        return self.metric, tuple(sorted(parameters)), self.filter

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Call) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


@dataclass(frozen=True)
class PartialCall:
    """
    A call, which may have faults.

    :param call: What is known of the call. The function may not exist.
    :param is_complete: Whether it has no faults.
    :param conditions: The parsed parts of its filters that have faults.
    """

    call: Call
    is_complete: bool
    conditions: tuple[ParsedParts, ...] = ()


@dataclass(frozen=True)
class Constant:
    """A number."""

    number: float


@dataclass(frozen=True)
class CallResult:
    """
    The result of a call.

    :param call: Position of the call in :attr:`MetricExpression.calls`.
    """

    call: int


@dataclass(frozen=True)
class Operation:
    """
    An operation on the results of two earlier steps.

    :param operator: The operator.
    :param left: Position of the step of the left operand.
    :param right: Position of the step of the right operand.
    :param place: Line and column of the operator.
    """

    operator: Operator
    left: int
    right: int
    place: Place = (1, 1)


Step = Constant | CallResult | Operation


@dataclass(frozen=True)
class MetricExpression:
    """
    The code of a custom metric in parsed form.

    :param code: The code.
    :param calls: The calls, each once.
    :param steps: The arithmetic, where each step only uses earlier ones. The last step is the value.
    """

    code: str
    calls: tuple[Call, ...]
    steps: tuple[Step, ...]

    @property
    def filters(self) -> tuple[str, ...]:
        """The conditions of the calls, each once."""
        return tuple(dict.fromkeys(call.filter for call in self.calls if call.filter is not None))
