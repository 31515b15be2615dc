"""Arrays with one element for each slot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def with_slots(array: NDArray[Any], slots: int) -> NDArray[Any]:
    """Return an array with at least the given number of slots; new ones are zero."""
    if slots <= len(array):
        return array
    grown = np.zeros((max(slots, 2 * len(array)), *array.shape[1:]), dtype=array.dtype)
    grown[: len(array)] = array
    return grown
