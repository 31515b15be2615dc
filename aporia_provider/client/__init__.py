"""Synchronous and asynchronous HTTP clients of the protocol."""

from aporia_provider.client.http import AporiaClient, AsyncAporiaClient
from aporia_provider.client.retries import Retries

__all__ = ["AporiaClient", "AsyncAporiaClient", "Retries"]
