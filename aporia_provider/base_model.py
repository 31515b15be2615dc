"""What all words of the vocabulary share: strict pydantic models that Airflow can render inside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

import pydantic
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from aporia_provider.choices import not_one_of
from aporia_provider.errors import ValidationError
from aporia_provider.nearest import nearest

if TYPE_CHECKING:
    from pydantic import ModelWrapValidatorHandler
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)


MAX_TEXT = 100_000
"""Limit of the characters of any text, such as a query."""
MAX_TITLE = 255
"""Limit of the characters of what people call something."""


class _Explained(ModelMetaclass):
    """
    Raises our error where a word is made by hand. Words inside words are made by pydantic, which does not
    come through here, so that it still collects the faults of all of them.
    """

    def __call__(cls, *args: Any, **values: Any) -> Any:  # noqa: N805
        try:
            return super().__call__(*args, **values)
        except pydantic.ValidationError as error:
            raise explain(error, cls.__name__) from None


class Vocabulary(BaseModel, metaclass=_Explained):
    """
    Base of the words users write in a DAG.

    Attributes named in ``template_fields`` are rendered by Airflow (operators render a copy). A value
    that still holds a Jinja expression passes the checks; it is checked once rendered.
    """

    model_config = ConfigDict(
        extra="forbid",
        defer_build=True,
        protected_namespaces=(),
        hide_input_in_errors=True,
        str_max_length=MAX_TEXT,
    )

    template_fields: ClassVar[tuple[str, ...]] = ()

    @model_validator(mode="wrap")
    @classmethod
    def _unknown_names(cls, value: Any, read: ModelWrapValidatorHandler[Self]) -> Self:
        """Report a name that is not a field with the nearest one that is, among all other faults."""
        try:
            return read(value)
        except pydantic.ValidationError as error:
            faults = [_named(fault, cls.model_fields) for fault in error.errors(include_url=False)]
            raise pydantic.ValidationError.from_exception_data(cls.__name__, faults) from None

    def checked(self) -> Any:
        """
        Check the word again, for instance after its templates were rendered.

        :raises aporia_provider.errors.ValidationError: naming every fault.
        """
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self)(**values)


def _named(fault: ErrorDetails, known: Iterable[str]) -> InitErrorDetails:
    text = fault["msg"]
    if fault["type"] == "extra_forbidden" and len(fault["loc"]) == 1:
        text = f"there is no such parameter; {nearest(str(fault['loc'][0]), known)}"
    made = PydanticCustomError(fault["type"], "{text}", {"text": text})
    return InitErrorDetails(type=made, loc=fault["loc"], input=fault["input"])


def explain(error: pydantic.ValidationError, subject: str) -> ValidationError:
    """Turn pydantic's report into ours, without echoing the input, which may hold a secret."""
    problems = []
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        place = ".".join(str(part) for part in fault["loc"])
        text = fault["msg"].removeprefix("Value error, ")
        problems.append(f"{place}: {text}" if place else text)
    return ValidationError(f"{subject} is not valid", problems=problems)


def is_template(value: object) -> bool:
    """Whether a string still has a Jinja expression to render."""
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def one_of(*allowed: str, synonyms: Mapping[str, str] | None = None) -> Any:
    """
    Annotation for a string that has to be one of ``allowed``, or a template that renders to one.

    :param allowed: The words.
    :param synonyms: See :func:`aporia_provider.choices.not_one_of`.
    """

    def check(value: str) -> str:
        if value not in allowed and not is_template(value):
            raise ValueError(not_one_of(value, allowed, synonyms))
        return value

    return AfterValidator(check)


def exactly(*allowed: str) -> Any:
    """Annotation for a ``Literal`` of ``allowed``, whose error says what was probably meant."""

    def check(value: object) -> object:
        if not isinstance(value, str) or value not in allowed:
            raise ValueError(not_one_of(value, allowed))
        return value

    return BeforeValidator(check)


def _not_empty(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value


Name = Annotated[str, AfterValidator(_not_empty)]
Title = Annotated[str, Field(max_length=MAX_TITLE), AfterValidator(_not_empty)]


def _cron(value: str) -> str:
    if is_template(value):
        return value
    from croniter import croniter

    if len(value.split()) != 5 or not croniter.is_valid(value):
        raise ValueError(f"{value!r} is not a cron expression of five fields, such as '0 * * * *'")
    return value


Cron = Annotated[str, Field(max_length=MAX_TITLE), AfterValidator(_cron)]
