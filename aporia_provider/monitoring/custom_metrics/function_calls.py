"""Calls of functions as calls of metrics of the catalogue, and the faults of their arguments."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from aporia_provider.metrics import Average, Gain
from aporia_provider.monitoring.custom_metrics.call_parser import (
    CATEGORIES,
    FieldName,
    RawCondition,
    WrittenArgument,
    WrittenCall,
    shown,
)
from aporia_provider.monitoring.custom_metrics.code_faults import Place
from aporia_provider.monitoring.custom_metrics.expression import Argument, Call, PartialCall
from aporia_provider.monitoring.custom_metrics.metric_functions import (
    CODE_NAMES,
    FUNCTIONS,
    MetricFunction,
    reason_without,
)
from aporia_provider.monitoring.performance.parameters import GREATEST_K
from aporia_provider.monitoring.segments import ConditionError, parse_condition
from aporia_provider.monitoring.segments.condition_nodes import ParsedParts
from aporia_provider.nearest import nearest
from aporia_provider.schema import FIELD_TYPES

_VERSION_1 = {"prediction": "column", "field": "column", "rank": "k", "average": "method"}
_REFUSED = {
    "keys": 'write the key in the name of the column: column="features.scores[cat]"',
    "top_k": "the states do not keep the first k items of an average; leave it out",
}
_ONLY_MICRO = "accuracy is the proportion of the correct rows, which has no other average than micro"
_OF_FILTER = "filter: "
_METRIC_NAMES = {code_name: name for name, code_name in CODE_NAMES.items()}


@dataclass(frozen=True)
class ReadCall:
    """
    A call of a metric, and its faults.

    :param partial: The call; if there are faults, what is known of it.
    :param divisor: Call by whose result it is divided; None if it is not.
    :param faults: Places and descriptions of the faults.
    """

    partial: PartialCall
    divisor: Call | None
    faults: list[tuple[Place, str]]


def read_call(written: WrittenCall) -> ReadCall:
    """Return the call of a metric for a call as written, with all faults of its arguments."""
    name, place = written.name.text, written.name.place
    function = FUNCTIONS.get(name)
    arguments = _Arguments(function or _NO_FUNCTION)
    for argument in written.arguments:
        arguments.add(argument)
    if function is None:
        reason = reason_without(name)
        fault = reason or f"there is no function {name!r}; {nearest(name, FUNCTIONS)}"
        arguments.only_faults_of_filters()
        arguments.faults.append((place, fault))
    else:
        arguments.finish(place)
    parameters = {_METRIC_NAMES.get(key, key): value for key, value in arguments.given.items()}
    metric = name if function is None else function.metric
    call = Call(name, metric, parameters, arguments.filter(place), written.text, place)
    partial = PartialCall(call, not arguments.faults, tuple(arguments.conditions))
    if function is None or function.divisor is None or not partial.is_complete:
        return ReadCall(partial, None, arguments.faults)
    column = {"column": parameters["column"]}
    return ReadCall(partial, replace(call, metric=function.divisor, parameters=column), [])


_NO_FUNCTION = MetricFunction("", "", "statistic", (), ("column",), (), "")


@dataclass
class _Arguments:
    """The arguments of a call, by the names of version 3."""

    function: MetricFunction
    given: dict[str, Argument] = field(default_factory=dict)
    filters: list[str] = field(default_factory=list)
    conditions: list[ParsedParts] = field(default_factory=list)
    label: str | None = None
    faults: list[tuple[Place, str]] = field(default_factory=list)

    def filter(self, place: Place) -> str | None:
        """Return the condition of all filters; None without filters, or if it has faults, which are added."""
        filters = list(dict.fromkeys(self.filters))
        if len(filters) < 2:
            return filters[0] if filters else None
        try:
            return parse_condition(" and ".join(f"({each})" for each in filters)).text
        except ConditionError as error:
            self.faults.extend((place, f"the filters together: {fault}") for fault in error.faults)
            return None

    def add(self, argument: WrittenArgument) -> None:
        """Add an argument, or its faults."""
        faults = list(self._added(argument))
        self.faults.extend((argument.place, fault) for fault in faults)

    def only_faults_of_filters(self) -> None:
        """Remove the faults that depend on the function."""
        self.faults = [fault for fault in self.faults if fault[1].startswith(_OF_FILTER)]

    def finish(self, position: Place) -> None:
        """Add the faults of the call as a whole."""
        name, failed = self.function.name, bool(self.faults)
        missing = [each for each in self.function.required if each not in self.given]
        # A wrong argument may have been meant as the missing one.
        if missing and not failed:
            self.faults.append((position, f"{name} requires {' and '.join(missing)}"))
        column = str(self.given.get("column", self.label)).rpartition(".")[2]
        if self.label is not None and self.label.rpartition(".")[2] != column:
            self.faults.append((position, f"the label of {shown(column)!r} is not {shown(self.label)!r}"))

    def _added(self, argument: WrittenArgument) -> Iterator[str]:
        if isinstance(argument.value, FieldName):
            yield from self._field(argument.name, argument.value)
        elif isinstance(argument.value, RawCondition):
            yield from self._condition(argument.name, argument.value.text)
        elif argument.name is None:
            yield f"the value {shown(repr(argument.value))} has no name: write {self._parameters[0]}=…"
        elif argument.name == "filter":
            yield from self._filter(argument.value)
        else:
            yield from self._parameter(argument.name, argument.value)

    @property
    def _parameters(self) -> list[str]:
        return [*self.function.parameters, "filter"]

    def _field(self, name: str | None, value: FieldName) -> Iterator[str]:
        if value.category not in CATEGORIES:
            yield f"there is no category {value.category!r} of fields; {nearest(value.category, CATEGORIES)}"
            return
        category = "labels" if value.category == "actuals" else value.category
        column = f"{category}.{value.name}"
        if value.filter is not None:
            yield from self._filter(value.filter)
        if name is None:
            # The second field of a metric of performance is the label.
            second = "column" in self.given and self.function.group == "performance"
            name = "label" if second else "column"
        if name == "filter" and value.filter is None:
            quoted = value.name.replace("`", "``")
            yield from self._filter(f"{category}.`{quoted}`")
        elif name == "filter":
            yield f"{shown(column)} with brackets is not a condition"
        else:
            yield from self._parameter(name, column)

    def _condition(self, name: str | None, text: str) -> Iterator[str]:
        if name in (None, "filter") and not text.isidentifier():
            yield from self._filter(text)
        elif name is None:
            yield f'{shown(text)!r} has no quotes and no name: write {self._parameters[0]}="{shown(text)}"'
        else:
            yield f"{shown(text)!r} is not a value of {name}: texts have quotes"

    def _filter(self, value: Any) -> Iterator[str]:
        if not isinstance(value, str):
            yield f'filter is a text such as "age > 70", not {shown(repr(value))}'
        else:
            try:
                self.filters.append(parse_condition(value).text)
            except ConditionError as error:
                self.conditions.append(error.parts)
                yield from (f"{_OF_FILTER}{fault}" for fault in error.faults)

    def _parameter(self, written: str, value: Argument) -> Iterator[str]:
        if written == "label" and self.function.group == "performance" and isinstance(value, str):
            self.label = value
            return
        name = _VERSION_1.get(written, written)
        fault = self._fault_of(written, name, value)
        if fault is not None:
            yield fault
        elif not (name == "type" or (self.function.name == "accuracy" and name == "method")):
            self.given[name] = value

    def _fault_of(self, written: str, name: str, value: Argument) -> str | None:
        if written in _REFUSED:
            return f"there is no {written}: {_REFUSED[written]}"
        if name not in self.function.parameters:
            hint = nearest(written, self._parameters)
            return f"{self.function.name} has no parameter {written!r}; {hint}"
        if name in self.given:
            return f"{written} is given twice"
        if (expected := _expected(name, value)) is not None:
            return f"{written} is {expected}, not {shown(repr(value))}"
        is_average = self.function.name == "accuracy" and name == "method"
        return _ONLY_MICRO if is_average and value != "micro" else None


def _is_number(value: Argument) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _one_of(*words: str) -> tuple[str, Callable[[Any], bool]]:
    return f"one of {', '.join(words)}", lambda value: value in words


_VALUE: tuple[str, Callable[[Any], bool]] = (
    "a text, a finite number, True or False",
    lambda value: isinstance(value, str | bool) or _is_number(value),
)
_EXPECTED: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "column": ("the name of a field in quotes", lambda value: isinstance(value, str) and bool(value.strip())),
    "threshold": ("a finite number", _is_number),
    "k": (
        f"a whole number from 1 to {GREATEST_K}",
        lambda value: _is_number(value) and value in range(1, GREATEST_K + 1),
    ),
    "quantile": ("a number from 0 to 1", lambda value: _is_number(value) and 0 <= value <= 1),
    "value": _VALUE,
    "class_name": _VALUE,
    "method": _one_of(*get_args(Average)),
    "gain": _one_of(*get_args(Gain)),
    "type": _one_of(*FIELD_TYPES),
}


def _expected(name: str, value: Argument) -> str | None:
    """Return the form of the values of a parameter; None if the value has it."""
    description, accepts = _EXPECTED[name]
    return None if accepts(value) else description
