"""Operator parameters of the protocol's types: schemas, data sources and lists of column names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from aporia_provider.base_model import is_template
from aporia_provider.choices import validated_choice
from aporia_provider.data_sources import DataSource, as_data_source
from aporia_provider.datasets import ROLES
from aporia_provider.errors import ValidationError
from aporia_provider.operators.parameters import CheckedParameter
from aporia_provider.schema import VersionSchema

T = TypeVar("T")


class SchemaParameter(CheckedParameter[T]):
    """
    A parameter that is the schema of a version, or None.

    :param mapping: Whether a dict of the schema's parameters is accepted as well.
    """

    def __init__(self, *, mapping: bool) -> None:
        self.mapping = mapping

    def _checked(self, value: Any) -> Any:
        if value is None or isinstance(value, VersionSchema):
            return value
        if not isinstance(value, Mapping) or not self.mapping:
            raise _replacement_error(
                self.name, value, "VersionSchema(model_type=…, features={…}, predictions={…})"
            )
        return _valid(self.name, value, lambda: VersionSchema(**dict(value)))


class DataSourceParameter(CheckedParameter[T]):
    """
    A parameter that is a data source, a list of data sources, or None. Data sources may be given as dicts.

    Dicts are converted to data sources, so that Airflow stores and displays them without secrets. A dict with
    templates in place of numbers is converted after rendering.
    """

    def _checked(self, value: Any) -> Any:
        for item in value if isinstance(value, list | tuple) else [value]:
            if not isinstance(item, DataSource | Mapping | None) and not _is_pending(item):
                raise _replacement_error(self.name, item, "S3DataSource(object_path=…, object_format=…)")
        try:
            return with_data_sources(value)
        except ValidationError as error:
            raise ValidationError(f"{self.name}: {error.message}") from None


def with_data_sources(value: Any) -> Any:
    """Return the value of a :class:`DataSourceParameter` with dicts converted to data sources."""
    if isinstance(value, Mapping):
        return _as_source(value)
    if isinstance(value, list | tuple):
        return [_as_source(item) if isinstance(item, Mapping) else item for item in value]
    return value


def _as_source(value: Mapping[str, Any]) -> DataSource | Mapping[str, Any]:
    try:
        return as_data_source(value)
    except ValidationError:
        # Values of templates and upstream tasks are known only after rendering.
        if _is_pending(value):
            return value
        raise


class NamesParameter(CheckedParameter["Any"]):
    """A parameter that is a list of names."""

    def _checked(self, value: Any) -> Any:
        if isinstance(value, str):
            raise _replacement_error(self.name, value, f"[{value!r}]")
        return value


class DatasetsParameter(CheckedParameter["Any"]):
    """
    A parameter that is a list of datasets: dicts with ``model_id``, ``model_version``, ``role`` and,
    optionally, ``aws_conn_id``.
    """

    def _checked(self, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise _replacement_error(
                self.name, value, "a list of dicts with model_id, model_version and role"
            )
        if problems := [
            f"{self.name}[{index}]: {fault}"
            for index, dataset in enumerate(value)
            if not hasattr(dataset, "resolve")
            for fault in _dataset_faults(dataset)
        ]:
            raise ValidationError(f"{self.name} is not a list of datasets", problems=problems)
        return value


_DATASET_KEYS = ("model_id", "model_version", "role")
_OPTIONAL_DATASET_KEYS = ("aws_conn_id",)


def _dataset_faults(dataset: Any) -> Iterator[str]:
    if not isinstance(dataset, Mapping):
        yield f"it is a {type(dataset).__name__}; write a dict with {', '.join(_DATASET_KEYS)}"
        return
    if missing := [key for key in _DATASET_KEYS if key not in dataset]:
        yield f"it has no {' and no '.join(missing)}"
    if unknown := sorted(set(map(str, dataset)).difference(_DATASET_KEYS, _OPTIONAL_DATASET_KEYS)):
        yield f"it has unknown keys: {', '.join(unknown)}"
    role = dataset.get("role", ROLES[0])
    if not _is_pending(role):
        try:
            validated_choice("role", role, ROLES)
        except ValidationError as error:
            yield error.message


def _replacement_error(name: str, value: Any, instead: str) -> ValidationError:
    return ValidationError(f"{name} is a {type(value).__name__}; write {instead}")


def _valid(name: str, value: Mapping[str, Any], make: Any) -> Mapping[str, Any]:
    try:
        make()
    except ValidationError as error:
        # Values of templates and upstream tasks are known only after rendering.
        if not _is_pending(value):
            raise ValidationError(f"{name}: {error.message}") from None
    except TypeError:
        raise ValidationError(f"{name}: the keys of the dict have to be names of parameters") from None
    return value


def _is_pending(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_is_pending(part) for part in (*value.keys(), *value.values()))
    if isinstance(value, list | tuple):
        return any(_is_pending(part) for part in value)
    return is_template(value) or hasattr(value, "resolve")
