"""Parameters of operators that are checked when they are set: by the DAG's file, and once rendered."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

from airflow.providers.common.compat.sdk import AirflowFailException

from aporia_provider.base_model import is_template
from aporia_provider.choices import choice, flag
from aporia_provider.errors import ValidationError

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

T = TypeVar("T")


class ParameterError(ValidationError, AirflowFailException):
    """A parameter of an operator is wrong; a mapped task, which is constructed as it runs, is not retried."""


@contextmanager
def parameter_errors() -> Iterator[None]:
    """Let what is wrong be an error of a parameter."""
    try:
        yield
    except ValidationError as error:
        raise ParameterError(error.message) from None


class CheckedParameter(Generic[T]):
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
        operator.__dict__[self.name] = self.check(value)

    def check(self, value: Any) -> Any:
        """
        The value to set.

        :raises ParameterError: if it is wrong.
        """
        # XComArg and DagParam have a method resolve; what they resolve to is set when the task runs.
        if is_template(value) or hasattr(value, "resolve"):
            return value
        with parameter_errors():
            return self._checked(value)

    def _checked(self, value: Any) -> Any:
        raise NotImplementedError


class Choice(CheckedParameter[T]):
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


class Flag(CheckedParameter[bool]):
    """A parameter that is true or false, also as the words ``true`` and ``false``."""

    def _checked(self, value: Any) -> bool:
        return flag(self.name, value)


def check_parameters(operator: type[BaseOperator], given: Mapping[str, Any]) -> None:
    """
    Check those of the given parameters that an operator checks.

    :raises ParameterError: naming every fault.
    """
    problems = []
    for name, value in given.items():
        parameter = getattr(operator, name, None)
        if isinstance(parameter, CheckedParameter):
            try:
                parameter.check(value)
            except ParameterError as error:
                problems.append(error.message)
    if problems:
        raise ParameterError(f"{operator.__name__} cannot be mapped", problems=problems)
