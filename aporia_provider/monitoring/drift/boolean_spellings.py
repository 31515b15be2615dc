"""Categories that are booleans in two spellings, such as true and false against 1 and 0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from aporia_provider.monitoring.drift.category_histograms import CategoryHistogram

COMPARED = "booleans are spelled differently on the two sides and were compared by what they mean"

_SPELLINGS = {"true": "true", "1": "true", "false": "false", "0": "false"}


def in_one_spelling(
    baseline: CategoryHistogram, current: CategoryHistogram
) -> tuple[CategoryHistogram, CategoryHistogram] | None:
    """
    Spell booleans alike on two sides that are to be compared.

    A column may be boolean in training and hold 0 and 1, or the texts ``True`` and ``False``, in serving. Its
    categories are compared by what they mean if on both sides all of them are spellings of true and false
    (``true``, ``false`` in any case, ``1``, ``0``), no side has two spellings of one of them, and the sides
    have different spellings.

    :param baseline: Counts of the baseline's categories.
    :param current: Counts of the categories that are compared with it.
    :return: Both with the categories ``true`` and ``false``; None if they are to be compared as they are.
    """
    before, now = _meanings(baseline), _meanings(current)
    if not before or not now or before.keys() >= now.keys() or now.keys() >= before.keys():
        return None
    return _renamed(baseline, before), _renamed(current, now)


def _meanings(side: CategoryHistogram) -> Mapping[str, str] | None:
    """Category to what it means; None if one means nothing or two mean the same."""
    found = {text: _SPELLINGS.get(text.lower()) for text, count in side.counts.items() if count}
    meanings = {text: meaning for text, meaning in found.items() if meaning is not None}
    complete = not side.unlisted and len(meanings) == len(found) == len(set(meanings.values()))
    return meanings if complete else None


def _renamed(side: CategoryHistogram, meanings: Mapping[str, str]) -> CategoryHistogram:
    return replace(side, counts={meaning: side.counts[text] for text, meaning in meanings.items()})
