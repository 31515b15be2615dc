"""The base of all errors that the drop-in raises; see :mod:`aporia_provider.errors` for the others."""

from aporia_provider.errors import AporiaError

__all__ = ["AporiaError"]
