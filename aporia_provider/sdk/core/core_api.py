"""Calls on models and versions, and ``init``, which selects the server or embedded backend."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from aporia_provider import models
from aporia_provider.errors import ConflictError
from aporia_provider.models import AggregationPeriod
from aporia_provider.registrations import IfExists
from aporia_provider.retention import Retention
from aporia_provider.schema import VersionSchema
from aporia_provider.sdk.core.types.words import word_of
from aporia_provider.sdk.model import Model
from aporia_provider.sdk.session import create_all, create_session, current_session, set_session

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
    Select the server or embedded backend of subsequent calls. Optional; sends no request.

    If a token or a host is given, a server is used. Otherwise the Airflow connection ``aporia_default`` is
    used, if it is available in this process, or else the embedded backend. ``token``, ``host``,
    ``environment``, ``port`` and ``http_timeout_seconds`` default to the environment variables
    ``APORIA_TOKEN``, ``APORIA_HOST`` and so on.

    :param token: Token of the environment.
    :param host: Host name or URL of the server. The default scheme is ``https``; the default host, if a token
        is given, is ``app.aporia.com``.
    :param environment: Name of the environment. It is required for a server, replaces the configured
        environment of the embedded backend, and must match the environment of an Airflow connection.
    :param port: Port of the server, if ``host`` does not contain it.
    :param verbose: Ignored; messages are always complete.
    :param throw_errors: Ignored; errors are always raised.
    :param debug: Ignored; configure :mod:`logging` instead.
    :param http_timeout_seconds: Timeout in seconds for a server that is named here; the default is 30. An
        Airflow connection has its own timeout.
    :param verify_ssl: Whether to verify the certificate of a server that is named here.
    :param aporia_conn_id: Not in the platform's SDK. Airflow connection to use instead of ``aporia_default``;
        the environment variables are then ignored.
    :param aws_conn_id: Not in the platform's SDK. Airflow AWS connection used to read the data. If there is
        no ``aws_default``, or with None, boto3 searches for credentials.
    :param spark_conn_id: Not in the platform's SDK. Airflow connection of type ``spark_connect`` to the
        cluster that reads the data, see :func:`~aporia_provider.hooks.spark_connect.engine_for`. None uses
        ``[aporia] engine``.
    :param preflight: Not in the platform's SDK. Whether to validate data on S3 or a local disk before it is
        connected.
    :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
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
    """Do nothing, because calls leave no connection open."""


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
    retention: str | Retention | None = None,
    if_exists: IfExists = "skip",
) -> str:
    """
    Register a model.

    As in the platform's SDK, the call succeeds if the model exists, and does not change it. Differences are
    logged as a warning.

    :param model_id: Id of the model.
    :param name: Display name.
    :param description: Description of the model.
    :param owner: E-mail address of the model's owner.
    :param color: A :class:`.ModelColor` or its value; None means blue.
    :param icon: A :class:`.ModelIcon` or its value; None means general.
    :param tags: At most 10 tags.
    :param aggregation_period: Not in the platform's SDK. Length of the time buckets, ``hourly`` or ``daily``;
        None means daily.
    :param retention: Not in the platform's SDK. How long states are kept, such as ``daily for 2 years``; None
        keeps all of them.
    :param if_exists: Not in the platform's SDK. ``match`` raises an error if an existing model differs,
        ``fail`` also if it is identical.
    :return: Id of the model.
    :raises aporia_provider.errors.AporiaError: see :class:`~aporia_provider.api.AporiaApi`.
    """
    appearance = {"color": word_of(color), "icon": word_of(icon)}
    model = models.Model(
        id=model_id,
        name=name,
        description=description,
        owner=owner,
        tags=tags,
        aggregation_period=aggregation_period,
        retention=retention,
        **{key: value for key, value in appearance.items() if value is not None},
    )
    with current_session().open() as api:
        try:
            registered = api.create_model(model, if_exists="match" if if_exists == "skip" else if_exists)
        except ConflictError as error:
            if if_exists != "skip":
                raise
            log.warning("%s\nIt was not changed.", error.message)
            return model_id
    log.info("Model %r: %s", model_id, registered["status"])
    return registered["id"]


def delete_model(model_id: str) -> None:
    """
    Delete a model with its versions and datasets. The data itself is not deleted.

    :param model_id: Id of the model.
    :raises aporia_provider.errors.NotFoundError: if there is no such model.
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

    The call succeeds if an identical version exists, and raises an error if the existing version differs. For
    further parameters see :class:`~aporia_provider.schema.VersionSchema`.

    :param model_id: Id of the model.
    :param model_version: Name of the version.
    :param multiclass_labels: Alias of ``labels``.
    :param if_exists: Not in the platform's SDK. ``skip`` keeps an existing version, whether or not it is
        identical; ``fail`` raises an error even if it is identical.
    :return: The version, which data can be connected to.
    :raises aporia_provider.errors.ConflictError: if the existing version differs; the differences are listed.
    :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
    """
    version, schema = create_all(
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
    return ["multiclass_labels: is an alias of labels, but they differ; give one of the two"]


def _words(fields: Any) -> Any:
    """Return fields with members of :class:`.FieldType` and numpy numbers converted to plain values."""
    if not isinstance(fields, Mapping):
        return fields
    return {name: _word(field) for name, field in fields.items()}


def _word(field: Any) -> Any:
    if not isinstance(field, Mapping):
        return word_of(field)
    words = {key: word_of(value) for key, value in field.items()}
    if isinstance(words.get("dimensions"), Iterable):
        words["dimensions"] = [_number(length) for length in words["dimensions"]]
    return words


def _number(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
