"""Which datasets are due, found by one look at the table of each, and that no work is ever left out."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.backend.store.sync_tables import BinsRow, SyncRow
from aporia_provider.backend.sync.due import decisions as reasons
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.errors import AporiaError, AuthenticationError, ValidationError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.log import latest_commits
from aporia_provider.lake.s3.iam_policies import read_policy
from tests import servers
from tests.backend.syncing import MODEL, NOWHERE, SCHEMA, VERSION, SyncedVersion, labelled, served, spread
from tests.conftest import S3
from tests.lake.strict_s3 import StrictS3, strict_s3
from tests.sizes import sized

pytestmark = pytest.mark.process


@pytest.fixture
def shared(ready_url: str, tmp_path: Path, engine: str) -> Iterator[SyncedVersion]:
    """A version on either database."""
    with EmbeddedRegistry(ready_url, "prod") as registry:
        yield SyncedVersion(tmp_path, registry, engine).register()


def connect_all(monitored: SyncedVersion) -> None:
    for role in ("training", "serving", "actuals"):
        monitored.connect(role)
        monitored.write(role, labelled(8, {"0/1.25/0": True}) if role == "actuals" else spread(1, 2, 2))


def sync_all(monitored: SyncedVersion) -> None:
    for role in ("training", "serving", "actuals"):
        monitored.sync(role)


@pytest.mark.parametrize(
    ("options", "faults"),
    [
        ({"limit": -1}, ["limit: -1 is not a whole number from 0"]),
        ({"limit": True}, ["limit: True is not a whole number from 0"]),
        (
            {"limit": "2", "now": datetime(2026, 1, 1)},  # noqa: DTZ001
            [
                "now: 2026-01-01T00:00:00 has no time zone; give it one, such as datetime.now(UTC)",
                "limit: '2' is not a whole number from 0",
            ],
        ),
        ({"now": "today"}, ["now: 'today' is not a datetime"]),
    ],
)
def test_options_that_are_wrong(monitored: SyncedVersion, options: dict[str, Any], faults: list[str]) -> None:
    monitored.connect("serving")
    for call in (monitored.registry.explain_due_datasets, monitored.registry.get_due_datasets):
        with pytest.raises(ValidationError) as refused:
            call(**options)
        assert refused.value.problems == faults


def test_options_of_a_sync_that_are_wrong(monitored: SyncedVersion) -> None:
    monitored.connect("serving")
    with pytest.raises(ValidationError) as refused:
        monitored.sync(full="no", wait_seconds="x", lease_seconds=0)
    assert refused.value.problems == [
        "full: 'no' is neither true nor false",
        "wait_seconds: 'x' is not a number from 0",
        "lease_seconds: 0 is not a number from 1 to 600",
    ]


def test_a_flag_that_is_a_word(monitored: SyncedVersion) -> None:
    monitored.connect("serving")
    monitored.write("serving", spread(1, 2, 2))
    assert monitored.sync(full="false")["changed"]
    assert not monitored.sync(full="false", engine=NOWHERE)["changed"]


def turns(monitored: SyncedVersion, **more: Any) -> dict[str, tuple[bool, str]]:
    """Role to whether it is due, and why."""
    found = monitored.registry.explain_due_datasets(**more)
    due = [turn["role"] for turn in found if turn["due"]]
    assert [one["role"] for one in monitored.registry.get_due_datasets(**more)] == due
    return {turn["role"]: (turn["due"], turn["reason"]) for turn in found}


def due(monitored: SyncedVersion, **more: Any) -> dict[str, str]:
    """The roles that are due, and why."""
    return {role: reason for role, (is_due, reason) in turns(monitored, **more).items() if is_due}


class TestReasons:
    def test_from_the_first_sync_to_the_next_commit(self, shared: SyncedVersion) -> None:
        connect_all(shared)
        never = dict.fromkeys(("training", "serving", "actuals"), reasons.NEVER_SYNCED)
        assert due(shared) == never
        sync_all(shared)
        assert turns(shared) == dict.fromkeys(never, (False, reasons.UNCHANGED))
        shared.write("serving", spread(3, 3, 2))
        assert due(shared) == {"serving": reasons.COMMITS}
        assert shared.sync("serving")["changed"] is True
        assert due(shared) == {}

    def test_labels_make_the_labels_due_and_their_predictions_only_if_need_be(
        self, monitored: SyncedVersion
    ) -> None:
        connect_all(monitored)
        sync_all(monitored)
        monitored.write("actuals", labelled(9, {"0/1.25/0": False}))
        assert due(monitored) == {"actuals": reasons.COMMITS}, "its sync compares them"
        assert monitored.sync("actuals")["changed_parts"] == ["fields", "performance"]
        assert due(monitored) == {}

    def test_labels_that_can_only_be_compared_by_the_sync_of_the_predictions(
        self, monitored: SyncedVersion
    ) -> None:
        connect_all(monitored)
        sync_all(monitored)
        monitored.write("actuals", labelled(9, {"0/1.25/0": False}))
        with pytest.raises(AporiaError):
            monitored.sync("actuals", engine=NOWHERE)
        assert due(monitored) == {"actuals": reasons.FAILED, "serving": f"performance: {reasons.COMMITS}"}
        assert monitored.sync("serving")["changed_parts"] == ["performance"]
        assert due(monitored) == {"actuals": reasons.FAILED}

    def test_an_actuals_table_that_is_connected_later(self, monitored: SyncedVersion) -> None:
        monitored.connect("serving")
        monitored.write("serving", spread(1, 2, 2))
        monitored.sync()
        assert due(monitored) == {}
        monitored.connect("actuals")
        monitored.write("actuals", labelled(8, {"0/1.25/0": True}))
        assert due(monitored) == {
            "actuals": reasons.NEVER_SYNCED,
            "serving": f"performance: {reasons.NEVER_SYNCED}",
        }
        monitored.sync("actuals")
        assert due(monitored) == {}

    def test_what_failed_is_due_though_its_table_has_not_changed(self, shared: SyncedVersion) -> None:
        shared.connect("serving")
        shared.write("serving", spread(1, 2, 2))
        shared.sync()
        shared.write("serving", spread(3, 3, 2))
        with pytest.raises(Exception, match="is not an engine"):
            shared.sync(engine=NOWHERE)
        assert due(shared) == {"serving": reasons.FAILED}
        shared.sync()
        assert due(shared) == {}

    @pytest.mark.parametrize("commits", [1, 2, 3])
    def test_a_table_that_was_made_anew(self, monitored: SyncedVersion, commits: int) -> None:
        """Also one that has as many commits as the one before it, or fewer."""
        monitored.connect("serving")
        for day in (1, 2):
            monitored.write("serving", spread(day, day, 2))
        monitored.sync()
        assert due(monitored) == {}
        shutil.rmtree(monitored.path("serving"))
        for day in range(commits):
            monitored.write("serving", spread(5 + day, 5 + day, 2))
        expected = {1: reasons.UNKNOWN_COMMIT, 2: reasons.ANOTHER_TABLE, 3: reasons.COMMITS}
        assert due(monitored) == {"serving": expected[commits]}
        monitored.sync()
        assert monitored.status()["rows"] == 2 * commits

    def test_a_table_that_is_gone(self, monitored: SyncedVersion) -> None:
        monitored.connect("serving")
        monitored.write("serving", spread(1, 2, 2))
        monitored.sync()
        shutil.rmtree(monitored.path("serving"))
        assert due(monitored) == {"serving": reasons.UNKNOWN_COMMIT}

    def test_a_pinned_version_stays_what_it_is(self, monitored: SyncedVersion) -> None:
        monitored.write("serving", spread(1, 2, 2))
        monitored.connect("serving", read_options={"versionAsOf": "0"})
        monitored.write("serving", spread(3, 3, 2))
        assert monitored.sync()["rows"] == 4
        assert due(monitored) == {}
        shutil.rmtree(monitored.path("serving"))
        monitored.write("serving", spread(1, 1, 2))
        assert due(monitored) == {"serving": reasons.ANOTHER_TABLE}

    def test_compaction_is_looked_into_once(self, monitored: SyncedVersion) -> None:
        monitored.connect("serving")
        for day in (1, 2):
            monitored.write("serving", spread(day, day, 2))
        monitored.sync()
        monitored.delta("serving").optimize.compact()
        assert due(monitored) == {"serving": reasons.COMMITS}
        assert monitored.sync()["changed"] is False
        assert due(monitored) == {}

    def test_files_without_a_log(self, monitored: SyncedVersion) -> None:
        import pyarrow.parquet as pq

        pq.write_table(spread(1, 2, 2), monitored.folder / "plain.parquet")
        monitored.connect("serving", path=f"{monitored.folder}/plain.parquet", format="parquet")
        for _ in range(2):
            monitored.sync()
            assert due(monitored) == {"serving": reasons.NO_LOG}

    def test_a_program_that_profiles_in_another_way(
        self, monitored: SyncedVersion, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connect_all(monitored)
        sync_all(monitored)
        monkeypatch.setattr("aporia_provider.backend.sync.fingerprints.STATES_VERSION", 10_000)
        assert due(monitored) == dict.fromkeys(("training", "serving", "actuals"), reasons.REGISTRATION)
        sync_all(monitored)
        assert due(monitored) == {}

    def test_bins_that_another_dataset_has_made_anew(self, monitored: SyncedVersion) -> None:
        monitored.connect("training")
        monitored.connect("serving")
        monitored.write("training", spread(1, 2, 2))
        monitored.write("serving", spread(1, 2, 2, seed=1))
        monitored.sync("training")
        monitored.sync("serving")
        assert monitored.status()["provisional_bins"]["features.age"] == 4
        assert due(monitored) == {}, "bins are provisional for as long as their table does not grow"
        monitored.write("training", spread(3, 6, 2))
        assert due(monitored) == {"training": reasons.COMMITS}
        monitored.sync("training")
        assert due(monitored) == {"serving": reasons.BINS}
        monitored.sync("serving")
        assert due(monitored) == {}
        # What is known to be up to date need not be compared with old bins again.
        with monitored.registry.database.write_transaction() as session:
            session.execute(update(BinsRow).values(created_at=datetime(2020, 1, 1, tzinfo=UTC)))
        assert due(monitored) == {}

    def test_a_sync_of_a_version_before_commits_were_known(self, shared: SyncedVersion) -> None:
        shared.connect("serving")
        shared.write("serving", spread(1, 2, 2))
        shared.sync()
        with shared.registry.database.write_transaction() as session:
            row = session.scalars(select(SyncRow)).one()
            row.position = {"serving": {**row.position["serving"], "commit": None}}  # type: ignore[index]
        assert due(shared) == {"serving": reasons.UNKNOWN_COMMIT}
        assert shared.sync()["changed"] is False
        assert due(shared) == {}

    def test_what_is_turned_off_and_what_no_engine_reads(self, monitored: SyncedVersion) -> None:
        connect_all(monitored)
        monitored.registry.set_sync_enabled(MODEL, VERSION, False)
        assert set(turns(monitored).values()) == {(False, reasons.DISABLED)}


class TestRecord:
    def test_a_look_that_finds_nothing_counts_as_a_sync_that_does(self, shared: SyncedVersion) -> None:
        shared.connect("serving", schedule="0 2 * * *")
        shared.write("serving", spread(1, 2, 2))
        shared.sync()
        two_days_ago = datetime.now(UTC) - timedelta(days=2)
        with shared.registry.database.write_transaction() as session:
            session.execute(update(SyncRow).values(synced_at=two_days_ago, started_at=two_days_ago))
        before = datetime.now(UTC)
        assert turns(shared)["serving"] == (False, reasons.UNCHANGED)
        assert turns(shared)["serving"] == (False, reasons.NOT_SCHEDULED), "that look was recorded"
        status = shared.status()
        assert datetime.fromisoformat(status["last_sync_at"]) >= before
        assert (status["status"], status["table_version"], status["rows"]) == ("synced", 0, 4)

    def test_what_was_not_looked_at_keeps_its_record(self, shared: SyncedVersion) -> None:
        shared.connect("serving", schedule="0 2 * * *")
        shared.write("serving", spread(1, 2, 2))
        shared.sync()
        assert turns(shared) == {"serving": (False, reasons.NOT_SCHEDULED)}
        last = shared.status()["last_sync_at"]
        shared.write("serving", spread(3, 3, 2))
        later = datetime.now(UTC) + timedelta(days=2)
        assert due(shared, now=later) == {"serving": reasons.COMMITS}
        assert shared.status()["last_sync_at"] == last

    def test_counts_are_logged(self, monitored: SyncedVersion, caplog: pytest.LogCaptureFixture) -> None:
        connect_all(monitored)
        monitored.sync("training")
        with caplog.at_level("INFO"):
            monitored.registry.get_due_datasets(limit=1)
        assert "1 of 3 datasets are due: 1 because it was never synced" in caplog.messages
        assert (
            "2 of 3 datasets are not due: 1 because the limit of due datasets was reached; "
            "1 because its table has no new commit"
        ) in caplog.messages


class TestS3:
    @pytest.fixture
    def remote(self, s3: S3, monitored: SyncedVersion, s3_engine: str) -> SyncedVersion:
        """A version, its tables on S3."""
        monitored.place = f"s3://{s3.bucket}"
        monitored.options = s3.delta_options
        monitored.engine = s3_engine
        monitored.credentials = AwsCredentials(
            servers.S3_KEY, servers.S3_SECRET, region=servers.S3_REGION, endpoint_url=s3.endpoint
        )
        return monitored

    def test_one_request_for_each_table(self, remote: SyncedVersion, s3: S3) -> None:
        remote.registry.create_model_version(MODEL, "v2", SCHEMA)
        remote.write("shared", spread(1, 1, 2))
        for version in (VERSION, "v2"):
            remote.write(f"own-{version}", spread(1, 1, 2))
            for role, name in (("training", "shared"), ("serving", f"own-{version}")):
                source = S3DataSource(object_path=remote.path(name), object_format="delta")
                remote.registry.connect_dataset(
                    MODEL,
                    version,
                    DatasetConnection(role=role, data_source=source, id_column="id", timestamp_column="at"),
                )
                remote.registry.sync_dataset(
                    MODEL, version, role, credentials=remote.credentials, engine=remote.engine
                )
        with looked_at(remote, s3) as (found, prefixes):
            assert found == []
            assert sorted(prefixes) == [f"{name}/_delta_log/" for name in ("own-v1", "own-v2", "shared")]

        # One version goes ahead; the other is behind it, which takes one request, too.
        remote.write("shared", spread(2, 2, 2))
        remote.registry.sync_dataset(
            MODEL, "v2", "training", credentials=remote.credentials, engine=remote.engine
        )
        with looked_at(remote, s3) as (found, prefixes):
            assert [(one["model_version"], one["role"]) for one in found] == [
                ("v1", "training"),
                ("v2", "serving"),
            ], "the bins of the second were rebuilt"
            assert sorted(prefixes) == ["own-v1/_delta_log/", "shared/_delta_log/"]

    def test_the_policy_that_the_project_grants_is_enough_and_less_is_told(
        self, remote: SyncedVersion, s3: S3
    ) -> None:
        remote.connect("serving")
        remote.write("serving", spread(1, 1, 2))
        remote.sync()
        for policy, expected in (
            (read_policy([s3.uri("serving")]), None),
            (read_policy([s3.uri("other")]), "denies s3:ListBucket on prefix 'serving/_delta_log/'"),
        ):
            with strict_s3(s3.endpoint, policy) as proxy:
                credentials = seen_through(proxy)
                (turn,) = remote.registry.explain_due_datasets(find_credentials=lambda: credentials)  # noqa: B023
            assert turn["due"] is (expected is not None)
            assert (expected or reasons.UNCHANGED) in f"{turn['reason']} {turn['detail']}"

    def test_no_request_for_what_is_due_in_any_case(self, remote: SyncedVersion) -> None:
        remote.connect("serving")

        def nobody() -> AwsCredentials:
            raise AssertionError("nobody asks")

        assert due(remote, find_credentials=nobody) == {"serving": reasons.NEVER_SYNCED}

    @pytest.mark.parametrize("trouble", ["connection", "endpoint", "bucket", "time"])
    def test_a_table_that_cannot_be_looked_at_is_due(
        self, remote: SyncedVersion, s3: S3, trouble: str, monkeypatch: pytest.MonkeyPatch, caplog: Any
    ) -> None:
        remote.connect("serving")
        remote.write("serving", spread(1, 1, 2))
        remote.sync()
        assert due(remote, find_credentials=lambda: remote.credentials) == {}
        credentials = remote.credentials
        if trouble == "bucket":
            client = s3.client()
            for entry in client.list_objects_v2(Bucket=s3.bucket)["Contents"]:
                client.delete_object(Bucket=s3.bucket, Key=entry["Key"])
            client.delete_bucket(Bucket=s3.bucket)
        if trouble == "endpoint":
            nowhere = f"http://127.0.0.1:{servers.free_port()}"
            credentials = AwsCredentials("key", "secret", region="eu-west-1", endpoint_url=nowhere)
        if trouble == "time":
            monkeypatch.setattr(latest_commits, "TIMEOUT_SECONDS", -1.0)

        def find() -> AwsCredentials | None:
            if trouble == "connection":
                raise AuthenticationError("Connection 'aws_default' gives no AWS credentials")
            return credentials

        (turn,) = remote.registry.explain_due_datasets(find_credentials=find)
        assert (turn["due"], turn["reason"]) == (True, reasons.LOG_NOT_READ)
        expected = {
            "connection": "gives no AWS credentials",
            "endpoint": "ConnectionError",
            "bucket": "There is no bucket",
            "time": "was not checked within",
        }
        assert expected[trouble] in str(turn["detail"])
        assert any(
            "serving of version 'v1' of model 'churn'" in text and expected[trouble] in text
            for text in caplog.messages
        )

    @pytest.mark.parametrize(
        ("names", "expected"),
        [
            (["3.json"], ("3.json", False)),
            (["2.json", "3.checkpoint.parquet", "3.crc", "3.json", "_last_checkpoint"], ("3.json", False)),
            (["3.json", "4.json", "5.json", "6.json"], ("3.json", True)),
            (["3.json", "4.checkpoint.0000000001.0000000002.parquet"], ("3.json", True)),
            (["4.json", "5.json"], (None, True)),
            (["2.json"], (None, False)),
            ([], (None, False)),
        ],
    )
    def test_what_a_log_may_hold(
        self, remote: SyncedVersion, s3: S3, names: list[str], expected: tuple[str | None, bool]
    ) -> None:
        client = s3.client()
        for name in names:
            number, dot, rest = name.partition(".")
            key = f"{int(number):020}{dot}{rest}" if dot else name
            client.put_object(Bucket=s3.bucket, Key=f"table/_delta_log/{key}", Body=name.encode())
        found = latest_commits.log_end(s3.uri("table"), 3, remote.credentials)
        tag = (
            expected[0]
            and client.head_object(Bucket=s3.bucket, Key="table/_delta_log/00000000000000000003.json")["ETag"]
        )
        assert found == latest_commits.LogEnd(tag, expected[1])


def seen_through(proxy: StrictS3) -> AwsCredentials:
    return AwsCredentials("AKIA", "secret", region=servers.S3_REGION, endpoint_url=proxy.endpoint)


@contextmanager
def looked_at(monitored: SyncedVersion, s3: S3) -> Iterator[tuple[list[dict[str, str]], list[str | None]]]:
    """What is due, and the prefixes that were listed to find out."""
    with strict_s3(s3.endpoint) as proxy:
        found = monitored.registry.get_due_datasets(find_credentials=lambda: seen_through(proxy))
        assert all(request.method == "GET" and not request.key for request in proxy.requests)
        yield found, [request.prefix for request in proxy.requests]


class Histories:
    """What may happen to the tables of a version and to its syncs."""

    STEPS = (
        "append training",
        "append serving",
        "append actuals",
        "rewrite serving",
        "compact serving",
        "make training anew",
        "connect training",
        "connect actuals",
        "sync training",
        "sync serving",
        "sync actuals",
        "fail serving",
        "fail actuals",
        "look",
    )

    def __init__(self, folder: Path, url: str, engine: str) -> None:
        self.registry = EmbeddedRegistry(url, "prod")
        self.monitored = SyncedVersion(folder, self.registry, engine).register()
        self.day = 0
        self.append("serving")
        self.monitored.connect("serving")
        self.monitored.sync()

    def append(self, role: str, mode: str = "append") -> None:
        self.day += 1
        if role == "actuals":
            ids = {f"{day}/{day + 0.5}/{n}": n % 2 == 0 for day in range(1, self.day) for n in range(2)}
            rows = labelled(self.day, ids)
        else:
            rows = served(*[self.day + 0.5] * 2, ids=[f"{self.day}/{self.day + 0.5}/{n}" for n in range(2)])
        self.monitored.write(role, rows, mode)

    def connected(self, role: str) -> bool:
        return role in {found.role for found in self.registry.get_datasets(MODEL, VERSION)}

    def step(self, step: str) -> None:
        verb, _, role = step.partition(" ")
        if verb == "look":
            self.registry.get_due_datasets()
        elif verb == "connect" and not self.connected(role):
            self.append(role)
            self.monitored.connect(role)
        elif self.connected(role):
            self.change(verb, role)

    def change(self, verb: str, role: str) -> None:
        if verb == "append":
            self.append(role)
        if verb == "rewrite":
            self.append(role, "overwrite")
        if verb == "compact":
            self.monitored.delta(role).optimize.compact()
        if verb == "make":
            shutil.rmtree(self.monitored.path(role))
            self.append(role)
        if verb in ("sync", "fail"):
            with suppress(AporiaError):
                self.monitored.sync(role, **({"engine": NOWHERE} if verb == "fail" else {}))

    def check(self) -> None:
        """No dataset is left out whose sync would find anything to do."""
        known = {turn["role"]: turn for turn in self.registry.explain_due_datasets()}
        for role, turn in known.items():
            if not turn["due"]:
                before = self.monitored.stored()
                assert self.monitored.sync(role)["changed"] is False, (role, turn, known)
                assert self.monitored.stored() == before

    def settle(self) -> list[Any]:
        """Sync what is due at most five times; what is due after that."""
        for _ in range(5):
            for one in self.registry.get_due_datasets():
                self.monitored.sync(one["role"])
        return self.registry.get_due_datasets()


@pytest.mark.timeout(900)
def test_nothing_that_a_sync_would_do_is_left_out(engine: str, migrated: Path) -> None:
    """
    In every history, a dataset that is not due has nothing to sync; and if all that is due is synced until
    nothing is, what is stored is what a full scan of the tables comes to.
    """

    @settings(
        max_examples=int(os.environ.get("APORIA_HISTORIES", sized(2, 10))),
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(st.lists(st.sampled_from(Histories.STEPS), min_size=3, max_size=8))
    def run(steps: list[str]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            shutil.copyfile(migrated, f"{folder}/aporia.db")
            history = Histories(Path(folder), f"sqlite:///{folder}/aporia.db", engine)
            with history.registry:
                for step in steps:
                    history.step(step)
                history.check()
                assert history.settle() == []
                history.monitored.check()

    run()
