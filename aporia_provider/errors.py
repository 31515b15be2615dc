"""
The one error tree of the project.

::

    AporiaError
    ├── TransientError          connection lost, timeout, 429, 502, 503, 504: worth a retry
    ├── AuthenticationError     the token is missing, wrong, or belongs to another environment
    ├── NotFoundError           no such model, version, dataset, table …
    ├── ConflictError           the name is taken by something different; ``differences`` says by what
    └── ValidationError         the input is wrong; ``problems`` names every fault at once

Messages are safe to log: whoever raises keeps credentials out of them.
"""

from __future__ import annotations

from collections.abc import Sequence


class AporiaError(Exception):
    """
    Base of every error this package raises on purpose.

    :param message: What is wrong, where, and what to do.
    :param status: HTTP status of the reply that caused it, if there was one.
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


class TransientError(AporiaError):
    """
    The call may succeed if it is made again.

    :param retry_after: Seconds the server asked to wait, if it said so.
    """

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, status=status)
        self.retry_after = retry_after


class AuthenticationError(AporiaError):
    """The credentials were not accepted."""


class NotFoundError(AporiaError):
    """What the call names does not exist."""


class ConflictError(AporiaError):
    """
    The name is taken by something different.

    :param differences: One line per difference between what is registered and what was given.
    """

    def __init__(self, message: str, *, differences: Sequence[str] = (), status: int | None = None) -> None:
        super().__init__(_with_lines(message, differences), status=status)
        self.differences = list(differences)


class ValidationError(AporiaError):
    """
    The input is wrong.

    :param problems: One line per fault.
    """

    def __init__(self, message: str, *, problems: Sequence[str] = (), status: int | None = None) -> None:
        super().__init__(_with_lines(message, problems), status=status)
        self.problems = list(problems)


def _with_lines(message: str, lines: Sequence[str]) -> str:
    return message + "".join(f"\n  - {line}" for line in lines)
