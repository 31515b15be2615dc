"""Parameters of operators that are checked when they are set: by the DAG's file, and once rendered."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

from aporia_provider.choices import choice, flag
from aporia_provider.vocabulary import is_template

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

T = TypeVar("T")


class _Checked(Generic[T]):
    """Base of the descriptors; a template, and what an upstream task has yet to give, is set unchecked."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, operator: None, owner: type) -> Self: ...

    @overload
    def __get__(self, operator: BaseOperator, owner: type) -> T: ...

    def __get__(self, operator: BaseOperator | None, owner: type) -> Self | T:
        if operator is None:
            return self
        try:
            value: T = operator.__dict__[self.name]
        except KeyError:
            raise AttributeError(self.name) from None
        return value

    def __set__(self, operator: BaseOperator, value: Any) -> None:
        # XComArg and DagParam have a method resolve; what they resolve to is set when the task runs.
        is_deferred = is_template(value) or hasattr(value, "resolve")
        operator.__dict__[self.name] = value if is_deferred else self._checked(value)

    def _checked(self, value: Any) -> Any:
        raise NotImplementedError


class Choice(_Checked[T]):
    """
    A parameter that is one of a few words.

    :param allowed: The words.
    :param optional: Whether it may be None.
    """

    def __init__(self, allowed: Collection[str], *, optional: bool = False) -> None:
        self.allowed = allowed
        self.optional = optional

    def _checked(self, value: Any) -> Any:
        if value is None and self.optional:
            return None
        return choice(self.name, value, self.allowed)


class Flag(_Checked[bool]):
    """A parameter that is true or false, also as the words ``true`` and ``false``."""

    def _checked(self, value: Any) -> bool:
        return flag(self.name, value)
