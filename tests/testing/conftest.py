"""The fixtures under test, whether or not the installed package has their entry point."""

from aporia_provider.testing import *  # noqa: F403
