"""Selection of the engine, from an Airflow connection of type ``spark_connect`` or the configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.providers.common.compat.sdk import AirflowNotFoundException

from aporia_provider import settings
from aporia_provider.errors import NotFoundError, ValidationError
from aporia_provider.hooks.base_hook import ProviderHook
from aporia_provider.hooks.connection_lookup import creation_advice, missing_connection_message

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from aporia_provider.engine.endpoints import Endpoint

CONNECTION_TYPE = "spark_connect"
"""Connection type, defined by the Apache Spark provider, which need not be installed."""
_TLS_PORT = 443
_FIELDS = ("use_ssl", "parameters")
_OWN_FIELDS = {"user_id": "login", "token": "password", "use_ssl": "field use_ssl of the extra"}


def engine_for(spark_conn_id: str | None, engine: str | None = None) -> str:
    """
    Return the URL of the engine that reads the data.

    :param spark_conn_id: Airflow connection of type ``spark_connect``: ``host``, ``port``, the user id in
        ``login``, the token in ``password``, and in ``extra`` the flag ``use_ssl`` and an object
        ``parameters``, whose entries are sent as headers. A host that starts with ``https://`` enables TLS,
        with 443 as the default port.
    :param engine: ``embedded`` or the URL of a cluster, instead of a connection.
    :return: The URL of the connection, the given engine, or the configured engine. It may contain a token.
    :raises aporia_provider.errors.NotFoundError: if the connection does not exist.
    :raises aporia_provider.errors.ValidationError: if both parameters are given, or if settings of the
        connection are invalid; all are listed.
    """
    if not spark_conn_id:
        return engine or settings.engine()
    if engine:
        raise ValidationError("Give either engine or spark_conn_id, not both")
    try:
        connection = ProviderHook.get_connection(spark_conn_id)
    except AirflowNotFoundException:
        raise NotFoundError(
            f"{missing_connection_message(spark_conn_id)}. Create it with the type {CONNECTION_TYPE!r} "
            f"({creation_advice(spark_conn_id, CONNECTION_TYPE)}), or leave spark_conn_id out to read with "
            "[aporia] engine"
        ) from None
    _mask(connection.password)
    return _read(connection, spark_conn_id).url


def _mask(token: str | None) -> None:
    # Airflow masks the token as stored, but a URL contains it percent-encoded.
    if token and quote(token, safe="") != token:
        from airflow.sdk.log import mask_secret

        mask_secret(quote(token, safe=""))


def _read(connection: Connection, conn_id: str) -> Endpoint:
    from aporia_provider.engine.endpoints import Endpoint

    host, port, tls, faults = _address(connection)
    extra, of_extra = _extra(connection)
    if extra.get("use_ssl") not in (None, "") and str(extra["use_ssl"]).lower() not in ("true", "false"):
        of_extra.append("use_ssl is neither true nor false")
    credentials = {"user_id": connection.login, "token": connection.password}
    parameters = {name: value for name, value in credentials.items() if value}
    if tls or str(extra.get("use_ssl")).lower() == "true":
        parameters["use_ssl"] = "true"
    further, of_parameters = _parameters(extra.get("parameters"))
    endpoint = Endpoint(host, port, {**further, **parameters})
    faults += [*_type(connection), *of_extra, *of_parameters, *endpoint.faults()]
    if faults:
        raise ValidationError(
            f"The Airflow connection {conn_id!r} does not describe a Spark Connect server", problems=faults
        )
    return endpoint


def _type(connection: Connection) -> list[str]:
    if connection.conn_type == CONNECTION_TYPE:
        return []
    return [f"its type is {connection.conn_type!r} instead of {CONNECTION_TYPE!r}"]


def _address(connection: Connection) -> tuple[str, int | None, bool, list[str]]:
    """Return host, port, whether the host requires TLS, and a list of problems."""
    from aporia_provider.engine.endpoints import parse_address, port_faults

    scheme, _, address = (connection.host or "").strip().rpartition("://")
    address, _, rest = address.partition("/")
    address, semicolon, _ = address.partition(";")
    host, port, faults = parse_address(address)
    if scheme not in ("", "sc", "https"):
        faults.append(f"the host begins with {scheme}://: write only the name of the host")
    if rest or semicolon:
        faults.append(
            "the host is followed by a path or by parameters: the token must be set in the password, "
            "other parameters in the object 'parameters' of the extra"
        )
    if connection.schema:
        faults.append("it has a schema, which is not used: leave it empty")
    if port and connection.port and port != connection.port:
        faults.append(f"the host contains port {port}, but the port field is {connection.port}")
    tls = scheme == "https"
    faults += port_faults(connection.port)
    return host, connection.port or port or (_TLS_PORT if tls else None), tls, faults


def _extra(connection: Connection) -> tuple[Mapping[str, Any], list[str]]:
    """Return the extra of a connection and a list of problems."""
    try:
        extra = json.loads(connection.extra or "{}")
    except ValueError:
        extra = None
    if not isinstance(extra, dict):
        return {}, ["the extra is not a JSON object"]
    unknown = sorted(set(extra) - set(_FIELDS))
    return extra, [
        f"the extra has unknown key {name!r}; supported are use_ssl and an object 'parameters', whose "
        "entries are sent as headers"
        for name in unknown
    ]


def _parameters(given: Any) -> tuple[dict[str, str], list[str]]:
    """Return the additional parameters and a list of problems, which do not include parameter values."""
    if given in (None, ""):
        return {}, []
    if not isinstance(given, dict):
        return {}, ["parameters in the extra is not a JSON object"]
    faults = [
        f"parameters in the extra has {name!r}, which must be set in the {_OWN_FIELDS[name.lower()]}"
        for name in given
        if name.lower() in _OWN_FIELDS
    ]
    kept = {name.lower(): value for name, value in given.items() if name.lower() not in _OWN_FIELDS}
    texts = {name: str(value) for name, value in kept.items() if _is_text(value)}
    faults += [f"the parameter {name!r} is neither text nor a number" for name in kept if name not in texts]
    return texts, faults


def _is_text(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)
