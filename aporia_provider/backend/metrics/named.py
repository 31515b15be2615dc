"""The texts that a value of a query may stand for."""

from __future__ import annotations

import re

import pyarrow as pa

from aporia_provider.monitoring.performance.readings import class_name
from aporia_provider.monitoring.states import State
from aporia_provider.monitoring.texts import as_texts
from aporia_provider.monitoring.values import ValueState, shortened

# A text such as 00501 is no number: it would be taken for 501.
_NUMBER = re.compile(r"[+-]?(0|[1-9][0-9]{0,39})(\.[0-9]{1,39})?([eE][+-]?[0-9]{1,3})?")


def texts_of(value: str | float) -> list[str]:
    """
    The texts under which rows may have a value, in the order in which to look them up.

    Categories and classes are kept as text: true as ``true``, 3 and 3.0 as ``3``. The first text is the value
    as it was written, since a column of text may have ``True`` or ``3.0``. The others are what is kept of the
    boolean or number that it is or spells.

    :param value: Text, a boolean or a number.
    """
    meant = _meant(value) if isinstance(value, str) else value
    return list(dict.fromkeys([str(value), *_kept(meant)]))


def counted_as(value: str | float, state: State | None) -> str:
    """
    The text that a value is counted under.

    :param value: Text, a boolean or a number.
    :param state: State of the field; None if there are no rows.
    """
    texts = texts_of(value)
    counts = state.counts if isinstance(state, ValueState) else {}
    return next((text for text in texts if text in counts or shortened(text) in counts), texts[-1])


def _meant(text: str) -> str | float:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if _NUMBER.fullmatch(text):
        return float(text) if re.search("[.eE]", text) else int(text)
    return text


def _kept(value: str | float) -> list[str]:
    # Floats are kept in one form as values of fields and in another as classes, such as 1e-7 and 1e-07.
    fields = as_texts(pa.array([value])).to_pylist() if isinstance(value, float) else []
    name = class_name(value)
    return fields if name is None else [*fields, name]
