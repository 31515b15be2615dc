"""What pyspark itself reads from the URL of a Spark Connect server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aporia_provider.engine.connecting import main_module_with_file

if TYPE_CHECKING:
    from pyspark.sql.connect.client import DefaultChannelBuilder


def read_by_pyspark(url: str) -> DefaultChannelBuilder:
    """The channel that pyspark would build for a URL."""
    # The main module of a worker of pytest-xdist has no file.
    with main_module_with_file():
        from pyspark.sql.connect.client import DefaultChannelBuilder
    return DefaultChannelBuilder(url)
