"""Resolution of a requested metric to the stored states it is computed from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aporia_provider.backend.metrics.stored_states import VersionStates
from aporia_provider.backend.registration.profile_plans import has_performance_metrics
from aporia_provider.backend.store.sync_tables import PERFORMANCE
from aporia_provider.errors import ValidationError
from aporia_provider.metrics import Metric
from aporia_provider.monitoring.catalogue import metric_kinds
from aporia_provider.monitoring.profiles.plan import ROWS
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.states.state import State
from aporia_provider.monitoring.states.value_state import shortened
from aporia_provider.monitoring.statistics.row_metrics import ROW_METRICS
from aporia_provider.nearest import nearest
from aporia_provider.schema import VersionSchema


@dataclass(frozen=True)
class StateSelector:
    """
    The states that a metric is computed from.

    :param key: Key that the states are stored under.
    :param type: Type of the field; None for metrics of rows, empty where it depends on the states.
    :param performance: Whether the states compare a prediction with its labels.
    """

    key: str
    type: str | None
    performance: bool = False

    def type_of(self, state: State) -> str:
        """Return the type of the field, derived from its state if the type is not declared."""
        return self.type or ("numeric" if isinstance(state, NumericState) else "categorical")


def select_states(metric: Metric, version: VersionStates) -> StateSelector:
    """
    Return the states that a metric is computed from.

    :raises aporia_provider.errors.ValidationError: if the metric does not exist, or its column is missing,
        unknown or ambiguous.
    """
    name, column, schema = metric.metric, metric.parameters.column, version.schema
    kinds = metric_kinds(name, schema.model_type)
    if kinds & {"performance", "expected"}:
        return StateSelector(f"{PERFORMANCE}.{_prediction(column, schema)}", "", performance=True)
    if column is None:
        if "rows" not in kinds:
            names = ", ".join(each.name for each in ROW_METRICS)
            raise ValidationError(f"Metric {name!r} requires a column; metrics without a column: {names}")
        return StateSelector(ROWS, None)
    return _field(column, version)


def _prediction(column: str | None, schema: VersionSchema) -> str:
    names = [name for name in schema.predictions if has_performance_metrics(schema, name)]
    if not names:
        raise ValidationError(f"No prediction has a type with metrics for {schema.model_type} models")
    if column is None and len(names) > 1:
        raise ValidationError(f"The version has several predictions; set column to one of {', '.join(names)}")
    name = names[0] if column is None else column.removeprefix("predictions.")
    if name not in names:
        raise ValidationError(f"There is no prediction {name!r}; {nearest(name, names)}")
    return name


def _field(column: str, version: VersionStates) -> StateSelector:
    types = version.field_types
    for plain, inner in _readings(column):
        declared = _declared(version.fields_named(plain))
        if len(declared) > 1:
            raise ValidationError(f"{column!r} is the name of several fields: write {' or '.join(declared)}")
        if declared:
            key = declared[0]
            if inner is None:
                return StateSelector(key, types[key])
            if types[key] not in ("dict", ""):
                raise ValidationError(f"{column!r} names a key of a dict, but {plain!r} is {types[key]}")
            return StateSelector(f"{key}[{shortened(inner)}]", "numeric")
    names = types if "." in plain else [key.partition(".")[2] for key in types]
    raise ValidationError(f"There is no field {plain!r}; {nearest(plain, names)}")


def _readings(column: str) -> Iterator[tuple[str, str | None]]:
    """
    Yield each split of a column such as ``field[key]`` into the name of a field and a key, or None.

    Names of fields may contain brackets, so the splits with longer names come first.
    """
    yield column, None
    if column.endswith("]"):
        for place in reversed([place for place, letter in enumerate(column) if letter == "["]):
            yield column[:place], column[place + 1 : -1]


def _declared(matching: Sequence[str]) -> Sequence[str]:
    # A label has the same name as its prediction, and requires the qualified name.
    return [key for key in matching if not key.startswith("labels.")] or matching
