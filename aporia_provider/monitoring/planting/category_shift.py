"""Values of a field with categories that are replaced by another value."""

from __future__ import annotations

from dataclasses import replace

from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.bins.field_bins import CategoryBins
from aporia_provider.monitoring.planting.proportions import taken
from aporia_provider.monitoring.states.value_state import ValueState

NEW_VALUE = "(planted value)"


def rarest(state: ValueState, bins: CategoryBins) -> str:
    """Return the category with a bin that occurs least often."""
    return min(bins.values, key=lambda value: (state.known.get(value, 0), value), default=NEW_VALUE)


def replaced(state: ValueState, bins: CategoryBins | None, share: float, value: str) -> ValueState:
    """
    Return the state of values after a share of them was replaced by one value.

    The replaced values are taken from the categories that have bins, in proportion to their counts.

    :param state: State of the values.
    :param bins: Bins of the field.
    :param share: Share of all values.
    :param value: The value.
    :raises aporia_provider.errors.ValidationError: if there are too few values in categories with bins.
    """
    number = round(share * state.count)
    others = {name: count for name, count in state.known.items() if name != value}
    if number > sum(others.values()):
        raise ValidationError(f"fewer than {number} values are in categories that have bins")
    if not number:
        return state
    gone = dict(zip(others, taken(list(others.values()), number), strict=True))
    remaining = {name: count - gone.get(name, 0) for name, count in state.known.items()}
    length = state.length - sum(len(name) * count for name, count in gone.items())
    kept = replace(
        state, known={name: count for name, count in remaining.items() if count}, length=max(length, 0)
    )
    return kept + ValueState.of({value: number}, 0, 0, bins)
