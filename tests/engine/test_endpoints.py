"""URLs of Spark Connect, held against what pyspark makes of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aporia_provider.engine.endpoints import Endpoint
from aporia_provider.errors import ValidationError
from tests.channels import read_by_pyspark

PRINTABLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)
HEADERS = st.dictionaries(st.from_regex(r"x-[a-z0-9-]{1,20}", fullmatch=True), PRINTABLE, max_size=3).filter(
    lambda headers: not any(name.endswith("-bin") for name in headers)
)


@pytest.mark.slow
@given(PRINTABLE, st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20), HEADERS)
def test_pyspark_reads_what_was_given(token: str, user: str, headers: dict[str, str]) -> None:
    endpoint = Endpoint("dbc-1.example.com", 443, {"token": token, "user_id": user, **headers})
    assert endpoint.faults() == []
    read = read_by_pyspark(endpoint.url)
    assert (read.endpoint, read.token, read.userId) == ("dbc-1.example.com:443", token, user)
    assert dict(read.metadata()) == headers
    assert Endpoint.parse(endpoint.url) == endpoint


@pytest.mark.parametrize(
    ("url", "address", "parameters"),
    [
        ("sc://spark", "spark:15002", {}),
        ("sc://spark:15003/", "spark:15003", {}),
        ("sc://[::1]:15003", "[::1]:15003", {}),
        ("sc://spark/;use_ssl=TRUE;user_id=J%C3%B6rg", "spark:15002", {"use_ssl": "TRUE", "user_id": "Jörg"}),
        # These two are not valid for pyspark, which would repeat the token in its error.
        ("sc://spark/;token=dG9rZW4=", "spark:15002", {"token": "dG9rZW4="}),
        ("sc://spark/;token=a/b;X-Team=red", "spark:15002", {"token": "a/b", "x-team": "red"}),
    ],
)
def test_urls_that_are_valid(url: str, address: str, parameters: dict[str, str]) -> None:
    endpoint = Endpoint.parse(url)
    assert endpoint.parameters == parameters
    assert read_by_pyspark(endpoint.url).endpoint == address
    assert "token" not in str(endpoint)
    assert "a/b" not in repr(endpoint)


@pytest.mark.parametrize(
    ("url", "faults"),
    [
        ("sc://", ["the host is missing"]),
        ("sc://:15002", ["the host is missing"]),
        ("sc://spark:port", ["the port is not a number from 1 to 65535, or the host is not a name"]),
        ("sc://spark:0", ["the port 0 is not from 1 to 65535"]),
        ("sc://a host", ["the host is not a name or an IP address"]),
        ("sc://spark:15002?token=planted", ["the host has a '?'"]),
        ("sc://spark/planted", ["the host is followed by a path"]),
        ("sc://spark;token=planted", ["the parameters begin without a '/': write sc://host:port/;key=value"]),
        (
            "sc://me:planted@spark:70000/planted;planted",
            [
                "the host has a user or a password before an '@'",
                "the port is not a number from 1 to 65535, or the host is not a name",
                "the host is followed by a path",
                "the parameter number 1 has no value",
            ],
        ),
        (
            "sc://spark/;token=planted%0A;use_ssl=yes;session_id=planted;x-team=;x-y-bin=planted;planted =1",
            [
                "the parameter 'token' has a space or a line break at its start or end, or a character other "
                "than printable ASCII, which a header cannot have",
                "the parameter 'use_ssl' is neither true nor false",
                "the parameter 'session_id' is not a UUID",
                "the parameter 'x-team' has no value",
                "the parameter 'x-y-bin' cannot be set as a header by a client",
                "the parameter number 6 cannot be set as a header by a client",
            ],
        ),
    ],
)
def test_every_fault_is_named_without_its_value(url: str, faults: list[str]) -> None:
    with pytest.raises(ValidationError) as caught:
        Endpoint.parse(url)
    assert caught.value.problems == faults
    assert "planted" not in caught.value.message
