"""Limits of the bodies of requests, which hold before JSON is made into objects."""

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
    What a route takes.

    :param size: Limit of the bytes.
    :param values: Limit of the values and keys: numbers, texts, objects, arrays and so on.
    """

    size: int
    values: int

    def check_size(self, size: int) -> None:
        """
        Check how large a body is, or says it is.

        :raises BodyTooLargeError: with status 413.
        """
        if size > self.size:
            raise BodyTooLargeError(f"The body is larger than {self.size} bytes, the limit here", status=413)

    def check_content(self, content: bytes) -> None:
        """
        Check depth and number of values of JSON that was not read yet.

        :raises aporia_provider.errors.ValidationError: with status 400 or 413.
        """
        values, depth = _measured(content)
        if depth > _DEEPEST:
            raise ValidationError("The body is nested too deep", status=400)
        if values > self.values:
            raise BodyTooLargeError(
                f"The body has more than {self.values} keys and values, the limit here", status=413
            )


SMALL = BodyLimit(64 * _KB, 1_000)
"""A model, its tags or its owner."""
MEDIUM = BodyLimit(2 * _MB, 100_000)
"""A dataset, a monitor, or a query of metrics."""
SCHEMA = BodyLimit(8 * _MB, 200_000)
"""A version with its fields, or numbers for each of them."""
ROWS = BodyLimit(32 * _MB, 500_000)
"""Rows, or the words of a language."""
ARTIFACT = BodyLimit(64 * _MB, 1_000)
"""The file of a model."""


def _measured(content: bytes) -> tuple[int, int]:
    """How many values and keys JSON has at most, and how deep it is nested."""
    import numpy as np

    # Behind a backslash, a quote does not end a text; of two backslashes, the first one is for the second.
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
