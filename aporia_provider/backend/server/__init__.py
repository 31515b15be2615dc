"""The protocol over HTTP, as a FastAPI application over the registry."""

from aporia_provider.backend.server.app import create_app

__all__ = ["create_app"]
