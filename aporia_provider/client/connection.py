"""Connection parameters of a client, and conversion of HTTP responses and transport errors."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aporia_provider.client.calls import Calls
from aporia_provider.client.environment import Environment
from aporia_provider.client.error_redaction import redacted
from aporia_provider.client.error_responses import parse, seconds_to_wait
from aporia_provider.client.messages import Reply, Request
from aporia_provider.client.retries import LostRequest, Retries
from aporia_provider.errors import AporiaError, ValidationError

if TYPE_CHECKING:
    import httpx2


_PLAIN = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"})
"""Reasons that versions of OpenSSL give for bytes that are not TLS, such as a reply of plain HTTP."""


class Connection:
    """
    Part of a client that the synchronous and the asynchronous one share.

    :param base_url: URL of the server, with scheme ``http`` or ``https``.
    :param token: Token of the environment.
    :param environment: Environment that all calls read and write; None for the environment of the token.
        Before the first call, this project's server is asked for it, and the call fails if the token belongs
        to another environment.
    :param default_environment: Environment if none is given and the server returns none.
    :param timeout: Timeout of a request in seconds without progress.
    :param verify_ssl: Whether to verify the server's certificate.
    :param retries: Retry policy for transient failures.
    :raises aporia_provider.errors.ValidationError: if the URL, the token or the environment is invalid.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        environment: str | None = None,
        *,
        default_environment: str = "default",
        timeout: float = 30.0,
        verify_ssl: bool = True,
        retries: Retries | None = None,
    ) -> None:
        if not (environment is None or environment.strip()) or not default_environment.strip():
            raise ValidationError("The environment is empty")
        self.base_url = _checked_url(base_url)
        self._environment = Environment(self.base_url, environment, default_environment)
        self._token = _checked_token(token)
        self._timeout = timeout
        self.calls = Calls(self._environment)
        self.retries = retries or Retries()
        _quieten()
        # Loading the trusted certificates takes 40 ms. Without TLS they are not used, since redirects, which
        # could lead to TLS, are not followed.
        verify = verify_ssl and self.base_url.startswith("https:")
        self.options: dict[str, Any] = {
            "verify": verify,
            "headers": self._headers(),
            "follow_redirects": False,
        }

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self.base_url!r}, environment={self._environment.name!r})"

    def _headers(self) -> dict[str, str]:
        from aporia_provider import __version__
        from aporia_provider.api import PRODUCT

        return {
            "Authorization": f"Bearer {self._token}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": f"{PRODUCT}/{__version__}",
        }

    def sent(self, request: Request) -> dict[str, Any]:
        """
        Return the keyword arguments of the HTTP library's ``request``.

        :raises aporia_provider.errors.ValidationError: if its body cannot be written as JSON.
        """
        import httpx2

        timeout = httpx2.Timeout(max(self._timeout, request.timeout or 0), connect=self._timeout)
        url = self.base_url + request.path
        return {"method": request.method, "url": url, "content": request.content(), "timeout": timeout}

    def reply(self, request: Request, response: httpx2.Response) -> Reply:
        """Return the reply for a response. Secrets are removed from error responses, which may echo them."""
        body, is_json = parse(response.content)
        if not response.is_success:
            body = self._without_secrets(request, body)
        wait = seconds_to_wait(response.headers.get("Retry-After"))
        return Reply(request, response.status_code, body, is_json, retry_after=wait)

    def _without_secrets(self, request: Request, value: Any) -> Any:
        try:
            return redacted(value, (self._token, *request.secrets))
        except RecursionError:
            return None

    def lost(self, request: Request, error: Exception) -> LostRequest:
        """
        Convert an error of the transport to a lost request.

        :raises aporia_provider.errors.AporiaError: if a repeated request would fail in the same way.
        """
        import httpx2

        text = f"{self.base_url}: {type(error).__name__}: {error}".rstrip(": ")
        if isinstance(error, httpx2.ConnectError) and _ssl_reason(error) in _PLAIN:
            # Not retried, since the result would be the same.
            plain = self.base_url.replace("https:", "http:", 1)
            advice = f"If the server uses plain HTTP, write {plain}"
            raise _permanent(request, f"{self.base_url} does not respond with TLS. {advice}") from None
        text = self._without_secrets(request, text)
        if not isinstance(error, httpx2.TransportError) or _is_permanent(error):
            raise _permanent(request, text) from None
        unsent = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)
        return LostRequest(text, may_have_arrived=not isinstance(error, unsent))


def _permanent(request: Request, reason: str) -> AporiaError:
    return AporiaError(f"{request.description} failed: {reason} ({request.method} {request.path})")


def _quieten() -> None:
    """Suppress the HTTP library's log line for each request unless the level of its logger is set."""
    logger = logging.getLogger("httpx2")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.WARNING)


def _checked_url(base_url: str) -> str:
    # Error messages do not contain the URL, which may contain credentials anywhere.
    import httpx2

    try:
        parts = urlsplit(base_url.strip())
        _ = parts.port
        httpx2.URL(base_url.strip())
    except (ValueError, httpx2.InvalidURL):
        raise ValidationError("The base URL is not a valid URL: check its host and port") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValidationError("The base URL has to start with http:// or https:// and a host")
    if "@" in parts.netloc:
        raise ValidationError("The base URL contains credentials; give the token separately")
    if parts.query or parts.fragment:
        raise ValidationError("The base URL must not contain a query (?) or a fragment (#)")
    return base_url.strip().rstrip("/")


def _checked_token(token: str) -> str:
    if not token or not all("!" <= char <= "~" for char in token):
        raise ValidationError("The token is empty, or contains invalid characters, such as a line break")
    return token


def _is_permanent(error: BaseException) -> bool:
    import httpx2

    if isinstance(error, (httpx2.LocalProtocolError, httpx2.UnsupportedProtocol)):
        return True
    return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error))


def _ssl_reason(error: BaseException) -> str | None:
    reasons = (cause.reason for cause in _causes(error) if isinstance(cause, ssl.SSLError))
    return next(reasons, None)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
