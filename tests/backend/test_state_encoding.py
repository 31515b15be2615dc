"""The binary form of states."""

from __future__ import annotations

import json
import struct
import zlib
from fractions import Fraction
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aporia_provider.backend.store.state_encoding import (
    MAX_BYTES,
    decode_state,
    decode_states,
    encode_state,
    encode_states,
)
from aporia_provider.monitoring.bins.field_bins import CategoryBins, NumericBins
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.states.row_state import RowState
from aporia_provider.monitoring.states.state import State
from aporia_provider.monitoring.states.value_state import ValueState
from aporia_provider.monitoring.states.vector_state import VectorBins, VectorState
from tests.sizes import sized

INTEGERS = st.one_of(st.integers(0, 300), st.integers(-(2**80), 2**80))
FLOATS = st.one_of(st.none(), st.integers(0, 2**40), st.floats(allow_nan=False))
FRACTIONS = st.one_of(
    st.fractions(),
    st.floats(allow_nan=False, allow_infinity=False).map(Fraction),
    st.integers(-(2**2200), 2**2200).map(lambda number: Fraction(number, 2**1074)),
)
COUNTS = st.one_of(
    st.lists(st.integers(0, 3), max_size=300),
    st.lists(INTEGERS, max_size=20),
    st.lists(st.integers(0, 2**63 - 1)),
).map(tuple)


@st.composite
def numeric(draw: st.DrawFn) -> State:
    names = ("rows", "nulls", "nans", "positive_infinities", "negative_infinities", "zeros")
    sums = ("negative_sum", "positive_sum", "squares", "below", "above")
    return NumericState(
        **{name: draw(INTEGERS) for name in names},
        **{name: draw(FRACTIONS) for name in sums},
        least=draw(FLOATS),
        greatest=draw(FLOATS),
        counts=draw(COUNTS),
    )


@st.composite
def values(draw: st.DrawFn) -> State:
    counts = draw(st.dictionaries(st.text(max_size=3), st.integers(1, 2**40), max_size=30))
    many = {f"{number:x}": 1 for number in range(draw(st.sampled_from([0, 300, 3_000])))}
    bins = draw(st.sampled_from([None, CategoryBins(("a", "b", ""))]))
    state = ValueState.of({**many, **counts}, draw(st.integers(0, 9)), 1, bins)
    return state.settled() if draw(st.booleans()) else state


@st.composite
def vectors(draw: st.DrawFn) -> State:
    numbers = draw(st.lists(st.floats(-1e300, 1e300), max_size=8))
    array = np.array(numbers[: len(numbers) // 2 * 2], dtype=np.float64)
    lengths = np.full(len(array) // 2, 2)
    norm = NumericBins.of(np.abs(array)) if draw(st.booleans()) and len(array) else None
    return VectorState.of(array, lengths, 1, VectorBins(2, norm))


@st.composite
def ids(draw: st.DrawFn) -> State:
    hashes = draw(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=30)) * draw(st.integers(1, 3))
    many = np.random.default_rng(draw(st.integers(0, 9))).integers(
        -(2**63), 2**63, draw(st.sampled_from([0, 5_000]))
    )
    state = RowState.of(np.concatenate([np.array(hashes, dtype=np.int64), many]), 2)
    return state.settled() if draw(st.booleans()) else state


STATES = st.one_of(numeric(), values(), vectors(), ids())


@pytest.mark.slow
@settings(max_examples=sized(15, 60), deadline=None)
@given(st.lists(STATES, min_size=1, max_size=4))
def test_states_are_read_as_they_were_to_the_last_bit(states: list[State]) -> None:
    offsets, read = decode_states(encode_states(range(len(states)), states))
    assert offsets == list(range(len(states)))
    for one, other in zip([*read, decode_state(encode_state(states[0]))], [*states, states[0]], strict=True):
        assert type(one) is type(other)
        # The attributes that were not read yet are written as they are.
        again = decode_state(encode_state(one))
        assert one == other == again
        assert one.to_json() == other.to_json() == again.to_json()
        assert one + type(one)() == other


def test_types_of_attributes_are_those_of_the_classes() -> None:
    state = NumericState(rows=2**70, least=1, greatest=1.5, counts=(1, 2), squares=Fraction(1, 3))
    read = decode_state(encode_state(state))
    assert isinstance(read, NumericState)
    for name, value in vars(state).items():
        assert type(getattr(read, name)) is type(value), name
    with pytest.raises(AttributeError, match="'NumericState' object has no attribute 'median'"):
        read.median  # type: ignore[attr-defined] # noqa: B018


@given(st.data())
def test_bytes_that_have_changed_are_refused(data: st.DataObject) -> None:
    encoded = bytearray(encode_state(NumericState(rows=3, counts=tuple(range(50)))))
    place = data.draw(st.integers(0, len(encoded) - 1))
    encoded[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ValueError, match=r"damaged|format|limit"):
        decode_state(bytes(encoded))
    with pytest.raises(ValueError, match=r"damaged|format|limit|incomplete"):
        decode_state(bytes(encoded[:place]))


def encoded(value: Any, version: int = 1, length: int | None = None) -> bytes:
    """The binary form of anything, as the format defines it."""
    content = msgspec.msgpack.encode(value)
    header = struct.pack("<BII", version, zlib.crc32(content), len(content) if length is None else length)
    return header + bytes(pa.Codec("zstd").compress(content))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "incomplete"),
        (encoded({"kind": "numeric"}, version=2), "format is 2, and this version reads format 1"),
        (
            encoded({"kind": "numeric"}, length=MAX_BYTES + 1),
            "268,435,457 bytes, and 268,435,456 is the limit",
        ),
        (encoded({"kind": "numeric"}, length=99), "damaged"),
        (encoded({"kind": "another"}), "kind is unknown"),
        (encoded(7), "not one state"),
    ],
)
def test_what_is_no_state_is_refused(data: bytes, message: str) -> None:
    assert decode_state(encoded({"kind": "numeric", "rows": 3})) == NumericState(rows=3)
    with pytest.raises(ValueError, match=message):
        decode_state(data)


@pytest.mark.parametrize("value", [7, [[1], []], [["a"], [{"kind": "rows"}]], [[1], [7]], [[0], {"kind": 1}]])
def test_what_is_no_list_of_states_is_refused(value: Any) -> None:
    assert decode_states(encoded([[0], [{"kind": "rows", "rows": 3}]])) == ([0], [RowState(rows=3)])
    with pytest.raises(ValueError, match=r"list of states|one bucket each|kind is unknown|not one state"):
        decode_states(encoded(value))


@pytest.mark.slow
def test_states_take_a_fraction_of_their_json() -> None:
    """Few values are in a bucket compared with its bins; of many, random counts have to be stored."""
    rng = np.random.default_rng(1)
    bins = NumericBins.of(rng.normal(size=20_000))
    for rows, ratio in ((50, 9), (70_000, 5)):
        states = [NumericState.of(rng.normal(size=rows), 0, bins) for _ in range(31)]
        text = sum(len(json.dumps(state.to_json())) for state in states)
        assert text / len(encode_states(range(31), states)) > ratio
