"""The URL of a server that is named by a host, which may be a URL itself, and a port."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from aporia_provider.errors import ValidationError


def server_url(host: str, port: int | None, *, scheme: str = "https") -> str:
    """
    Make the URL of a server; a path in ``host`` is kept.

    :param host: Name of the host, or its URL, which may have the port.
    :param port: Port of the server; of the scheme without.
    :param scheme: Scheme of the URL if ``host`` has none.
    :raises aporia_provider.errors.ValidationError: without the value, which may hold a password.
    """
    base = (host if "://" in host else f"{scheme}://{host}").rstrip("/")
    try:
        parts = urlsplit(base)
        own_port = parts.port
    except ValueError:
        raise ValidationError("is neither the name of a host nor a URL: check its port") from None
    if own_port is not None and port not in (None, own_port):
        raise ValidationError(f"names port {own_port}, and port says {port}; give one of the two")
    if port is None or own_port is not None:
        return base
    return urlunsplit(parts._replace(netloc=f"{parts.netloc}:{port}"))
