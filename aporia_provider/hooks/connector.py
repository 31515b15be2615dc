"""Validation and connection of datasets to a model version."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aporia_provider.errors import AuthenticationError
from aporia_provider.registered_versions import connected_datasets, registered_schema

if TYPE_CHECKING:
    from aporia_provider.api import AporiaApi
    from aporia_provider.datasets import DatasetConnection
    from aporia_provider.hooks.delta_lake import DeltaLakeHook
    from aporia_provider.registrations import IfExists
    from aporia_provider.schema import VersionSchema

log = logging.getLogger(__name__)


@dataclass
class DatasetConnector:
    """
    Connects datasets to one model version.

    :param api: The server or the embedded backend.
    :param model_id: Id of the model.
    :param model_version: Name of the version.
    :param hook: Hook that reads the data for validation.
    :param schema: Schema to validate against; None for the registered one, which :meth:`connect` then stores
        here.
    """

    api: AporiaApi
    model_id: str
    model_version: str
    hook: DeltaLakeHook
    schema: VersionSchema | None = field(default=None)

    def connect(
        self, dataset: DatasetConnection, *, preflight: bool, check_rows: bool, if_exists: IfExists
    ) -> dict[str, Any]:
        """
        Validate a dataset against the version, and connect it.

        :param dataset: The dataset.
        :param preflight: Whether to validate. Data sources that the embedded backend cannot read are not
            validated.
        :param check_rows: Whether to read and validate the rows as well.
        :param if_exists: See :meth:`aporia_provider.api.AporiaApi.connect_dataset`.
        :return: ``{"dataset", "status", "table_uri", "preflight", "table_version", "rows"}``.
        :raises aporia_provider.errors.ValidationError: if the validation finds problems; all are listed.
        :raises aporia_provider.errors.AporiaError: if the data cannot be read, or the call fails.
        """
        checked: dict[str, Any] = {"preflight": "skipped", "table_version": None, "rows": None}
        source = dataset.data_source
        if preflight and source.readable:
            checked = self._check(dataset, check_rows)
        registered = self.api.connect_dataset(self.model_id, self.model_version, dataset, if_exists=if_exists)
        status = registered["status"]
        log.info("%s data of %s %s: %s", dataset.role, self.model_id, self.model_version, status)
        if not source.readable:
            _warn_unread(dataset)
        return {"dataset": dataset.role, "status": status, "table_uri": source.uri, **checked}

    def _check(self, dataset: DatasetConnection, check_rows: bool) -> dict[str, Any]:
        names = (self.model_id, self.model_version)
        self.schema = self.schema or registered_schema(self.api, *names)
        others = connected_datasets(self.api, *names)
        try:
            report = self.hook.preflight(dataset, self.schema, check_rows=check_rows, others=others)
        except AuthenticationError as error:
            raise AuthenticationError(
                f"{error.message}. The data is read to check it before it is connected; preflight=False "
                "connects it unchecked"
            ) from None
        for warning in report.warnings:
            log.warning("Preflight: %s", warning)
        report.raise_for_problems()
        return {"preflight": "passed", "table_version": report.table_version, "rows": report.rows}


def _warn_unread(dataset: DatasetConnection) -> None:
    reason = dataset.data_source.unreadable_reason
    log.warning("Connected unchecked, and the embedded backend will not monitor it. %s", reason)
