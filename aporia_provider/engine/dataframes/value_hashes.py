"""Hashes of values inside the engine."""

from __future__ import annotations

# Sail 0.7 panics where all that it is to hash is the same in all rows of a file; it cannot know that of this.
_ZERO = "cast(0 * rand() AS bigint)"


def hash64(*expressions: str) -> str:
    """Spark SQL of a 64-bit hash of expressions; a null in them is a value as any other."""
    return f"xxhash64({', '.join(expressions)}, {_ZERO})"
