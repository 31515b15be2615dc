"""Datasets of versions."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select, update

from aporia_provider.backend.deadlines import check_deadline
from aporia_provider.backend.registration.local_access import local_path_faults
from aporia_provider.backend.registration.scope import RegistryBase
from aporia_provider.backend.store.json_columns import check_json, reject_templates
from aporia_provider.backend.store.lookups import find_version, insert_or_find
from aporia_provider.backend.store.tables import DatasetRow
from aporia_provider.choices import parse_boolean
from aporia_provider.data_sources import stored_data_source
from aporia_provider.datasets import DatasetConnection
from aporia_provider.errors import ValidationError
from aporia_provider.registrations import (
    IfExists,
    Registered,
    check_if_exists,
    differences,
    existing_registration,
)
from aporia_provider.schema import VersionSchema


class Datasets(RegistryBase):
    """Registry methods for datasets."""

    def connect_dataset(
        self, model_id: str, model_version: str, dataset: DatasetConnection, *, if_exists: IfExists = "match"
    ) -> Registered:
        """Connect a dataset to a version. Secrets are not stored, so changed secrets cause no conflict."""
        check_if_exists(if_exists)
        DatasetConnection.check_type(dataset)
        reject_templates(role=dataset.role, schedule=dataset.schedule)
        body = dataset.serialize()
        check_json(body)
        # Parsing happens outside of the writing transaction, which blocks all other writers.
        with self.database.read_transaction() as session:
            registered = find_version(session, self.environment, model_id, model_version).registration
        faults = list(self._faults(dataset, VersionSchema.from_wire(registered)))
        if faults:
            raise ValidationError(f"The {dataset.role} dataset cannot be connected", problems=faults)
        with self.database.write_transaction() as session:
            version = find_version(session, self.environment, model_id, model_version)
            key = {"version_key": version.key, "role": dataset.role}
            values = {"enabled": dataset.enabled, "registration": body}
            row, is_new = insert_or_find(session, DatasetRow, key, values)
            if is_new:
                return {"id": row.id, "status": "created"}
            subject = f"The {dataset.role} dataset of version {model_version!r} of model {model_id!r}"
            return existing_registration(subject, row.id, differences(row.registration, body), if_exists)

    def _faults(self, dataset: DatasetConnection, schema: VersionSchema) -> Iterator[str]:
        """Yield the problems that can be detected without reading the data."""
        from aporia_provider.engine.sql.expressions import check_select_expr

        for fault in dataset.mapping_faults(schema):
            # Each problem searches all names for the most similar one.
            check_deadline()
            yield fault
        yield from check_select_expr(dataset.data_source.select_expr or [])
        yield from local_path_faults(dataset.data_source, self.allowed_local_folders)

    def set_sync_enabled(self, model_id: str, model_version: str, enabled: bool) -> None:
        """Enable or disable the syncs of all datasets of a version."""
        enabled = parse_boolean("enabled", enabled)
        with self.database.write_transaction() as session:
            version = find_version(session, self.environment, model_id, model_version)
            datasets = update(DatasetRow).where(DatasetRow.version_key == version.key)
            session.execute(datasets.values(enabled=enabled))

    def get_datasets(self, model_id: str, model_version: str) -> list[DatasetConnection]:
        """Return the datasets of a version, with secrets replaced by ``***``."""
        with self.database.read_transaction() as session:
            version = find_version(session, self.environment, model_id, model_version)
            query = select(DatasetRow).filter_by(version_key=version.key).order_by(DatasetRow.key)
            return [connection_of(row) for row in session.scalars(query)]


def connection_of(row: DatasetRow) -> DatasetConnection:
    """Return the dataset as it was connected, with secrets replaced by ``***``."""
    sync = {**row.registration["sync"], "enabled": row.enabled}
    source = stored_data_source(row.registration["data_source"])
    return DatasetConnection.from_wire({**row.registration, "data_source": source, "sync": sync})
