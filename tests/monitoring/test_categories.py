"""Histograms of categories brought to the same bins."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from scipy.stats import chi2

from aporia_provider.monitoring.drift.category_histograms import (
    CategoryHistogram,
    bins_for,
    frequent_ones,
    hashed,
    listed_by_both,
    one_by_one,
)
from aporia_provider.monitoring.states.text_hashes import text_hashes
from aporia_provider.monitoring.states.value_tail import Tail

pytestmark = pytest.mark.slow


def tail(counts: Mapping[str, int]) -> Tail:
    return Tail.of(text_hashes(list(counts)), np.array(list(counts.values()), dtype=np.int64))


def numbered(first: int, last: int, count: int = 1) -> dict[str, int]:
    return {f"{number:04}": count for number in range(first, last)}


def pairs(baseline: CategoryHistogram, current: CategoryHistogram) -> list[tuple[float, float]] | None:
    found = one_by_one(baseline, current)
    return None if found is None else sorted(zip(*(side.tolist() for side in found), strict=True))


class TestOneByOne:
    def test_listed_or_not_a_category_is_one(self) -> None:
        one = CategoryHistogram({"b": 1, "a": 2}, tail({"x": 6}))
        other = CategoryHistogram({"x": 5, "a": 3}, tail({"c": 4}))
        assert pairs(one, other) == [(0, 4), (1, 0), (2, 3), (6, 5)]

    def test_there_are_none(self) -> None:
        assert pairs(CategoryHistogram(), CategoryHistogram({"a": 0})) == []

    def test_at_most_512(self) -> None:
        one = CategoryHistogram(numbered(0, 200), tail(numbered(200, 400)))
        assert len(pairs(one, CategoryHistogram({}, tail(numbered(300, 512)))) or []) == 512
        assert pairs(one, CategoryHistogram(numbered(300, 513))) is None

    def test_not_if_some_were_not_kept(self) -> None:
        many = CategoryHistogram({}, tail(numbered(0, 5_000)))
        assert pairs(CategoryHistogram({"a": 1}), many) is None
        assert pairs(many, CategoryHistogram({"a": 1})) is None


class TestFrequentOnes:
    def test_all_of_a_list_that_has_all(self) -> None:
        assert frequent_ones(CategoryHistogram(numbered(0, 256))) == list(numbered(0, 256))
        assert frequent_ones(CategoryHistogram({"a": 1, "b": 0}, tail({"c": 9}))) == ["a", "b"]

    def test_of_more_those_that_are_not_there_by_chance(self) -> None:
        listed = numbered(0, 254, 10) | {"two": 200, "one": 99}
        assert frequent_ones(CategoryHistogram(listed, tail({"x": 10_000 - 2_540 - 299}))) == ["two"]
        # One percent of few values is no more than chance may make of any.
        few = numbered(0, 254, 1) | {"two": 50, "one": 49}
        assert frequent_ones(CategoryHistogram(few, tail({"x": 100}))) == ["two"]


class TestHashed:
    def test_every_value_is_counted_once_in_the_same_bin_on_both_sides(self) -> None:
        one = CategoryHistogram({"a": 5, "b": 3}, tail(numbered(0, 3_000, 2)))
        other = CategoryHistogram({"a": 0, "b": 7}, tail(numbered(0, 3_000)))
        left, right = hashed(one, other, ["a"])
        assert (left[0], right[0], len(left)) == (5, 0, 257)
        assert (left.sum(), right.sum()) == (6_008, 3_007)
        bins = text_hashes(["b"]).view(np.uint64) >> np.uint64(56)
        expected = np.zeros(256)
        expected[bins] = 3 - 2 * 7
        np.testing.assert_array_equal(left[1:] - 2 * right[1:], expected)

    @pytest.mark.parametrize(
        ("samples", "own", "expected"),
        [
            (10, 0, 16),
            (200, 0, 32),
            (200, 8, 32),
            (200, 9, 16),
            (1_279, 0, 128),
            (1_280, 0, 256),
            (10**6, 9, 256),
        ],
    )
    def test_there_are_as_many_bins_as_values_suffice_for(
        self, samples: int, own: int, expected: int
    ) -> None:
        assert bins_for(samples, own) == expected

    def test_a_category_that_one_side_does_not_list_is_not_listed_by_the_other(self) -> None:
        many = numbered(0, 3_000)
        one, other = listed_by_both(
            CategoryHistogram({"a": 5, "b": 3}, tail(many)),
            CategoryHistogram({"b": 7}, tail(many | {"a": 4})),
        )
        assert (one.counts, other.counts) == ({"b": 3}, {"b": 7})
        assert (one.tail.rows, other.tail.rows) == (3_005, 3_004)
        assert one.tail.bins(2048).sum() == 3_005
        assert (one.tail.bins(2048) - other.tail.bins(2048)).max() == 1


@pytest.mark.parametrize(("distinct", "power"), [(257, 0), (300, 0), (1_000, 0.0), (1_000, 1.0), (400, 0.7)])
def test_the_list_does_not_choose_what_is_different(distinct: int, power: float) -> None:
    """
    The statistic of two samples of one distribution, in which the list was made from one of them, has the
    mean and the variance of the chi-squared distribution.
    """
    rng = np.random.default_rng(distinct)
    shares = np.arange(1, distinct + 1.0) ** -power
    names, shares = np.array(list(numbered(0, distinct))), shares / shares.sum()
    p_values = []
    for _ in range(200):
        one, other = rng.multinomial(20_000, shares), rng.multinomial(5_000, shares)
        most = np.argsort(-one, kind="stable")
        listed, rest = most[:256], most[256:]
        sides = [
            CategoryHistogram(
                dict(zip(names[listed].tolist(), side[listed].tolist(), strict=True)),
                tail({names[i]: int(side[i]) for i in rest if side[i]}),
            )
            for side in (one, other)
        ]
        left, right = hashed(*sides, frequent_ones(sides[0]))
        used = left + right >= 20
        left, right = (np.append(side[used], side[~used].sum()) for side in (left, right))
        pooled = (left + right) / (left + right).sum()
        statistic = ((left - 20_000 * pooled) ** 2 / np.maximum(20_000 * pooled, 1e-9)).sum()
        statistic += ((right - 5_000 * pooled) ** 2 / np.maximum(5_000 * pooled, 1e-9)).sum()
        p_values.append(chi2.sf(statistic, (pooled > 0).sum() - 1))
    # Four standard errors of the mean of a uniform variable.
    assert abs(np.mean(p_values) - 0.5) < 4 * np.sqrt(1 / 12 / len(p_values))
    assert min(p_values) > 1e-5
