"""The first commits that added rows of the failed windows of an alert."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from aporia_provider.alerts import Alert
from aporia_provider.api import AporiaApi
from aporia_provider.backend.registration.datasets import Datasets
from aporia_provider.backend.registration.local_access import link_faults
from aporia_provider.backend.sync.reading.dataset_log import DatasetLog
from aporia_provider.datasets import DatasetConnection
from aporia_provider.errors import AporiaError
from aporia_provider.explanations import FirstCommit
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.log.first_commits import AddingCommit

FindCredentials = Callable[[], AwsCredentials | None]
_ROLES = ("serving", "actuals")


def first_commits(api: AporiaApi, alert: Alert, find_credentials: FindCredentials) -> Iterator[FirstCommit]:
    """
    Yield the first commit of the serving table and of the actuals table, if there are any.

    Of the actuals, it is the first commit with labels whose time is not before the start of the windows: the
    log does not contain which predictions they belong to.

    :param api: The embedded backend, or a client of this project's server.
    :param alert: An alert of one version.
    :param find_credentials: Function that returns the credentials for S3; called only if a table is on S3.
    """
    if alert.model_version is None:
        return
    if not isinstance(api, Datasets):
        yield FirstCommit(role="serving", reason="a server does not return the data sources of datasets")
        return
    datasets = {dataset.role: dataset for dataset in api.get_datasets(alert.model_id, alert.model_version)}
    for role in _ROLES:
        if role in datasets:
            yield _first_commit(datasets[role], alert, find_credentials, api.allowed_local_folders)


def _first_commit(
    dataset: DatasetConnection,
    alert: Alert,
    find_credentials: FindCredentials,
    folders: tuple[str, ...] | None,
) -> FirstCommit:
    source = dataset.data_source
    start, end = (int(datetime.fromisoformat(moment).timestamp()) for moment in (alert.start, alert.end))
    try:
        if faults := list(link_faults(source, folders)):
            return FirstCommit(role=dataset.role, table_uri=source.delta_uri, reason="; ".join(faults))
        credentials = find_credentials() if source.is_on_s3 else None
        # Labels become known after the predictions, at any time.
        until = end if dataset.role == "serving" else None
        commit = DatasetLog(dataset, source, credentials).first_commit(start, until)
    except AporiaError as error:
        return FirstCommit(role=dataset.role, table_uri=source.delta_uri, reason=error.message)
    return _of(dataset.role, source.delta_uri, commit)


def _of(role: str, uri: str | None, commit: AddingCommit) -> FirstCommit:
    summary = commit.summary
    return FirstCommit(
        role=role,
        table_uri=uri,
        version=summary.version,
        time=summary.time.isoformat(),
        operation=summary.operation,
        writer=summary.writer,
        reason=commit.note,
        **commit.run,
    )
