"""Parts of states: samples of what is too much to be kept, and their way through JSON."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aporia_provider.monitoring.bins.field_bins import NumericBins
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.states.row_state import RowState
from aporia_provider.monitoring.states.sketches import (
    CAPACITY,
    HASHES,
    SAMPLE,
    HashSample,
    ValueSample,
)
from aporia_provider.monitoring.states.state import State, read_state
from aporia_provider.monitoring.states.text_hashes import text_hashes
from aporia_provider.monitoring.states.value_state import ValueState
from aporia_provider.monitoring.states.value_tail import TAIL, Tail, cell
from aporia_provider.monitoring.states.vector_state import VectorState
from tests.monitoring.ids import hashes
from tests.sizes import sized

OF_TEXTS = [
    0,
    -1257582163658545725,
    -2572574369851497724,
    4559335967445974362,
    6401719148330793370,
    -2152535657050944081,
    7918179258587037544,
    8473715437158784460,
]


def stored(content: Any) -> Any:
    return json.loads(json.dumps(content))


class TestJson:
    @pytest.mark.parametrize("cls", [NumericState, RowState, ValueState, VectorState])
    def test_nothing(self, cls: type[State]) -> None:
        nothing = cls()
        assert nothing.to_json() == {"kind": cls.kind}
        assert read_state(stored(nothing.to_json())) == nothing
        assert nothing + nothing == nothing

    def test_all_parts(self) -> None:
        state = NumericState(
            rows=2**70,
            nulls=1,
            nans=2,
            least=-0.1,
            greatest=1.7976931348623157e308,
            negative_sum=Fraction(-1, 3),
            positive_sum=Fraction(2**1100, 7),
            counts=(0, 5, 0),
        )
        read = read_state(stored(state.to_json()))
        assert read == state
        assert type(read) is NumericState
        assert isinstance(read.counts, tuple)

    def test_other_kinds_are_not_added(self) -> None:
        with pytest.raises(TypeError):
            NumericState() + ValueState()  # type: ignore[operator]

    def test_bins_that_differ_are_not_added(self) -> None:
        with pytest.raises(ValueError, match="2 and of 3 bins"):
            NumericState(counts=(1, 2)) + NumericState(counts=(1, 2, 3))


class TestIds:
    @given(st.lists(st.integers(0, 400), max_size=300), st.integers(0, 300))
    def test_exact_below_the_capacity(self, ids: list[int], cut: int) -> None:
        sample = HashSample.of(hashes(ids[:cut])) + HashSample.of(hashes(ids[cut:]))
        assert sample == HashSample.of(hashes(ids))
        assert sample.level == 0
        assert sample.duplicates == len(ids) - len(set(ids))
        assert HASHES.load(stored(HASHES.dump(sample))) == sample

    def test_exact_at_the_capacity(self) -> None:
        ids = [*range(CAPACITY), 7]
        assert HashSample.of(hashes(ids)).level == 0
        assert HashSample.of(hashes(ids)).duplicates == 1
        assert HashSample.of(hashes([*ids, CAPACITY])).level == 1

    @settings(max_examples=sized(6, 25))
    @given(st.integers(0, 2**32), st.lists(st.integers(0, 20_000), max_size=5))
    def test_order_and_split_do_not_matter_above_it(self, seed: int, cuts: list[int]) -> None:
        rng = np.random.default_rng(seed)
        given_ = hashes(rng.integers(0, 8_000, 20_000))
        bounds = [0, *sorted(cuts), len(given_)]
        mixed = rng.permutation(given_)
        parts = [HashSample.of(mixed[a:b]) for a, b in itertools.pairwise(bounds)]
        added = sum(parts[1:], parts[0])
        assert added == HashSample.of(given_)
        assert len(added.hashes) <= CAPACITY

    def test_the_sample_is_exact(self) -> None:
        given_ = hashes(np.random.default_rng(3).integers(0, 9_000, 30_000))
        sample = HashSample.of(given_)
        counted = Counter(given_.tolist())
        assert sample.level == 3
        assert dict(zip(sample.hashes, sample.counts, strict=True)) == {
            id_: count for id_, count in counted.items() if id_ % 8 == 0
        }

    @pytest.mark.slow
    def test_estimates_are_as_good_as_they_can_be(self) -> None:
        """Each pair of equal ids is in the sample with the chance of the level."""
        pairs, errors = 4_000, []
        for seed in range(60):
            singles = np.arange(pairs, 10_000)
            sample = HashSample.of(hashes([*range(pairs), *range(pairs), *singles], seed * 7919))
            deviation = math.sqrt(pairs * (2**sample.level - 1))
            assert math.sqrt(sample.duplicates_variance) == pytest.approx(deviation, rel=0.15)
            errors.append((sample.duplicates - pairs) / deviation)
        assert max(map(abs, errors)) < 3.5
        assert abs(np.mean(errors)) < 3 / math.sqrt(len(errors))


def _texts(count: int, seed: int) -> list[str]:
    return [f"{seed}-{number}" for number in range(count)]


class TestTexts:
    @pytest.mark.slow
    @given(st.dictionaries(st.text(max_size=4), st.integers(1, 5), max_size=60))
    def test_exact_below_the_capacity(self, counts: dict[str, int]) -> None:
        sample = ValueSample.of(counts)
        assert (sample.level, sample.counts) == (0, counts)
        assert SAMPLE.load(stored(SAMPLE.dump(sample))) == sample

    def test_exact_at_the_capacity(self) -> None:
        full = dict.fromkeys(_texts(CAPACITY, 0), 3)
        assert ValueSample.of(full).level == 0
        assert (ValueSample.of(full) + ValueSample.of(full)).counts == dict.fromkeys(full, 6)
        assert (ValueSample.of(full) + ValueSample.of({"one more": 1})).level > 0

    @pytest.mark.slow
    @settings(max_examples=sized(10, 40))
    @given(st.integers(0, 2**32), st.lists(st.integers(0, 2_000), max_size=4))
    def test_order_and_split_do_not_matter_above_it(self, seed: int, cuts: list[int]) -> None:
        drawn = [f"t{number}" for number in np.random.default_rng(seed).zipf(1.3, 2_000) % 5_000]
        bounds = [0, *sorted(cuts), len(drawn)]
        parts = [ValueSample.of(Counter(drawn[a:b])) for a, b in itertools.pairwise(bounds)]
        whole, counted = ValueSample.of(Counter(drawn)), Counter(drawn)
        for order in (parts, parts[::-1]):
            added = sum(order[1:], order[0])
            assert added == whole
            assert json.dumps(SAMPLE.dump(added)) == json.dumps(SAMPLE.dump(whole))
        assert len(whole.counts) <= CAPACITY
        assert {text: counted[text] for text in whole.counts} == whole.counts
        assert list(SAMPLE.dump(whole)["counts"]) == sorted(whole.counts)


def _tail(drawn: Sequence[str]) -> Tail:
    counts = Counter(drawn)
    return Tail.of(text_hashes(list(counts)), np.array(list(counts.values()), dtype=np.int64))


class TestTails:
    def test_few_values_are_all_known(self) -> None:
        tail = _tail(["a", "b", "a"])
        assert (tail.sample.level, tail.cells, tail.rows) == (0, (), 3)
        assert dict(zip(tail.sample.hashes, tail.sample.counts, strict=True)) == dict(
            zip(text_hashes(["a", "b"]).tolist(), (2, 1), strict=True)
        )
        assert (tail.bins(16).sum(), tail.bins(2048)[cell(text_hashes(["a", "b"]))].tolist()) == (3, [2, 1])
        assert Tail().bins(256).tolist() == [0] * 256

    @pytest.mark.slow
    @settings(max_examples=sized(6, 25))
    @given(st.integers(0, 2**32), st.lists(st.integers(0, 6_000), max_size=4), st.sampled_from([500, 9_000]))
    def test_order_and_split_do_not_matter(self, seed: int, cuts: list[int], distinct: int) -> None:
        drawn = [f"t{number}" for number in np.random.default_rng(seed).integers(0, distinct, 6_000)]
        bounds = [0, *sorted(cuts), len(drawn)]
        parts, whole = [_tail(drawn[a:b]) for a, b in itertools.pairwise(bounds)], _tail(drawn)
        for order in (parts, parts[::-1]):
            added = sum(order[1:], order[0])
            assert added == whole
            assert TAIL.load(stored(TAIL.dump(added))) == whole
        cells = Counter((text_hashes(drawn).view(np.uint64) >> np.uint64(53)).tolist())
        assert whole.bins(2048).tolist() == [cells[cell] for cell in range(2048)]
        assert whole.rows == 6_000
        assert bool(whole.cells) is (whole.sample.level > 0) is (distinct > 2_048)

    @pytest.mark.slow
    def test_errors_of_numbers_of_distinct_values(self) -> None:
        count, errors = 6_000, []
        for seed in range(200):
            sample = _tail(_texts(count, seed)).sample
            errors.append((sample.distinct - count) / sample.distinct_error)
        # Standard errors of the mean and of the variance of a normal variable.
        assert abs(np.mean(errors)) < 4 / math.sqrt(len(errors))
        assert abs(np.var(errors) - 1) < 4 * math.sqrt(2 / len(errors))
        assert _tail(_texts(2_048, 0)).sample.distinct_error == 0


class TestHashes:
    @pytest.mark.slow
    @given(st.lists(st.text(max_size=5), max_size=20))
    def test_a_text_has_one_hash_wherever_it_stands(self, texts: list[str]) -> None:
        together = text_hashes(texts).tolist()
        assert together == [text_hashes([text])[0] for text in texts]

    def test_they_are_what_they_were(self) -> None:
        """Samples in a database were chosen by them."""
        texts = ["", "a", "b", "ab", "ba", "\x00", "é", "x" * 300]
        assert text_hashes(texts).tolist() == OF_TEXTS

    def test_texts_that_differ_have_hashes_that_differ(self) -> None:
        texts: Sequence[str] = [
            *(str(n) for n in range(50_000)),
            *("\x00" * n for n in range(50)),
            "ab",
            "ba",
        ]
        found = text_hashes(texts)
        assert len(np.unique(found)) == len(texts)
        shares = [float(((found >> bit) & 1).mean()) for bit in range(64)]
        # Four standard deviations of a fair coin.
        assert max(abs(share - 0.5) for share in shares) < 4 * 0.5 / math.sqrt(len(texts))


def test_a_negative_zero_is_at_an_edge_that_is_zero() -> None:
    """As in the negation of a column whose minimum is 0."""
    bins = NumericBins((-2.0, -1.0, 0.0), (), -1.0)
    found = NumericState.of(np.array([-0.0, -1.0, 0.0]), 0, bins)
    assert (found.above, found.counts) == (0, (0, 0, 1, 2))
