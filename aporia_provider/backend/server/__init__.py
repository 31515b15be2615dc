"""FastAPI application that serves the protocol over HTTP; see :mod:`aporia_provider.backend.server.app`."""
