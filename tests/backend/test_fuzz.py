"""Whatever is sent, the answer is one of those the OpenAPI document promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.pytest.lazy import get_all_tests
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from aporia_provider.backend.registry import Registry
from aporia_provider.backend.server.app import create_app
from aporia_provider.backend.store.database import Database, migrate
from aporia_provider.models import Model
from aporia_provider.schema import VersionSchema
from tests.backend.running import Served, empty_postgres, serving, token_for
from tests.processes import starts_process
from tests.sizes import sized

pytestmark = pytest.mark.very_slow

# The document is made of the routes alone, before there is any database.
DOCUMENT = create_app(cast("Database", None)).openapi()
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
# The token is the test's own business: left to itself, the fuzzer leaves it out now and then.
SCHEMA.config.generation.update(with_security_parameters=False)
OPERATIONS = [(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods]
OPEN = {"/health"}
CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]
KNOWN = {"model_id": "m", "version": "v1", "name": "serving", "key": "a"}


class Target:
    """A server with a model and a version that requests can meet."""

    def __init__(self, server: Served, url: str) -> None:
        self.server = server
        self.url = url
        self.token = token_for(url, "fuzz")

    def restock(self) -> None:
        fields: dict[str, Any] = {"features": {"a": "numeric"}, "predictions": {"p": "boolean"}}
        with Database(self.url) as database:
            registry = Registry(database, "fuzz")
            registry.create_model(Model(id="m", name="M"), if_exists="skip")
            registry.create_model_version("m", "v1", VersionSchema(model_type="binary", **fields))


@pytest.fixture(scope="module")
@starts_process()
def targets(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Target]]:
    """A server on SQLite and one on PostgreSQL: making a request takes longer than answering it twice."""
    sqlite_url = f"sqlite:///{tmp_path_factory.mktemp('fuzz')}/aporia.db"
    with empty_postgres(postgres_url) as url:
        migrate(url)
        with serving(sqlite_url) as first, serving(url) as second:
            yield [Target(first, sqlite_url), Target(second, url)]


@pytest.fixture
def stocked(targets: list[Target]) -> list[Target]:
    for target in targets:
        target.restock()
    return targets


def send(method: str, path: str, test: Callable[..., None], targets: list[Target]) -> None:
    """
    Run a test with many requests for an operation.

    ``SCHEMA.parametrize`` makes the requests when tests are collected. It takes half a minute, which every
    process of a run would spend, and ``make check`` as well.
    """
    (result,) = get_all_tests(
        schema=SCHEMA.include(method=method, path=path), test_func=test, settings=None, given_kwargs={}
    )
    _, run = result.ok()
    run(targets=targets)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_answer_is_a_documented_one(method: str, path: str, stocked: list[Target]) -> None:
    send(method, path, answers_are_documented, stocked)


@settings(
    max_examples=sized(4, 20),
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def answers_are_documented(case: schemathesis.Case, targets: list[Target]) -> None:
    # Half of the requests are for what is there: they get further than the others.
    for name, value in case.path_parameters.items():
        if len(str(value)) % 2:
            case.path_parameters[name] = KNOWN.get(name, value)
    for target in targets:
        case.headers["Authorization"] = f"Bearer {target.token}"
        reply = case.call(base_url=target.server.url, timeout=60)
        assert reply.status_code != 401
        case.validate_response(reply, checks=CHECKS)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_nothing_is_answered_without_a_token(method: str, path: str, stocked: list[Target]) -> None:
    send(method, path, answers_need_a_token, stocked)


@settings(
    max_examples=sized(1, 5),
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def answers_need_a_token(case: schemathesis.Case, targets: list[Target]) -> None:
    case.headers["Authorization"] = "Bearer guessed"
    for target in targets:
        reply = case.call(base_url=target.server.url, timeout=60)
        assert reply.status_code == (200 if case.operation.path in OPEN else 401)
