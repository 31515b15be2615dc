"""Registrations of the same names by many processes at once: each name is made once, and all learn of it."""

from __future__ import annotations

import json
import logging
import multiprocessing
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager
from random import Random
from typing import Any

import pytest

from aporia_provider.api import AporiaApi
from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.backend.store.database import Database, migrate
from aporia_provider.client import AporiaClient
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.errors import ConflictError
from aporia_provider.models import Model
from aporia_provider.schema import VersionSchema
from tests.backend.running import serving, token_for
from tests.backend.test_races import run_at_once
from tests.soak import RACES, SEED

log = logging.getLogger(__name__)
pytestmark = pytest.mark.timeout(2 * 3600)

RACERS = 10
VARIANTS = ("alpha", "beta")
KINDS = ("model", "version", "dataset")
WAYS = 3
"""SQLite, PostgreSQL, and a server with PostgreSQL."""
AT_ONCE = 10
"""Rounds after which the racers are started again."""
ROUNDS = -(-RACES // (RACERS * len(KINDS) * WAYS))
"""Each of the racers registers something of each kind in each of them."""
ENVIRONMENT = "prod"

Connect = Callable[[], AbstractContextManager[AporiaApi]]


def variant(number: int, round_: int) -> str:
    """Which of two definitions a racer registers; in every third round all register the same."""
    return VARIANTS[Random(f"{SEED} {number} {round_}").randrange(2)] if round_ % 3 else VARIANTS[0]


def register(api: AporiaApi, kind: str, round_: int, which: str) -> dict[str, Any]:
    """Register one of two definitions of a name."""
    name = f"model{round_}"
    if kind == "model":
        return dict(api.create_model(Model(id=name, name=f"Name {which}")))
    if kind == "version":
        schema = VersionSchema(model_type="binary", features={which: "numeric"}, predictions={"p": "boolean"})
        return dict(api.create_model_version(name, "v1", schema))
    source = S3DataSource(object_path=f"bucket/{which}", object_format="delta")
    columns = {"id_column": "id", "timestamp_column": "at"}
    return dict(
        api.connect_dataset(name, "v1", DatasetConnection(role="serving", data_source=source, **columns))
    )


Answers = dict[tuple[int, str], list[tuple[str, str, str]]]
"""By round and kind: the variant that each racer registered, what it was answered, and the id."""


def race(connect: Connect) -> Answers:
    """Register everything."""
    found: Answers = {}
    for first in range(0, ROUNDS, AT_ONCE):
        found |= race_in(range(first, min(first + AT_ONCE, ROUNDS)), connect)
    return found


def race_in(rounds: range, connect: Connect) -> Answers:
    """Register what some rounds have."""
    barrier = multiprocessing.get_context("fork").Barrier(RACERS)

    def run(number: int) -> str:
        answers = []
        with connect() as api:
            for round_ in rounds:
                for kind in KINDS:
                    which = variant(number, round_)
                    barrier.wait(120)
                    answers.append((round_, kind, which, *answer(api, kind, round_, which)))
        return json.dumps(answers)

    found = defaultdict(list)
    for reported in run_at_once(run, RACERS):
        assert reported.startswith("["), f"{reported}; seed {SEED}"
        for round_, kind, *rest in json.loads(reported):
            found[round_, kind].append(tuple(rest))
    return dict(found)


def answer(api: AporiaApi, kind: str, round_: int, which: str) -> tuple[str, str]:
    """The status and the id, or that there is a conflict, and with what."""
    try:
        registered = register(api, kind, round_, which)
    except ConflictError as error:
        return "conflict", " ".join(error.differences)
    return registered["status"], registered["id"]


def check(url: str, found: Answers) -> None:
    """Each name is there once, as the racer registered it that was told so, and the others learned of it."""
    stored = rows(url)
    assert set(stored) == {(f"model{round_}", kind) for round_, kind in found}, f"seed {SEED}"
    for (round_, kind), answers in found.items():
        reported = f"{kind} of round {round_}: {answers}; seed {SEED}"
        (definition, key) = stored[f"model{round_}", kind]
        assert len(answers) == RACERS, reported
        assert [which for which, status, _ in answers if status == "created"] == [definition], reported
        for which, status, rest in answers:
            if which == definition:
                assert (status, rest) in (("created", key), ("unchanged", key)), reported
            else:
                assert status == "conflict", reported
                assert definition in rest, reported


def rows(url: str) -> dict[tuple[str, str], tuple[str, str]]:
    """Model and kind to the definition and the id of every row, read without the code under test."""
    versions = "aporia_version v JOIN aporia_model m ON m.key = v.model_key"
    query = {
        "model": "SELECT m.id, m.registration, m.id FROM aporia_model m",
        "version": f"SELECT m.id, v.registration, v.id FROM {versions}",
        "dataset": "SELECT m.id, d.registration, d.id FROM aporia_dataset d "
        f"JOIN ({versions}) ON v.key = d.version_key",
    }
    found = {}
    with Database(url) as database, database.read_transaction() as session:
        for kind, text in query.items():
            for model, registration, key in session.connection().exec_driver_sql(text):
                assert (model, kind) not in found, f"{kind} of {model} is there twice"
                found[model, kind] = (_definition(kind, registration), key)
    return found


def _definition(kind: str, registration: Any) -> str:
    """Which of the two it is."""
    reported = json.loads(registration) if isinstance(registration, str) else registration
    if kind == "model":
        return str(reported["name"].split()[1])
    if kind == "version":
        (feature,) = reported["version_schema"]["features"]
        return str(feature)
    return str(reported["data_source"]["config"]["object_path"].split("/")[1])


def test_registrations_that_race(ready_url: str) -> None:
    began = time.monotonic()
    found = race(lambda: EmbeddedRegistry(ready_url, ENVIRONMENT))
    report(began)
    check(ready_url, found)


def test_registrations_that_race_through_a_server(postgres_database_url: str) -> None:
    migrate(postgres_database_url)
    token = token_for(postgres_database_url, ENVIRONMENT)
    with serving(postgres_database_url) as server:
        began = time.monotonic()
        found = race(lambda: AporiaClient(server.url, token, ENVIRONMENT))
        report(began)
        check(postgres_database_url, found)


def report(began: float) -> None:
    """Log how many there were, and how fast."""
    count, seconds = ROUNDS * RACERS * len(KINDS), time.monotonic() - began
    log.info("%d registrations in %.0f s", count, seconds)
