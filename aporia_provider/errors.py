"""
Exceptions of this project.

::

    AporiaError
    ├── TransientError          connection lost, timeout, 429, 502, 503, 504: retry the call
    ├── AuthenticationError     the token is missing, invalid, or belongs to another environment
    ├── NotFoundError           no such model, version, dataset, table …
    ├── ConflictError           something different has the name; ``differences`` lists the differences
    ├── InsufficientDataError   there is too little data for a verdict
    └── ValidationError         the input is invalid; ``problems`` lists all faults

Messages are safe to log: callers of the constructors keep credentials out of them.
"""

from __future__ import annotations

from collections.abc import Sequence


class AporiaError(Exception):
    """
    Base class of the exceptions of this package.

    :param message: What is wrong, where, and what to do.
    :param status: HTTP status of the response that caused the error, if there was one.
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


class TransientError(AporiaError):
    """
    Error of a call that may succeed if it is repeated.

    :param retry_after: Time to wait in seconds, if the server gave one.
    """

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, status=status)
        self.retry_after = retry_after


class AuthenticationError(AporiaError):
    """Error of a call whose credentials were rejected."""


class NotFoundError(AporiaError):
    """Error of a call that refers to an object that does not exist."""


class ConflictError(AporiaError):
    """
    Error of registering an object under a name that a different object has.

    :param differences: One line for each difference between the registered and the given object.
    """

    def __init__(self, message: str, *, differences: Sequence[str] = (), status: int | None = None) -> None:
        super().__init__(_with_lines(message, differences), status=status)
        self.differences = list(differences)


class InsufficientDataError(AporiaError):
    """Error of a task that requires a verdict, if there is too little data for one."""


class ValidationError(AporiaError):
    """
    Error of invalid input.

    :param problems: One line per fault.
    """

    def __init__(self, message: str, *, problems: Sequence[str] = (), status: int | None = None) -> None:
        super().__init__(_with_lines(message, problems), status=status)
        self.problems = list(problems)


def _with_lines(message: str, lines: Sequence[str]) -> str:
    return message + "".join(f"\n  - {line}" for line in lines)
