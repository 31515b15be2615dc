"""Base class of the public types: strict pydantic models whose attributes Airflow can render."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeVar

import pydantic
from annotated_types import GroupedMetadata
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from aporia_provider.choices import choice_error
from aporia_provider.errors import ValidationError
from aporia_provider.nearest import nearest

if TYPE_CHECKING:
    from pydantic import ModelWrapValidatorHandler
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)


T = TypeVar("T")

MAX_TEXT = 100_000
"""Maximum length of a string in characters, such as a query."""
MAX_FAULTS = 100
"""Maximum number of problems that an error lists; it has the number of the others."""
MAX_TITLE = 255
"""Maximum length of a display name in characters."""


class _ErrorConverter(ModelMetaclass):
    """
    Metaclass that raises :class:`~aporia_provider.errors.ValidationError` from a constructor call.

    Pydantic constructs nested models without this call, so their errors are collected into one.
    """

    def __call__(cls, *args: Any, **values: Any) -> Any:  # noqa: N805
        try:
            return super().__call__(*args, **values)
        except pydantic.ValidationError as error:
            raise convert_error(error, cls.__name__) from None


class PublicModel(BaseModel, metaclass=_ErrorConverter):
    """
    Base class of the public types.

    Airflow renders the attributes listed in ``template_fields`` (operators render a copy). A value that still
    contains a Jinja expression passes validation; it is validated again once rendered.
    """

    model_config = ConfigDict(
        extra="forbid",
        defer_build=True,
        protected_namespaces=(),
        hide_input_in_errors=True,
        str_max_length=MAX_TEXT,
    )

    template_fields: ClassVar[tuple[str, ...]] = ()
    placeholders: ClassVar[Mapping[str, Any]] = {}
    """
    Valid values of fields that the checks of several fields ignore. They are validated in place of faulty
    values, so that an error lists the faults of single fields and of combinations of fields.
    """

    @model_validator(mode="wrap")
    @classmethod
    def _unknown_names(cls, value: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        """Report an unknown field with the most similar field name, among all other errors."""
        try:
            return validate(value)
        except pydantic.ValidationError as error:
            errors = _faults(error)
            errors += cls._faults_of_several_fields(errors, value)
            faults = [cls._with_suggestion(fault, value) for fault in errors]
            raise pydantic.ValidationError.from_exception_data(cls.__name__, faults) from None

    @classmethod
    def _faults_of_several_fields(cls, errors: Iterable[ErrorDetails], value: Any) -> list[ErrorDetails]:
        """Return the faults that pydantic does not look for if single fields have faults."""
        faulty = {fault["loc"][0] for fault in errors if fault["loc"]}
        replaced = {name: given for name, given in cls.placeholders.items() if name in faulty}
        if not replaced or not isinstance(value, Mapping):
            return []
        valid = {name: given for name, given in value.items() if name not in faulty}
        try:
            cls.__pydantic_validator__.validate_python({**valid, **replaced})
        except pydantic.ValidationError as error:
            return [fault for fault in _faults(error) if not fault["loc"]]
        return []

    @classmethod
    def _with_suggestion(cls, fault: ErrorDetails, value: Any) -> InitErrorDetails:
        text = fault["msg"]
        if fault["type"] == "extra_forbidden" and len(fault["loc"]) == 1:
            advice = cls._advice_on_unknown(str(fault["loc"][0]), value)
            text = f"there is no such parameter; {advice}"
        error = PydanticCustomError(fault["type"], "{text}", {"text": text})
        return InitErrorDetails(type=error, loc=fault["loc"], input=None)

    @classmethod
    def _advice_on_unknown(cls, name: str, value: Any) -> str:
        """
        Return the message about an unknown parameter.

        :param name: Its name.
        :param value: All values.
        """
        return nearest(name, [field.alias or name for name, field in cls.model_fields.items()])

    @classmethod
    def check_type(cls, value: object) -> None:
        """
        Raise an error unless a value is an instance of this class.

        Type checkers find such a mistake; most DAG files are not checked.

        :raises aporia_provider.errors.ValidationError: with the required arguments of this class.
        """
        if not isinstance(value, cls):
            required = (f"{name}=…" for name, field in cls.model_fields.items() if field.is_required())
            raise ValidationError(
                f"A value of type {cls.__name__} is required, not {type(value).__name__}; "
                f"write {cls.__name__}({', '.join(required)})"
            )

    def checked(self) -> Any:
        """
        Validate the values again, for instance after rendering templates, and return a new instance.

        :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
        """
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self)(**values)


def _faults(error: pydantic.ValidationError) -> list[ErrorDetails]:
    """
    Return the faults of an error, at most :data:`MAX_FAULTS` and one that has the number of the others.

    All of them together may take a thousand times the memory of the values.
    """
    count = error.error_count()
    # An error of a nested model has one more.
    if count <= MAX_FAULTS + 1:
        return error.errors(include_url=False, include_context=False, include_input=False)
    text = error.json(include_url=False, include_context=False, include_input=False)
    decoder, position, faults = json.JSONDecoder(), 1, list[ErrorDetails]()
    while len(faults) < MAX_FAULTS:
        fault, end = decoder.raw_decode(text, position)
        faults.append(_fault(fault["type"], tuple(fault["loc"]), fault["msg"]))
        position = end + 1
    return [*faults, _fault("more", (), f"and at least {count - MAX_FAULTS} more problems")]


def _fault(type_: str, loc: tuple[int | str, ...], msg: str) -> ErrorDetails:
    return {"type": type_, "loc": loc, "msg": msg, "input": None}


def convert_error(error: pydantic.ValidationError, subject: str) -> ValidationError:
    """Convert a pydantic error, leaving out the input, which may contain a secret."""
    problems = []
    for fault in _faults(error):
        location = ".".join(str(segment) for segment in fault["loc"])
        text = fault["msg"].removeprefix("Value error, ")
        problems.append(f"{location}: {text}" if location else text)
    return ValidationError(f"{subject} is not valid", problems=problems)


def parse_list(body: Any, item: type[T], items: str) -> list[T]:
    """
    Parse the JSON form of a list of dataclasses.

    :param body: The JSON.
    :param item: The dataclass.
    :param items: What they are, for the error, such as ``alerts``.
    :raises aporia_provider.errors.ValidationError: if it is not a list of them.
    """
    try:
        return TypeAdapter(list[item]).validate_python(body)  # type: ignore[valid-type]
    except pydantic.ValidationError as error:
        problems = convert_error(error, "").problems
        raise ValidationError(f"The body is not a list of {items}", problems=problems) from None


def is_template(value: object) -> bool:
    """Return whether a value is a string that contains a Jinja expression."""
    return isinstance(value, str) and ("{{" in value or "{%" in value)


class _Annotations(GroupedMetadata):
    """Several annotations of a type as one."""

    def __init__(self, *annotations: Any) -> None:
        self.annotations = annotations

    def __iter__(self) -> Iterator[Any]:
        return iter(self.annotations)


def one_of(*allowed: str, synonyms: Mapping[str, str] | None = None) -> Any:
    """
    Return an annotation for a string that is one of ``allowed``, or a template.

    :param allowed: The allowed strings.
    :param synonyms: See :func:`aporia_provider.choices.choice_error`.
    """

    def check(value: str) -> str:
        if value not in allowed and not is_template(value):
            raise ValueError(choice_error(value, allowed, synonyms))
        return value

    return _Annotations(AfterValidator(check), WithJsonSchema({"enum": list(allowed)}))


def exactly(*allowed: str) -> Any:
    """Return an annotation for a ``Literal`` of ``allowed`` whose error suggests the most similar string."""

    def check(value: object) -> object:
        if not isinstance(value, str) or value not in allowed:
            raise ValueError(choice_error(value, allowed))
        return value

    return BeforeValidator(check)


def _not_empty(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value


_NOT_EMPTY: Any = {"minLength": 1, "pattern": r"[^\s\x00]"}

Name = Annotated[str, Field(json_schema_extra=_NOT_EMPTY), AfterValidator(_not_empty)]
Title = Annotated[str, Field(max_length=MAX_TITLE, json_schema_extra=_NOT_EMPTY), AfterValidator(_not_empty)]


def _cron(value: str) -> str:
    if is_template(value):
        return value
    from croniter import croniter

    if len(value.split()) != 5 or not croniter.is_valid(value):
        raise ValueError(f"{value!r} is not a cron expression of five fields, such as '0 * * * *'")
    return value


Cron = Annotated[str, Field(max_length=MAX_TITLE, examples=["0 * * * *"]), AfterValidator(_cron)]
