"""Processes that request the same at the same time."""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from aporia_provider.backend.registry import Registry
from aporia_provider.backend.store.database import Database, migrate
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.errors import ConflictError, NotFoundError, ValidationError
from aporia_provider.models import Model, Monitor
from aporia_provider.schema import VersionSchema
from tests.backend.killable import poll
from tests.sizes import sized

pytestmark = pytest.mark.very_slow

PROCESSES = sized(12, 50)

Work = Callable[[Registry, int], str]


def race(url: str, work: Work) -> list[str]:
    """What ``work`` answered in each of the processes, each with a registry of its own."""

    def with_registry(number: int) -> str:
        with Database(url) as database:
            return work(Registry(database, "prod"), number)

    return run_at_once(with_registry)


def run_at_once(work: Callable[[int], str], processes: int = PROCESSES) -> list[str]:
    """What ``work`` answered, or its error with what it lists, in each of the processes."""
    context = multiprocessing.get_context("fork")
    barrier, answers = context.Barrier(processes), context.SimpleQueue()
    racers = [
        context.Process(target=_run, args=(work, number, barrier, answers), daemon=True)
        for number in range(processes)
    ]
    for racer in racers:
        racer.start()
    found = [_next(answers) for _ in racers]
    for racer in racers:
        racer.join()
    return found


def _next(answers: Any) -> str:
    poll(lambda: not answers.empty(), 120)
    return str(answers.get())


def _run(work: Callable[[int], str], number: int, barrier: Any, answers: Any) -> None:
    try:
        barrier.wait(120)
        answer = work(number)
    except ConflictError as error:
        answer = f"conflict {number}: {error.differences}"
    except ValidationError as error:
        answer = f"invalid: {error.message}"
    except BaseException as error:
        answer = f"failure: {error!r}"
    answers.put(answer)
    # Not sys.exit: what the parent would stop when it ends, such as its servers, is not this process's.
    os._exit(0)


def schema(feature: str) -> VersionSchema:
    return VersionSchema(model_type="binary", features={feature: "numeric"}, predictions={"p": "boolean"})


def register_the_same(registry: Registry, number: int) -> str:
    registry.create_model(Model(id="churn", name="Churn", tags={"a": "b"}))
    return registry.create_model_version("churn", "v1", schema("age"))["status"]


def register_another(registry: Registry, number: int) -> str:
    registry.create_model(Model(id="churn", name="Churn"))
    registry.create_model_version("churn", "v1", schema(f"feature{number}"))
    return f"created {number}"


def everything(registry: Registry, number: int) -> str:
    register_the_same(registry, number)
    source = S3DataSource(object_path="b/k", object_format="delta")
    registry.connect_dataset(
        "churn",
        "v1",
        DatasetConnection(role="serving", data_source=source, id_column="id", timestamp_column="at"),
    )
    registry.set_feature_importance("churn", "v1", {"age": number})
    monitor = Monitor(name="m", type="data_drift", scheduling="0 * * * *", configuration={"a": 1})
    return registry.create_monitor(monitor)["id"]


def tag(registry: Registry, number: int) -> str:
    registry.create_model(Model(id="churn", name="Churn"))
    registry.add_model_tags("churn", {f"tag{number}": "x"})
    return "tagged"


# The file of SQLite is not there yet, so its migration is part of every race.
def test_the_same_version_is_registered_once(ready_url: str) -> None:
    answers = race(ready_url, register_the_same)
    assert Counter(answers) == {"created": 1, "unchanged": PROCESSES - 1}
    with Database(ready_url) as database:
        assert len(Registry(database, "prod").get_model_versions("churn")) == 1


def test_of_differing_versions_one_wins_and_the_others_learn_the_difference(ready_url: str) -> None:
    answers = race(ready_url, register_another)
    (winner,) = (answer for answer in answers if answer.startswith("created"))
    feature = f"feature{winner.split()[1]}"
    losers = {answer for answer in answers if answer.startswith("conflict")}
    assert losers == {
        f"conflict {number}: {_differences(feature, f'feature{number}')}"
        for number in range(PROCESSES)
        if f"feature{number}" != feature
    }
    with Database(ready_url) as database:
        (version,) = Registry(database, "prod").get_model_versions("churn")
    assert version["registration"]["version_schema"]["features"] == {feature: "numeric"}


def _differences(registered: str, given: str) -> list[str]:
    fields, positions = "version_schema.features", "version_schema.feature_positions"
    return [
        f"{fields}.{registered}: 'numeric' is registered, nothing was given",
        f"{fields}.{given}: nothing is registered, 'numeric' was given",
        f"{positions}.{registered}: 0 is registered, nothing was given",
        f"{positions}.{given}: nothing is registered, 0 was given",
    ]


def test_every_kind_of_registration_is_made_once(ready_url: str) -> None:
    answers = race(ready_url, everything)
    assert len(set(answers)) == 1
    assert not answers[0].startswith(("failure", "conflict", "invalid"))


def test_the_limit_of_tags_holds(ready_url: str) -> None:
    answers = Counter(race(ready_url, tag))
    assert answers == {
        "tagged": 10,
        "invalid: Model 'churn' would have 11 tags; it can have 10": PROCESSES - 10,
    }


def delete_it(registry: Registry, number: int) -> str:
    for attempt in range(5):
        registry.create_model(Model(id=f"model{attempt}", name="Name"), if_exists="skip")
        # Another one may have deleted it between the two calls.
        with suppress(NotFoundError):
            registry.delete_model(f"model{attempt}")
    return "deleted"


def test_a_model_is_deleted_by_many_at_once(ready_url: str) -> None:
    assert Counter(race(ready_url, delete_it)) == {"deleted": PROCESSES}


@pytest.mark.parametrize("attempt", range(3))
def test_a_file_that_is_not_there_is_made_once(sqlite_url: str, attempt: int) -> None:
    assert set(race(sqlite_url, lambda registry, _: registry.environment)) == {"prod"}


def test_postgresql_is_migrated_once(postgres_database_url: str) -> None:
    def prepare(_: int) -> str:
        migrate(postgres_database_url)
        with Database(postgres_database_url) as database:
            return Registry(database, "prod").environment

    assert set(run_at_once(prepare, 10)) == {"prod"}


def test_a_fork_leaves_the_connections_of_its_parent_alone(ready_url: str) -> None:
    with Database(ready_url) as database:
        registry = Registry(database, "prod")
        registry.create_model(Model(id="churn", name="Churn"))
        backend = _connection_of(database)
        assert (
            run_at_once(lambda _: registry.create_model(Model(id="churn", name="Churn"))["status"], 5)
            == ["unchanged"] * 5
        )
        children = run_at_once(lambda _: _connection_of(database), 5)
        assert registry.create_model(Model(id="churn", name="Churn"))["status"] == "unchanged"
        assert _connection_of(database) == backend
    if backend != "file":
        assert len({backend, *children}) == 6


def _connection_of(database: Database) -> str:
    with database.read_transaction() as session:
        if database.engine.dialect.name == "sqlite":
            return "file"
        return str(session.connection().exec_driver_sql("SELECT pg_backend_pid()").scalar())
