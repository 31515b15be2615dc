"""Histograms of categories brought to the same ones."""

from __future__ import annotations

from aporia_provider.monitoring.categories import CategoryHistogram, aligned


def pairs(baseline: CategoryHistogram, current: CategoryHistogram) -> list[tuple[float, float]]:
    one, other = aligned(baseline, current)
    return list(zip(one.tolist(), other.tolist(), strict=True))


def numbered(first: int, last: int, count: int = 1) -> dict[str, int]:
    return {f"{number:04}": count for number in range(first, last)}


def test_few_categories_are_each_one() -> None:
    found = pairs(CategoryHistogram({"b": 1, "a": 2}), CategoryHistogram({"c": 4, "a": 3}))
    assert found == [(2, 3), (1, 0), (0, 4)]


def test_no_categories() -> None:
    assert pairs(CategoryHistogram(), CategoryHistogram()) == []


def test_category_the_baseline_lacks_may_be_listed_as_zero() -> None:
    assert pairs(CategoryHistogram({"a": 1, "b": 0}), CategoryHistogram({"b": 5}, unlisted=1)) == [
        (1, 0), (0, 0), (0, 6),
    ]  # fmt: skip


def test_512_categories_are_each_one() -> None:
    assert len(pairs(CategoryHistogram(numbered(0, 400)), CategoryHistogram(numbered(300, 512)))) == 512


def test_of_more_the_baselines_most_frequent_are() -> None:
    baseline = numbered(0, 100) | numbered(100, 356, 9)
    found = pairs(CategoryHistogram(baseline), CategoryHistogram(numbered(90, 513, 2)))
    assert found[:256] == [(9, 2)] * 256
    # A hundred of the baseline's are rare, ten of them are still there; 157 are new.
    assert found[256:] == [(100, 20), (0, 314)]


def test_what_is_not_listed_is_new_if_all_of_the_baseline_is() -> None:
    found = pairs(CategoryHistogram({"a": 7, "b": 2}), CategoryHistogram({"a": 5, "new": 1}, unlisted=3))
    assert found == [(7, 5), (2, 0), (0, 0), (0, 4)]


def test_what_may_be_new_or_not_is_one_category() -> None:
    found = pairs(CategoryHistogram({"a": 7}, unlisted=20), CategoryHistogram({"a": 5, "new": 1}, unlisted=3))
    assert found == [(7, 5), (20, 4), (0, 0)]
