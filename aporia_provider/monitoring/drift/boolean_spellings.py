"""Comparison of booleans with two spellings, such as true and false with 1 and 0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from aporia_provider.monitoring.drift.category_histograms import CategoryHistogram

COMPARED = "booleans are spelled differently on the two sides; spellings of one value were treated as equal"

_SPELLINGS = {"true": "true", "1": "true", "false": "false", "0": "false"}


def in_one_spelling(
    baseline: CategoryHistogram, current: CategoryHistogram
) -> tuple[CategoryHistogram, CategoryHistogram] | None:
    """
    Rename the categories of two histograms to ``true`` and ``false`` if they are booleans in two spellings.

    A column may be boolean in training, and contain 0 and 1, or the text ``True`` and ``False``, in serving.
    The categories are renamed if on both sides all of them are spellings of true and false (``true``,
    ``false`` in any case, ``1``, ``0``), neither side has two spellings of the same value, and the spellings
    of the sides differ.

    :param baseline: Histogram of the baseline.
    :param current: Histogram of the current data.
    :return: Both histograms, renamed; None if renaming is unnecessary or impossible.
    """
    before, now = _meanings(baseline), _meanings(current)
    if not before or not now or before.keys() >= now.keys() or now.keys() >= before.keys():
        return None
    return _renamed(baseline, before), _renamed(current, now)


def _meanings(side: CategoryHistogram) -> Mapping[str, str] | None:
    """Return ``true`` or ``false`` by category; None if a category is neither, or if two mean the same."""
    spellings = {text: _SPELLINGS.get(text.lower()) for text, count in side.counts.items() if count}
    meanings = {text: meaning for text, meaning in spellings.items() if meaning is not None}
    complete = not side.unlisted and len(meanings) == len(spellings) == len(set(meanings.values()))
    return meanings if complete else None


def _renamed(side: CategoryHistogram, meanings: Mapping[str, str]) -> CategoryHistogram:
    return replace(side, counts={meaning: side.counts[text] for text, meaning in meanings.items()})
