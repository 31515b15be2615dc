"""The calls of the protocol over HTTP, for callers that wait and for callers that await."""

from aporia_provider.client.http import AporiaClient, AsyncAporiaClient
from aporia_provider.client.retries import Retries

__all__ = ["AporiaClient", "AsyncAporiaClient", "Retries"]
