"""Verdicts on the freshness and volume of a connected dataset."""

from __future__ import annotations

from datetime import datetime

from aporia_provider.backend.freshness.tables import CheckedTable, FindCredentials, check_tables
from aporia_provider.backend.registration.datasets import connection_of
from aporia_provider.backend.registration.local_access import link_faults
from aporia_provider.backend.registration.scope import RegistryBase
from aporia_provider.backend.store.lookups import find_dataset, find_version
from aporia_provider.errors import ValidationError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.log.history_folder import HistoryFolder
from aporia_provider.monitoring.freshness import FreshnessSettings


def dataset_freshness(
    scope: RegistryBase,
    model_id: str,
    model_version: str,
    role: str,
    now: datetime,
    *,
    find_credentials: FindCredentials = AwsCredentials,
    settings: FreshnessSettings | None = None,
    histories: HistoryFolder | None = None,
) -> CheckedTable:
    """
    Return verdicts on the Delta table of a dataset. If its log cannot be read, all are ``insufficient``.

    :param scope: Environment of the registry.
    :param model_id: Id of the model.
    :param model_version: Name of the version.
    :param role: Role of the dataset.
    :param now: Time of the verdicts.
    :param find_credentials: Function that returns the credentials for S3; called only if the table is on S3.
    :param settings: How the table is judged.
    :param histories: Folder in which the histories are stored.
    :raises aporia_provider.errors.NotFoundError: if there is no such dataset.
    :raises aporia_provider.errors.ValidationError: if it is not a Delta table, or must not be read.
    """
    with scope.database.read_transaction() as session:
        version = find_version(session, scope.environment, model_id, model_version)
        source = connection_of(find_dataset(session, version, role)).data_source
    if source.delta_uri is None:
        raise ValidationError(
            f"The {role} dataset of version {model_version!r} of model {model_id!r} is not a Delta table, so "
            "it has no log from which its freshness could be determined"
        )
    faults = list(link_faults(source, scope.allowed_local_folders))
    if faults:
        raise ValidationError(f"The {role} dataset cannot be read", problems=faults)
    (checked,) = check_tables(
        [source.delta_uri], find_credentials, settings=settings, now=now, histories=histories
    )
    return checked
