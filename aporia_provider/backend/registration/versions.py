"""Versions of models."""

from __future__ import annotations

from sqlalchemy import select

from aporia_provider.backend.registration.scope import RegistryBase
from aporia_provider.backend.store.json_columns import MAX_NAME, check_json, check_names, reject_templates
from aporia_provider.backend.store.lookups import find_model, find_version, insert_or_find
from aporia_provider.backend.store.tables import VersionRow
from aporia_provider.errors import ValidationError
from aporia_provider.registrations import (
    IfExists,
    Registered,
    Version,
    check_if_exists,
    differences,
    existing_registration,
)
from aporia_provider.schema import WIRE_CATEGORIES, VersionSchema


class Versions(RegistryBase):
    """Registry methods for versions."""

    def create_model_version(
        self, model_id: str, model_version: str, schema: VersionSchema, *, if_exists: IfExists = "match"
    ) -> Registered:
        """Register a version of a model with its schema."""
        check_if_exists(if_exists)
        VersionSchema.check_type(schema)
        check_names(name=model_version)
        _check_schema_rendered(schema)
        _check_length_of_names(schema)
        body = schema.to_wire(model_version)
        check_json(body)
        with self.database.write_transaction() as session:
            model = find_model(session, self.environment, model_id)
            key = {"model_key": model.key, "name": model_version}
            row, is_new = insert_or_find(session, VersionRow, key, {"registration": body})
            if is_new:
                return {"id": row.id, "status": "created"}
            changes = differences(row.registration, body)
            return existing_registration(
                f"Version {model_version!r} of model {model_id!r}", row.id, changes, if_exists
            )

    def get_model_versions(self, model_id: str, name: str | None = None) -> list[Version]:
        """
        Return the versions of a model, oldest first.

        :param name: Return only the version with this name.
        """
        with self.database.read_transaction() as session:
            model = find_model(session, self.environment, model_id)
            query = select(VersionRow).filter_by(model_key=model.key).order_by(VersionRow.key)
            if name is not None:
                check_names(name=name)
                query = query.filter_by(name=name)
            return [_version(row) for row in session.scalars(query)]

    def get_schema(self, model_id: str, model_version: str) -> VersionSchema:
        """Return the schema that a version was registered with."""
        with self.database.read_transaction() as session:
            version = find_version(session, self.environment, model_id, model_version)
            return VersionSchema.from_wire(version.registration)


def _version(row: VersionRow) -> Version:
    return {
        "id": row.id,
        "name": row.name,
        "model_type": row.registration["model_type"],
        "created_at": row.created_at.isoformat(),
        "registration": row.registration,
    }


def _check_length_of_names(schema: VersionSchema) -> None:
    """Raise an error for field names that are too long for the index of the states."""
    problems = [
        f"{category}.{name[:40]}… is longer than {MAX_NAME} characters"
        for category in WIRE_CATEGORIES
        for name in schema.fields(category)
        if len(name) > MAX_NAME
    ]
    if problems:
        raise ValidationError("Names of fields are too long", problems=problems)


def _check_schema_rendered(schema: VersionSchema) -> None:
    types = {
        f"{category}.{name}": field.type
        for category in WIRE_CATEGORIES
        for name, field in schema.fields(category).items()
    }
    words = {"model_type": schema.model_type, "model_data_type": schema.model_data_type}
    reject_templates(**words, **types, **(schema.mapping or {}))
