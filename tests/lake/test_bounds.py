"""Bounds contain the values, whatever a writer has made of them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aporia_provider.lake.log.file_statistics import FileStatistics
from aporia_provider.lake.log.table import DeltaLog
from tests.lake.columns import WRITERS, columns, write
from tests.sizes import sized

LAST_SECOND = datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC).replace(tzinfo=None)
"""The second before 1970, without a time zone."""


def statistics(folder: Path) -> FileStatistics:
    return DeltaLog(folder.as_uri()).files()


@pytest.mark.slow
@settings(max_examples=sized(20, 80))
@example((pa.decimal128(38, 0), [[Decimal(10**37)], [Decimal(10**36), Decimal(1)]]), "json")
@example((pa.decimal128(18, 18), [[Decimal("-0.013478557558579658")]]), "json")
@example((pa.decimal128(38, 18), [[Decimal("21.534958907946629730")]]), "checkpoint")
@example((pa.decimal128(38, 0), [[Decimal(-(2**62) - 1)], [Decimal(2**62 + 1)]]), "parsed")
@example((pa.timestamp("us", "UTC"), [[datetime(2024, 1, 1, 0, 0, 0, 999_999, UTC)]]), "json")
@example((pa.timestamp("us"), [[LAST_SECOND.replace(microsecond=999_999)]]), "spark")
@given(columns(), st.sampled_from(WRITERS))
def test_all_values_are_between_them(drawn: tuple[pa.DataType, list[list[Any]]], writer: str) -> None:
    type_, files = drawn
    with TemporaryDirectory() as folder:
        write(Path(folder), writer, [pa.table({"v": pa.array(values, type_)}) for values in files])
        found = statistics(Path(folder)).bounds("v")
        values = [v for values in files for v in values if v is not None and v == v]
        if found is not None:
            assert all(found[0] <= value <= found[1] for value in values), (found, values)


@pytest.mark.parametrize(
    ("type_", "value", "expected"),
    [
        (pa.decimal128(10, 2), Decimal("19.99"), (Decimal("19.99"), Decimal("19.99"))),
        # Beyond 64 bits the writer has written 9223372036854775807.
        (pa.decimal128(38, 0), Decimal(10**30), None),
        (pa.int64(), 2**63 - 1, (2**63 - 1, 2**63 - 1)),
        (pa.float64(), float("inf"), None),
        (pa.string(), "a" * 20, ("a" * 20, "a" * 20)),
        # Of these the writer has written nothing below milliseconds.
        (
            pa.timestamp("us", "UTC"),
            datetime(2024, 1, 1, 0, 0, 0, 475, UTC),
            (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, 0, 0, 0, 999, UTC)),
        ),
        (
            pa.timestamp("us"),
            LAST_SECOND.replace(microsecond=999_475),
            (
                LAST_SECOND.replace(microsecond=999_000),
                LAST_SECOND.replace(microsecond=999_999),
            ),
        ),
    ],
)
def test_they_are_as_narrow_as_the_log_allows(tmp_path: Path, type_: Any, value: Any, expected: Any) -> None:
    write_deltalake(tmp_path, pa.table({"v": pa.array([value], type_)}))
    assert statistics(tmp_path).bounds("v") == expected


def test_values_of_partitions_are_not_rounded(tmp_path: Path) -> None:
    rows = pa.table({"v": pa.array([Decimal(10**30)], pa.decimal128(38, 0)), "n": [1]})
    write_deltalake(tmp_path, rows, partition_by=["v"])
    found = statistics(tmp_path)
    assert found.bounds("v") == (Decimal(10**30), Decimal(10**30))
    assert found.seemingly_constant_columns(["v", "n"]) == []
