"""Results of registrations, and what happens if something is registered already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, get_args

# Pydantic refuses typing.TypedDict before Python 3.12.
from typing_extensions import TypedDict

from aporia_provider.choices import validated_choice
from aporia_provider.errors import ConflictError

IfExists = Literal["match", "skip", "fail"]
IF_EXISTS: tuple[str, ...] = get_args(IfExists)
Status = Literal["created", "unchanged", "skipped"]


class Registered(TypedDict):
    """
    Result of a registration.

    ``status`` is ``created``, ``unchanged`` (an equal registration exists) or ``skipped`` (a different one
    exists and ``if_exists="skip"`` kept it).
    """

    id: str
    status: Status


class Version(TypedDict):
    """
    A registered version.

    A server that implements only the public documentation returns the first four keys; this project's server
    adds ``registration``, the body of the request that registered the version.
    """

    id: str
    name: str
    model_type: str
    created_at: str
    registration: NotRequired[dict[str, Any]]


class ModelUpdate(TypedDict):
    """
    Result of a change of a model.

    ``status`` is ``updated`` or ``unchanged``; ``notes`` describes the limits of the change.
    """

    id: str
    status: Literal["updated", "unchanged"]
    notes: list[str]


def differences(registered: Mapping[str, Any], requested: Mapping[str, Any], path: str = "") -> list[str]:
    """Return one line for each difference between two JSON objects, with its dotted path."""
    lines: list[str] = []
    for key in dict.fromkeys([*registered, *requested]):
        path_of_key = f"{path}{key}"
        before, after = registered.get(key), requested.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            lines += differences(before, after, f"{path_of_key}.")
        elif before != after:
            lines.append(f"{path_of_key}: {_shown(before)} is registered, {_shown(after)} was given")
    return lines


def existing_registration(
    subject: str, registered_id: str, changes: Sequence[str] | None, if_exists: IfExists
) -> Registered:
    """
    Return the result of registering something that is registered already.

    :param subject: Its name in error messages, such as ``"version v1 of model m"``.
    :param registered_id: Id of the existing registration.
    :param changes: Differences between the existing and the given registration; None or empty if they are
        equal.
    :param if_exists: What to do with an existing registration; see :class:`~aporia_provider.api.AporiaApi`.
    :raises aporia_provider.errors.ConflictError: if it differs (``match``), or always (``fail``).
    """
    if if_exists == "fail":
        raise ConflictError(f"{subject} exists already", differences=changes or (), status=409)
    if not changes:
        return {"id": registered_id, "status": "unchanged"}
    if if_exists == "skip":
        return {"id": registered_id, "status": "skipped"}
    raise ConflictError(f"{subject} is registered with something different", differences=changes, status=409)


def check_if_exists(if_exists: str) -> None:
    """
    Raise an error unless a string is a value of ``if_exists``.

    :raises aporia_provider.errors.ValidationError: naming the nearest choice.
    """
    validated_choice("if_exists", if_exists, IF_EXISTS)


def _shown(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
