"""FastAPI application that serves the protocol over HTTP."""

from aporia_provider.backend.server.app import create_app

__all__ = ["create_app"]
