"""Hashes of values, computed by the engine."""

from __future__ import annotations

# Sail 0.7 panics if all arguments of the hash are constant in a file. The value of this term is 0, but not
# constant for the optimizer.
_ZERO = "cast(0 * rand() AS bigint)"


def hash64(*expressions: str) -> str:
    """Return the Spark SQL of a 64-bit hash of expressions. A null changes the hash like any other value."""
    return f"xxhash64({', '.join(expressions)}, {_ZERO})"
