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

from aporia_provider.monitoring.distinct import (
    ID_CAPACITY,
    IDS,
    SAMPLE,
    VALUE_CAPACITY,
    IdSample,
    ValueSample,
)
from aporia_provider.monitoring.hashing import text_hashes
from aporia_provider.monitoring.numbers import NumericState
from aporia_provider.monitoring.rows import RowState
from aporia_provider.monitoring.states import State, read_state
from aporia_provider.monitoring.values import ValueState
from aporia_provider.monitoring.vectors import VectorState

HASHES = [
    0,
    -1257582163658545725,
    -2572574369851497724,
    4559335967445974362,
    6401719148330793370,
    -2152535657050944081,
    7918179258587037544,
    8473715437158784460,
]


def hashes(ids: Any, seed: int = 0) -> Any:
    """64-bit hashes of small numbers, all different."""
    mixed = np.asarray(ids, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
    mixed = (mixed ^ (mixed >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
    return (mixed ^ (mixed >> np.uint64(29))).view(np.int64)


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
        sample = IdSample.of(hashes(ids[:cut])) + IdSample.of(hashes(ids[cut:]))
        assert sample == IdSample.of(hashes(ids))
        assert sample.level == 0
        assert sample.duplicates == len(ids) - len(set(ids))
        assert IDS.load(stored(IDS.dump(sample))) == sample

    def test_exact_at_the_capacity(self) -> None:
        ids = [*range(ID_CAPACITY), 7]
        assert IdSample.of(hashes(ids)).level == 0
        assert IdSample.of(hashes(ids)).duplicates == 1
        assert IdSample.of(hashes([*ids, ID_CAPACITY])).level == 1

    @settings(max_examples=25)
    @given(st.integers(0, 2**32), st.lists(st.integers(0, 20_000), max_size=5))
    def test_order_and_split_do_not_matter_above_it(self, seed: int, cuts: list[int]) -> None:
        rng = np.random.default_rng(seed)
        given_ = hashes(rng.integers(0, 8_000, 20_000))
        bounds = [0, *sorted(cuts), len(given_)]
        mixed = rng.permutation(given_)
        parts = [IdSample.of(mixed[a:b]) for a, b in itertools.pairwise(bounds)]
        added = sum(parts[1:], parts[0])
        assert added == IdSample.of(given_)
        assert len(added.hashes) <= ID_CAPACITY

    def test_the_sample_is_exact(self) -> None:
        given_ = hashes(np.random.default_rng(3).integers(0, 9_000, 30_000))
        sample = IdSample.of(given_)
        counted = Counter(given_.tolist())
        assert sample.level == 4
        assert dict(zip(sample.hashes, sample.counts, strict=True)) == {
            id_: count for id_, count in counted.items() if id_ % 16 == 0
        }

    def test_estimates_are_as_good_as_they_can_be(self) -> None:
        """Each pair of equal ids is in the sample with the chance of the level."""
        pairs, errors = 4_000, []
        for seed in range(60):
            singles = np.arange(pairs, 10_000)
            sample = IdSample.of(hashes([*range(pairs), *range(pairs), *singles], seed * 7919))
            deviation = math.sqrt(pairs * (2**sample.level - 1))
            errors.append((sample.duplicates - pairs) / deviation)
        assert max(map(abs, errors)) < 3.5
        assert abs(np.mean(errors)) < 3 / math.sqrt(len(errors))


def _texts(count: int, seed: int) -> list[str]:
    return [f"{seed}-{number}" for number in range(count)]


class TestTexts:
    @given(st.dictionaries(st.text(max_size=4), st.integers(1, 5), max_size=60))
    def test_exact_below_the_capacity(self, counts: dict[str, int]) -> None:
        sample = ValueSample.of(counts)
        assert (sample.level, sample.counts, sample.distinct) == (0, counts, len(counts))
        assert SAMPLE.load(stored(SAMPLE.dump(sample))) == sample

    def test_exact_at_the_capacity(self) -> None:
        full = dict.fromkeys(_texts(VALUE_CAPACITY, 0), 3)
        assert ValueSample.of(full).level == 0
        assert (ValueSample.of(full) + ValueSample.of(full)).counts == dict.fromkeys(full, 6)
        assert (ValueSample.of(full) + ValueSample.of({"one more": 1})).level > 0

    @settings(max_examples=40)
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
        assert len(whole.counts) <= VALUE_CAPACITY
        assert {text: counted[text] for text in whole.counts} == whole.counts
        assert list(SAMPLE.dump(whole)["counts"]) == sorted(whole.counts)

    def test_estimates_are_as_good_as_they_can_be(self) -> None:
        count, errors = 6_000, []
        for seed in range(60):
            sample = ValueSample.of(dict.fromkeys(_texts(count, seed), 1))
            errors.append((sample.distinct - count) / math.sqrt(count * (2**sample.level - 1)))
        assert max(map(abs, errors)) < 3.5
        assert abs(np.mean(errors)) < 3 / math.sqrt(len(errors))


class TestHashes:
    @given(st.lists(st.text(max_size=5), max_size=20))
    def test_a_text_has_one_hash_wherever_it_stands(self, texts: list[str]) -> None:
        together = text_hashes(texts).tolist()
        assert together == [text_hashes([text])[0] for text in texts]

    def test_they_are_what_they_were(self) -> None:
        """Samples in a database were chosen by them."""
        texts = ["", "a", "b", "ab", "ba", "\x00", "é", "x" * 300]
        assert text_hashes(texts).tolist() == HASHES

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
