"""Base class of the SDK's errors; see :mod:`aporia_provider.errors` for the others."""

from aporia_provider.errors import AporiaError

__all__ = ["AporiaError"]
