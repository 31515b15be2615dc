"""Construction of a server's URL from a host, which may be a URL itself, and a port."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from aporia_provider.errors import ValidationError


def server_url(host: str, port: int | None, *, scheme: str = "https") -> str:
    """
    Return the URL of a server, with the path in ``host`` if there is one.

    :param host: Host name, or URL with or without a port.
    :param port: Port. Default: the port of the URL or of the scheme.
    :param scheme: Scheme of the URL if ``host`` has none.
    :raises aporia_provider.errors.ValidationError: if the port is invalid or given twice. The message does
        not contain ``host``, which may contain a password.
    """
    base = (host if "://" in host else f"{scheme}://{host}").rstrip("/")
    try:
        parts = urlsplit(base)
        own_port = parts.port
    except ValueError:
        raise ValidationError("is neither the name of a host nor a URL: check its port") from None
    if own_port is not None and port not in (None, own_port):
        raise ValidationError(f"contains port {own_port}, but port is {port}; give one of the two")
    if port is None or own_port is not None:
        return base
    return urlunsplit(parts._replace(netloc=f"{parts.netloc}:{port}"))
