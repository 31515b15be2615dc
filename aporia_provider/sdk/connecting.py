"""Connecting a data source to a version: the check before it, and the call."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, TypedDict

from aporia_provider.api import IfExists, connected_datasets, registered_schema
from aporia_provider.data_sources import S3DataSource
from aporia_provider.errors import AuthenticationError

if TYPE_CHECKING:
    from aporia_provider.api import AporiaApi
    from aporia_provider.datasets import DatasetConnection
    from aporia_provider.sdk.session import Session

log = logging.getLogger(__name__)


class Options(TypedDict):
    """What a script may choose; see :class:`~aporia_provider.sdk.datasets.Datasets`."""

    preflight: bool | None
    check_rows: bool
    if_exists: IfExists


def connect(
    session: Session,
    model_id: str,
    model_version: str,
    dataset: DatasetConnection,
    timeout: float | None,
    options: Options,
) -> dict[str, Any]:
    """
    Check that a dataset fits the version, and connect it.

    :param session: The session whose server or embedded backend is asked.
    :param model_id: The model.
    :param model_version: The version.
    :param dataset: The dataset.
    :param timeout: Seconds to wait for a server.
    :param options: What the script chose.
    :return: See :class:`~aporia_provider.sdk.datasets.Datasets`.
    """
    preflight = session.preflight if options["preflight"] is None else options["preflight"]
    names = (model_id, model_version)
    source = dataset.data_source
    with session.open(timeout=timeout) as api:
        checked: dict[str, Any] = {"preflight": "skipped", "table_version": None, "rows": None}
        if not isinstance(source, S3DataSource):
            _warn_unread(dataset)
        elif preflight:
            checked = _checked(api, names, session, dataset, options["check_rows"])
        registered = api.connect_dataset(
            dataset.role,  # type: ignore[arg-type]
            *names,
            if_exists=options["if_exists"],
            **dataset.arguments(),
        )
    log.info("%s data of %s %s: %s", dataset.role, *names, registered["status"])
    uri = source.uri if isinstance(source, S3DataSource) else None
    return {"dataset": dataset.role, "status": registered["status"], "table_uri": uri, **checked}


def _checked(
    api: AporiaApi, names: tuple[str, str], session: Session, dataset: DatasetConnection, check_rows: bool
) -> dict[str, Any]:
    from aporia_provider.hooks.delta_lake import DeltaLakeHook

    schema = registered_schema(api, *names)
    others = connected_datasets(api, *names)
    try:
        report = DeltaLakeHook(session.aws_conn_id).preflight(
            dataset, schema, check_rows=check_rows, others=others
        )
    except AuthenticationError as error:
        raise AuthenticationError(
            f"{error.message}. The data is read to check it before it is connected; preflight=False connects "
            "it unchecked"
        ) from None
    for warning in report.warnings:
        log.warning("Preflight: %s", warning)
    report.raise_for_problems()
    return {"preflight": "passed", "table_version": report.table_version, "rows": report.rows}


def _warn_unread(dataset: DatasetConnection) -> None:
    from aporia_provider.engine.read import why_unread

    told = "Connected unchecked, and the embedded backend will not monitor it. %s"
    log.warning(told, why_unread(dataset.data_source))
