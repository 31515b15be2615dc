"""Endpoints of Spark Connect: parsing and validation of URLs ``sc://host:port/;key=value``."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import quote, unquote, urlsplit

from aporia_provider.errors import ValidationError

SCHEME = "sc://"
USER_ID, TOKEN, USE_SSL, USER_AGENT, SESSION_ID = "user_id", "token", "use_ssl", "user_agent", "session_id"
_CLIENT_PARAMETERS = frozenset({USER_ID, TOKEN, USE_SSL, USER_AGENT, SESSION_ID})
# These two are sent as strings in messages, not as headers.
_FREE_TEXT_PARAMETERS = frozenset({USER_ID, USER_AGENT})
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
_NAME = re.compile(r"[0-9a-z_.-]+")
_HEADER = re.compile(r"[!-~](?:[ -~]*[!-~])?")


@dataclass(frozen=True)
class Endpoint:
    """
    A Spark Connect server, with the parameters of its URL.

    ``str()`` returns the address without the parameters, which may contain secrets.

    :param host: Host name or IP address.
    :param port: Port. Default: 15002, set by the client.
    :param parameters: Parameters of the URL. ``token``, ``user_id``, ``use_ssl``, ``user_agent`` and
        ``session_id`` are options of the client; all others are sent as headers.
    """

    host: str
    port: int | None = None
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """
        Parse a URL.

        :raises aporia_provider.errors.ValidationError: if the URL is invalid. The problems do not contain the
            values of parameters.
        """
        address, _, parameter_text = url.removeprefix(SCHEME).partition("/")
        address, semicolon, misplaced_parameters = address.partition(";")
        path, _, parameter_text = f"{parameter_text};{misplaced_parameters}".partition(";")
        host, port, faults = parse_address(address)
        if semicolon:
            faults.append("the parameters begin without a '/': write sc://host:port/;key=value")
        if path:
            faults.append("the host is followed by a path")
        items = [item.partition("=") for item in parameter_text.split(";") if item]
        parameters = {name.lower(): unquote(value) for name, _, value in items}
        faults += _faults_in_url(parameters)
        if faults:
            display_url = str(cls(host, port)) if host else f"{SCHEME}…"
            raise ValidationError(
                f"The URL {display_url} of a Spark Connect server is not valid", problems=faults
            )
        return cls(host, port, parameters)

    @property
    def url(self) -> str:
        """URL with the values of its parameters in clear text."""
        parameters = (f";{name}={quote(value, safe='')}" for name, value in self.parameters.items())
        return f"{self}/{''.join(parameters)}"

    def faults(self) -> list[str]:
        """Return the faults of the parameters, without their values."""
        faults = ((name, parameter_fault(name, value)) for name, value in self.parameters.items())
        return [f"the parameter {name!r} {fault}" for name, fault in faults if fault]

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{SCHEME}{host}" + ("" if self.port is None else f":{self.port}")


def parse_address(address: str) -> tuple[str, int | None, list[str]]:
    """
    Parse ``host`` or ``host:port``.

    :return: The host, the port, and their faults.
    """
    if address.count(":") > 1 and "[" not in address:
        address = f"[{address}]"
    _, separator, address = address.rpartition("@")
    faults = ["the host has a user or a password before an '@'"] if separator else []
    if invalid_character := re.search(r"[?#]", address):
        return "", None, [*faults, f"the host has a {invalid_character[0]!r}"]
    try:
        parts = urlsplit(f"//{address}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "", None, [*faults, "the port is not a number from 1 to 65535, or the host is not a name"]
    if not host:
        faults.append("the host is missing")
    elif not _HOST.fullmatch(host):
        faults.append("the host is not a name or an IP address")
        host = ""
    return host, port, [*faults, *port_faults(port)]


def port_faults(port: int | None) -> Iterator[str]:
    """Yield the faults of a port."""
    if port is not None and not 0 < port < 65536:
        yield f"the port {port} is not from 1 to 65535"


def parameter_fault(name: str, value: str) -> str | None:
    """Return the fault of a parameter as the end of a sentence; None if it is valid."""
    if not _NAME.fullmatch(name) or name.endswith("-bin") or name.startswith("grpc-"):
        return "cannot be set as a header by a client"
    if not value:
        return "has no value"
    if name == USE_SSL and value.lower() not in ("true", "false"):
        return "is neither true nor false"
    if name == SESSION_ID and not _is_uuid(value):
        return "is not a UUID"
    if name not in _FREE_TEXT_PARAMETERS and not _HEADER.fullmatch(value):
        return (
            "has a space or a line break at its start or end, or a character other than printable ASCII, "
            "which a header cannot have"
        )
    return None


def _faults_in_url(parameters: Mapping[str, str]) -> Iterator[str]:
    for number, (name, value) in enumerate(parameters.items(), 1):
        # An unknown name may be part of a token that contains a semicolon, so it is not shown.
        display_name = (
            repr(name) if name in _CLIENT_PARAMETERS or name.startswith("x-") else f"number {number}"
        )
        if fault := parameter_fault(name, value):
            yield f"the parameter {display_name} {fault}"


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
