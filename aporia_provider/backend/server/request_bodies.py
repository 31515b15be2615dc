"""Limits of request bodies, enforced before JSON is parsed."""

from __future__ import annotations

from dataclasses import dataclass

from aporia_provider.backend.server.error_handlers import BodyTooLargeError
from aporia_provider.errors import ValidationError

_KB = 1024
_MB = 1024 * _KB
_AT_ONCE = _MB
_DEEPEST = 200


@dataclass(frozen=True)
class BodyLimit:
    """
    Limit of a route's request body.

    :param size: Maximum size in bytes.
    :param values: Maximum number of keys and values, including objects and arrays.
    """

    size: int
    values: int

    def check_size(self, size: int) -> None:
        """
        Check the received or declared size of a body.

        :raises BodyTooLargeError: with status 413.
        """
        if size > self.size:
            raise BodyTooLargeError(f"The body exceeds {self.size} bytes, the limit of the path", status=413)

    def check_content(self, content: bytes) -> None:
        """
        Check the nesting depth and the number of values of unparsed JSON.

        :raises aporia_provider.errors.ValidationError: with status 400, if it is nested too deeply.
        :raises BodyTooLargeError: with status 413, if it has too many keys and values.
        """
        values, depth = _measured(content)
        if depth > _DEEPEST:
            raise ValidationError("The body is nested too deeply", status=400)
        if values > self.values:
            raise BodyTooLargeError(
                f"The body has more than {self.values} keys and values, the limit of the path", status=413
            )


SMALL = BodyLimit(64 * _KB, 1_000)
"""Limit for a model, its tags or its owner."""
MEDIUM = BodyLimit(2 * _MB, 100_000)
"""Limit for a dataset, a monitor, or a metric query."""
SCHEMA = BodyLimit(8 * _MB, 200_000)
"""Limit for a version with its fields, or numbers for each field."""
ROWS = BodyLimit(32 * _MB, 500_000)
"""Limit for rows, or the vocabulary of a text model."""
ARTIFACT = BodyLimit(64 * _MB, 1_000)
"""Limit for the file of a model."""


def _measured(content: bytes) -> tuple[int, int]:
    """Return an upper bound of the number of keys and values of JSON, and its nesting depth."""
    import numpy as np

    # Remove escape sequences: an escaped quote does not end a string. Escaped backslashes are removed first.
    plain = content.replace(rb"\\", b"").replace(rb"\"", b"") if b"\\" in content else content
    values = deepest = depth = quotes = 0
    for start in range(0, len(plain), _AT_ONCE):
        part = np.frombuffer(plain, np.uint8, min(_AT_ONCE, len(plain) - start), start)
        quoted = np.bitwise_xor.accumulate((part == ord('"')).view(np.uint8)) ^ np.uint8(quotes)
        quotes = int(quoted[-1])
        signs = part[quoted == 0]
        opening = (signs == ord("[")) | (signs == ord("{"))
        closing = (signs == ord("]")) | (signs == ord("}"))
        levels = np.cumsum(opening.astype(np.int32) - closing) + depth
        if len(levels):
            depth, deepest = int(levels[-1]), max(deepest, int(levels.max()))
        separators = (signs == ord(",")) | (signs == ord(":"))
        values += int(np.count_nonzero(opening) + np.count_nonzero(separators))
    return values, deepest
