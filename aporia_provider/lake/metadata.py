"""What the log of a Delta table says about the table as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TableMetadata:
    """
    What the log says about the table as a whole.

    :param uri: Where it is.
    :param table_id: Id that stays for the table's life; another id means another table in its place.
    :param version: Version it was read at.
    :param columns: Name and type of each column, in order; types as Spark writes them in JSON.
    :param partition_columns: Names of the columns it is partitioned by.
    :param physical_names: Physical to logical name of each column (the same without column mapping).
    :param reader_features: Names of protocol features a reader has to know.
    """

    uri: str
    table_id: str
    version: int
    columns: tuple[tuple[str, Any], ...]
    partition_columns: tuple[str, ...]
    physical_names: dict[str, str]
    reader_features: tuple[str, ...]
