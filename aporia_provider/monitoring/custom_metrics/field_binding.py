"""Checks of custom metrics against the fields of a model version."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from aporia_provider.monitoring.catalogue import CATALOGUE
from aporia_provider.monitoring.custom_metrics.call_parser import shown
from aporia_provider.monitoring.custom_metrics.code_faults import (
    MAX_FAULTS,
    CodeError,
    CustomMetricError,
    Fault,
)
from aporia_provider.monitoring.custom_metrics.code_parser import parse_metric
from aporia_provider.monitoring.custom_metrics.expression import Call, MetricExpression, PartialCall
from aporia_provider.monitoring.custom_metrics.metric_functions import (
    CODE_NAMES,
    FUNCTIONS,
    OF_ARRAYS,
    MetricFunction,
)
from aporia_provider.monitoring.segments import condition_faults, parse_condition
from aporia_provider.monitoring.segments.condition_nodes import Condition, ParsedParts
from aporia_provider.nearest import nearest

_LABELS = "labels."
_ACTUALS = "actuals."
_PREDICTIONS = "predictions."


def bind(
    expression: MetricExpression, fields: Mapping[str, str], model_type: str, labelled: Collection[str]
) -> MetricExpression:
    """
    Return an expression whose columns are the keys of fields.

    :param expression: The expression.
    :param fields: Types of the fields by key, such as ``features.age``. The keys of labels begin with
        ``labels.``. A type that depends on the data is empty.
    :param model_type: Type of the model, see :data:`~aporia_provider.schema.MODEL_TYPES`.
    :param labelled: Names of the predictions that have labels. A mapping has the columns of the labels as its
        values, which are other names of the labels.
    :raises CustomMetricError: if there are faults; all are listed.
    """
    version = _Version(fields, model_type, labelled)
    faults = version.all_faults(PartialCall(call, True) for call in expression.calls)
    if not expression.calls:
        faults.append((None, "the code calls no function, so its value does not depend on data"))
    if faults:
        raise CustomMetricError(faults)
    return replace(expression, calls=tuple(map(version.bound, expression.calls)))


def checked_metric(
    code: str, fields: Mapping[str, str], model_type: str, labelled: Collection[str]
) -> MetricExpression:
    """
    Return the expression of a code, whose columns are the keys of fields.

    :param code: The code, see :func:`parse_metric`.
    :param fields: See :func:`bind`, as for the other parameters.
    :raises CustomMetricError: if there are faults; all are listed, of the language and
        of the fields of the calls that can be parsed.
    """
    try:
        expression = parse_metric(code)
    except CustomMetricError as error:
        version = _Version(fields, model_type, labelled)
        raise CustomMetricError([*error.found, *version.all_faults(error.calls)]) from None
    return bind(expression, fields, model_type, labelled)


def metric_faults(
    expression: MetricExpression, fields: Mapping[str, str], model_type: str, labelled: Collection[str]
) -> list[str]:
    """Return the faults that :func:`bind` finds, with the same parameters."""
    try:
        bind(expression, fields, model_type, labelled)
    except CustomMetricError as error:
        return error.faults
    return []


@dataclass(frozen=True)
class _Version:
    fields: Mapping[str, str]
    model_type: str
    labelled: Collection[str]

    def all_faults(self, calls: Iterable[PartialCall]) -> list[Fault]:
        """Return the faults of calls, or the first ones, since finding similar names takes time."""
        return list(islice((fault for call in calls for fault in self.faults(call)), MAX_FAULTS + 1))

    def faults(self, partial: PartialCall) -> Iterator[Fault]:
        """Yield the faults of a call."""
        call = partial.call
        try:
            if partial.is_complete:
                self.bound(call)
            else:
                self._check_column(call)
        except CodeError as fault:
            yield fault.place, f"{call.text}: {fault.text}"
        conditions: list[Condition | ParsedParts] = [*partial.conditions]
        if call.filter is not None:
            conditions.append(parse_condition(call.filter))
        for condition in conditions:
            for text in self._filter_faults(condition):
                yield call.place, f"{call.text}: filter: {text}"

    def _check_column(self, call: Call) -> None:
        """Raise an error if the column of a call with other faults is wrong."""
        function, column = FUNCTIONS.get(call.function), call.parameters.get("column")
        if column is None:
            return
        if function is None:
            if str(column).removeprefix(_PREDICTIONS) not in self.labelled:
                self._field(call, str(column))
        elif function.group == "statistic":
            self.bound(call)
        elif function.group == "performance":
            self._of_prediction(call, function)

    def bound(self, call: Call) -> Call:
        """
        Return a call whose column is the key of a field.

        :raises CodeError: if there is no such field, or the metric is not for it.
        """
        function = FUNCTIONS[call.function]
        if function.group == "rows":
            return call
        if function.group == "performance":
            bound = self._of_prediction(call, function)
            self._check_parameters(call, function)
            return bound
        key, type_ = self._field(call, str(call.parameters["column"]))
        if not self._possible_types(type_).intersection(function.types):
            kind = type_ or f"a label of a {self.model_type} model"
            kinds = ", ".join(function.types)
            raise CodeError(call.place, f"{key} is {kind}, and {function.name} is for fields of type {kinds}")
        metric = OF_ARRAYS.get(call.metric, call.metric) if type_ == "array" else call.metric
        return replace(call.with_column(key), metric=metric)

    def _possible_types(self, type_: str) -> set[str]:
        """Return the types that a field may have. That of a label depends on the data."""
        if type_:
            return {type_}
        return {"numeric"} if self.model_type == "regression" else {"categorical", "array", "dict"}

    def _filter_faults(self, condition: Condition | ParsedParts) -> list[str]:
        """Return the faults of a filter. It selects rows of predictions, where labels are not known."""
        names = dict.fromkeys(field.name for field in condition.field_names())
        labels = [name for name in names if name.startswith((_LABELS, _ACTUALS))]
        if labels:
            return [f"{label} is a label; filters select predictions by their own fields" for label in labels]
        fields = {key: type_ for key, type_ in self.fields.items() if not key.startswith(_LABELS)}
        return condition_faults(condition, fields)

    def _field(self, call: Call, column: str) -> tuple[str, str]:
        """Return the key and the type of a field, or of a key of a dict (``features.scores[cat]``)."""
        for name, inner in _readings(column):
            keys = self._keys(name)
            if len(keys) > 1:
                raise CodeError(
                    call.place, f"{shown(name)!r} is the name of several fields: write {' or '.join(keys)}"
                )
            if keys and inner is None:
                return keys[0], self.fields[keys[0]]
            if keys and self.fields[keys[0]] in ("dict", ""):
                return f"{keys[0]}[{inner}]", "numeric"
        names = self.fields if "." in column else [key.partition(".")[2] for key in self.fields]
        raise CodeError(call.place, f"there is no field {shown(column)!r}; {nearest(column, names)}")

    def _keys(self, name: str) -> list[str]:
        if name.startswith(_ACTUALS):
            name = name.replace(_ACTUALS, _LABELS, 1)
        if name in self.fields:
            return [name]
        keys = [key for key in self.fields if key.partition(".")[2] == name]
        # A label has the name of its prediction, and requires its category.
        if plain := [key for key in keys if not key.startswith(_LABELS)]:
            return plain
        columns = self.labelled if isinstance(self.labelled, Mapping) else {}
        of_column = [f"{_LABELS}{prediction}" for prediction, column in columns.items() if column == name]
        return keys or [key for key in of_column if key in self.fields]

    def _of_prediction(self, call: Call, function: MetricFunction) -> Call:
        if self.model_type not in function.types:
            kinds = " and ".join(function.types)
            raise CodeError(call.place, f"{function.name} is for {kinds} models, not for {self.model_type}")
        names = list(self.labelled)
        column = call.parameters.get("column")
        if column is None:
            if len(names) != 1:
                raise CodeError(
                    call.place, f"column has to name a prediction with labels; {nearest('', names)}"
                )
            return call.with_column(names[0])
        name = str(column).removeprefix(_PREDICTIONS)
        if name not in names:
            raise CodeError(
                call.place, f"{shown(name)!r} is not a prediction with labels; {nearest(name, names)}"
            )
        type_ = self.fields.get(f"{_PREDICTIONS}{name}")
        if (self.model_type, function.metric, type_) == ("binary", "auc_roc", "boolean"):
            raise CodeError(call.place, f"{name} is boolean, and auc_roc is for numeric predictions")
        return call.with_column(name)

    def _check_parameters(self, call: Call, function: MetricFunction) -> None:
        known_parameters = set(_parameters(function.metric, self.model_type))
        unknown = [
            parameter for parameter in call.parameters if parameter not in ("column", *known_parameters)
        ]
        if unknown:
            names = " and ".join(CODE_NAMES.get(each, each) for each in unknown)
            of = f"{function.name} of {self.model_type} models"
            raise CodeError(call.place, f"{of} has no parameter {names}")
        # If there are several classes, a count of a cell is the count of a class.
        of_class = "class_name" in known_parameters and "average" not in known_parameters
        if of_class and "class_name" not in call.parameters:
            raise CodeError(call.place, f"{function.name} of {self.model_type} models requires class_name")


def _parameters(metric: str, model_type: str) -> Iterator[str]:
    for definition in CATALOGUE:
        if definition.name == metric and definition.kind == "performance" and model_type in definition.types:
            yield from definition.parameters


def _readings(column: str) -> Iterator[tuple[str, str | None]]:
    """Yield the splits of ``field[key]`` into a name and a key; the first one is the whole as a name."""
    yield column, None
    if column.endswith("]"):
        for place in reversed([place for place, letter in enumerate(column) if letter == "["]):
            yield column[:place], column[place + 1 : -1]
