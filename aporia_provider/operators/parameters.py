"""Operator parameters that are validated when they are set: at DAG parse time, and after rendering."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

from airflow.providers.common.compat.sdk import AirflowFailException

from aporia_provider.base_model import is_template
from aporia_provider.choices import parse_boolean, validated_choice
from aporia_provider.errors import ValidationError

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

T = TypeVar("T")


class ParameterError(ValidationError, AirflowFailException):
    """
    A parameter of an operator is not valid. A mapped task, which is constructed at run time, is not retried.
    """


@contextmanager
def parameter_errors() -> Iterator[None]:
    """Convert validation errors to parameter errors."""
    try:
        yield
    except ValidationError as error:
        raise ParameterError(error.message) from None


class CheckedParameter(Generic[T]):
    """Descriptor that validates a parameter when it is set, except for templates and XCom references."""

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
        Return the value to set.

        :raises ParameterError: if the value is not valid.
        """
        # XComArg and DagParam have a method resolve; the resolved value is set when the task runs.
        if is_template(value) or hasattr(value, "resolve"):
            return value
        with parameter_errors():
            return self._checked(value)

    def _checked(self, value: Any) -> Any:
        raise NotImplementedError


class Choice(CheckedParameter[T]):
    """
    A parameter with a fixed set of values.

    :param allowed: Allowed values.
    :param optional: Whether None is allowed.
    """

    def __init__(self, allowed: Collection[str], *, optional: bool = False) -> None:
        self.allowed = allowed
        self.optional = optional

    def _checked(self, value: Any) -> Any:
        if value is None and self.optional:
            return None
        return validated_choice(self.name, value, self.allowed)


class Flag(CheckedParameter[bool]):
    """A boolean parameter. The strings ``true`` and ``false`` are accepted as well."""

    def _checked(self, value: Any) -> bool:
        return parse_boolean(self.name, value)


def check_parameters(
    operator: type[BaseOperator], given: Mapping[str, Any], subject: str | None = None
) -> None:
    """
    Validate the given parameters, as far as an operator validates them.

    :param operator: Class of the operator.
    :param given: The parameters by name.
    :param subject: What is not valid, for the error. Default: the mapped operator.
    :raises ParameterError: if parameters are invalid; all are listed.
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
        message = f"{operator.__name__} cannot be mapped" if subject is None else f"{subject} is not valid"
        raise ParameterError(message, problems=problems)
