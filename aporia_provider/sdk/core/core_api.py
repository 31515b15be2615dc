"""The calls on models and versions, and the choice of the server or embedded backend that they reach."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from aporia_provider.api import IfExists
from aporia_provider.errors import ConflictError
from aporia_provider.models import AggregationPeriod
from aporia_provider.schema import VersionSchema
from aporia_provider.sdk.core.types.words import word_of
from aporia_provider.sdk.model import Model
from aporia_provider.sdk.session import create_session, current_session, made, set_session

log = logging.getLogger(__name__)

Fields = Mapping[str, str | Mapping[str, Any]]


def init(
    token: str | None = None,
    host: str | None = None,
    environment: str | None = None,
    port: int | None = None,
    verbose: bool | None = None,
    throw_errors: bool | None = None,
    debug: bool | None = None,
    http_timeout_seconds: float | None = None,
    verify_ssl: bool = True,
    *,
    aporia_conn_id: str | None = None,
    aws_conn_id: str | None = "aws_default",
    spark_conn_id: str | None = None,
    preflight: bool = True,
) -> None:
    """
    Choose the server or embedded backend that the following calls reach. Optional, and sends nothing itself.

    With a token or a host, that is a server. Otherwise it is the Airflow connection ``aporia_default``, in a
    task or wherever else Airflow finds it, and without one the embedded backend. ``token``, ``host``,
    ``environment``, ``port`` and ``http_timeout_seconds`` are also read from the environment variables
    ``APORIA_TOKEN``, ``APORIA_HOST`` and so on; arguments win over variables.

    :param token: Token of the environment.
    :param host: Host of the server, or its URL; ``https://`` if it has no scheme, and ``app.aporia.com`` if a
        token is given without a host.
    :param environment: The environment. A server needs it; in the embedded backend it replaces that of the
        configuration; of an Airflow connection it has to be the one.
    :param port: Port of the server, if ``host`` does not have it.
    :param verbose: Without effect: messages are complete.
    :param throw_errors: Without effect: errors are always raised.
    :param debug: Without effect: what is logged is up to :mod:`logging`.
    :param http_timeout_seconds: Seconds to wait for a server that is named here; 30 if it is left out. An
        Airflow connection has its own.
    :param verify_ssl: Whether a server that is named here has to show a certificate that is trusted.
    :param aporia_conn_id: Not in the platform's SDK. The Airflow connection to use instead of
        ``aporia_default``; the environment variables are then not read.
    :param aws_conn_id: Not in the platform's SDK. Airflow's AWS connection that reads the data. If there is
        no ``aws_default``, or with None, boto3 looks for credentials.
    :param spark_conn_id: Not in the platform's SDK. Airflow connection of type ``spark_connect`` to the
        cluster that reads the data; see :func:`~aporia_provider.hooks.spark_connect.engine_for`. Without it,
        ``[aporia] engine`` does.
    :param preflight: Not in the platform's SDK. Whether data on S3 or a local disk is checked before it is
        connected.
    :raises aporia_provider.errors.ValidationError: naming every fault.
    """
    session = create_session(
        token=token,
        host=host,
        environment=environment,
        port=port,
        http_timeout_seconds=http_timeout_seconds,
        verify_ssl=verify_ssl,
        aporia_conn_id=aporia_conn_id,
        aws_conn_id=aws_conn_id,
        spark_conn_id=spark_conn_id,
        preflight=preflight,
    )
    set_session(session)


def shutdown() -> None:
    """Do nothing: no call leaves anything open."""


def create_model(
    model_id: str,
    name: str,
    description: str | None = None,
    owner: str | None = None,
    color: str | None = None,
    icon: str | None = None,
    tags: Mapping[str, str] | None = None,
    *,
    aggregation_period: AggregationPeriod | None = None,
    if_exists: IfExists = "skip",
) -> str:
    """
    Register a model.

    As in the platform's SDK, a model that is there already is a success, and stays what it is. What differs
    from it is logged as a warning.

    :param model_id: Its id.
    :param name: What people call it.
    :param description: What it is for.
    :param owner: E-mail address of who answers for it.
    :param color: A :class:`ModelColor` or its value; blue if it is left out.
    :param icon: A :class:`ModelIcon` or its value; general if it is left out.
    :param tags: At most 10.
    :param aggregation_period: Not in the platform's SDK. How long the time buckets of its metrics are,
        ``hourly`` or ``daily``; daily if it is left out.
    :param if_exists: Not in the platform's SDK. ``match`` refuses a model that differs, ``fail`` also one
        that is the same.
    :return: Its id.
    :raises aporia_provider.errors.AporiaError: see :class:`~aporia_provider.api.AporiaApi`.
    """
    looks = {"color": word_of(color), "icon": word_of(icon)}
    with current_session().open() as api:
        try:
            registered = api.create_model(
                model_id,
                name,
                description=description,
                owner=owner,
                tags=tags,
                aggregation_period=aggregation_period,
                if_exists="match" if if_exists == "skip" else if_exists,
                **{key: value for key, value in looks.items() if value is not None},
            )
        except ConflictError as error:
            if if_exists != "skip":
                raise
            log.warning("%s\nIt stays what it is.", error.message)
            return model_id
    log.info("Model %r: %s", model_id, registered["status"])
    return registered["id"]


def delete_model(model_id: str) -> None:
    """
    Delete a model with its versions and datasets. The data stays where it is.

    :param model_id: The model.
    :raises aporia_provider.errors.NotFoundError: if there is none.
    """
    with current_session().open() as api:
        api.delete_model(model_id)
    log.info("Model %r: deleted", model_id)


def create_model_version(
    model_id: str,
    model_version: str,
    model_type: str,
    features: Fields,
    predictions: Fields,
    raw_inputs: Fields | None = None,
    metrics: Fields | None = None,
    model_data_type: str | None = None,
    labels: list[str] | None = None,
    multiclass_labels: list[str] | None = None,
    feature_importance: Mapping[str, float] | None = None,
    mapping: Mapping[str, str] | None = None,
    *,
    if_exists: IfExists = "match",
) -> Model:
    """
    Register a version of a model with its schema.

    The same version again is a success; one that differs from what is registered is a conflict.

    :param model_id: The model.
    :param model_version: Name of the version.
    :param multiclass_labels: Another name of ``labels``.
    :param if_exists: Not in the platform's SDK. ``skip`` keeps what is there, whether or not it is the same;
        ``fail`` refuses also the same.
    :return: The version, to connect data to. Further parameters as of
        :class:`~aporia_provider.schema.VersionSchema`.
    :raises aporia_provider.errors.ConflictError: naming what differs.
    :raises aporia_provider.errors.ValidationError: naming every fault.
    """
    version, schema = made(
        f"Version {model_version!r} of model {model_id!r} is not valid",
        lambda: Model(model_id, model_version),
        lambda: VersionSchema(
            model_type=model_type,
            features=_words(features),
            predictions=_words(predictions),
            raw_inputs=_words(raw_inputs),
            metrics=_words(metrics),
            model_data_type=model_data_type,
            labels=labels if labels is not None else multiclass_labels,
            feature_importance=feature_importance,
            mapping=mapping,
        ),
        faults=_label_faults(labels, multiclass_labels),
    )
    with current_session().open() as api:
        registered = api.create_model_version(model_id, model_version, schema, if_exists=if_exists)
    log.info("Version %r of model %r: %s", model_version, model_id, registered["status"])
    return version  # type: ignore[no-any-return]


def _label_faults(labels: Iterable[str] | None, same_labels: Iterable[str] | None) -> list[str]:
    if labels is None or same_labels is None or list(labels) == list(same_labels):
        return []
    return ["multiclass_labels: is another name of labels, and they differ; give one of the two"]


def _words(fields: Any) -> Any:
    """Fields whose types may be members of :class:`FieldType`, and their dimensions numbers of numpy."""
    if not isinstance(fields, Mapping):
        return fields
    return {name: _word(field) for name, field in fields.items()}


def _word(field: Any) -> Any:
    if not isinstance(field, Mapping):
        return word_of(field)
    known = {key: word_of(value) for key, value in field.items()}
    if isinstance(known.get("dimensions"), Iterable):
        known["dimensions"] = [_number(length) for length in known["dimensions"]]
    return known


def _number(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
