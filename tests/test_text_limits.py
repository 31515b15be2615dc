"""Texts of a user have a limit, and the time that it takes to read one grows with its length alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from aporia_provider.base_model import MAX_TEXT
from aporia_provider.data_sources import JDBCDataSource, S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.errors import ValidationError
from aporia_provider.metrics import MetricDataset, MetricParameters, TimeRange
from aporia_provider.models import Model, Monitor

_REPEATED = r"""token password a . - / // //a: : @ ? & ; ?token &a= = ' { {{ }} {% ( ) [ ] \ % %41 s3:
s3:// jdbc: é 1 2024-"""
REPEATED = _REPEATED.split()


def jdbc(text: str) -> Any:
    return JDBCDataSource(url=f"jdbc:x://h/d?{text}", query="SELECT 1").serialize()


def option(text: str) -> Any:
    source = S3DataSource(object_path="b/k", object_format="csv", read_options={"a": f"https://h/?{text}"})
    return source.serialize(), repr(source)


def path(text: str) -> Any:
    source = S3DataSource(object_path=f"s3://b/{text}", object_format="csv")
    return source.uri, source.serialize()


READERS: list[Callable[[str], Any]] = [
    jdbc,
    option,
    path,
    lambda text: TimeRange(start=text, end="2024-01-01"),  # type: ignore[arg-type]
    lambda text: MetricDataset(time_period=f"1{text}"),
    lambda text: MetricParameters(threshold=text, quantile=text),  # type: ignore[arg-type]
    lambda text: DatasetConnection.from_wire({"name": "serving", "sync": {"schedule": f"0 * * * {text}"}}),
]


def seconds(read: Callable[[str], Any], text: str) -> float:
    """Least processor time of three tries."""
    found = []
    for _ in range(3):
        began = time.process_time()
        with suppress(ValidationError):
            read(text)
        found.append(time.process_time() - began)
    return min(found)


@pytest.mark.slow
@pytest.mark.parametrize("repeated", REPEATED)
def test_four_times_the_text_takes_four_times_as_long(repeated: str) -> None:
    short, long = (repeated * (length // len(repeated)) for length in (20_000, 80_000))
    for read in READERS:
        # It would be 16 times as long for a quadratic reader.
        assert seconds(read, long) < 9 * max(seconds(read, short), 0.02)


def monitor(name: str) -> Any:
    return Monitor(name=name, type="data_drift", scheduling="0 * * * *", configuration={"a": 1})


def source(text: str) -> Any:
    return S3DataSource(object_path="b/k", object_format="csv", read_options={"a": text})


@pytest.mark.parametrize(
    ("make", "limit"),
    [
        (lambda text: Model(id="m", name=text), 255),
        (lambda text: Model(id="m", name="n", owner=text), 255),
        (lambda text: Model(id="m", name="n", description=text), 10_000),
        (monitor, 255),
        (lambda text: JDBCDataSource(url="jdbc:x://h", query=text), MAX_TEXT),
        (lambda text: JDBCDataSource(url=f"jdbc:{text[5:]}", query="q"), MAX_TEXT),
        (source, MAX_TEXT),
        (lambda text: S3DataSource(object_path=f"b/{text[2:]}", object_format="csv"), MAX_TEXT),
    ],
)
def test_texts_have_a_limit(make: Callable[[str], Any], limit: int) -> None:
    make("a" * limit)
    with pytest.raises(ValidationError) as error:
        make("a" * (limit + 1))
    assert f"at most {limit} characters" in error.value.message
