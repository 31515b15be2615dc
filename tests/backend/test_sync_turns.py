"""One sync at a time, whoever dies, and which dataset's turn it is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.backend.store.database import Database, migrate
from aporia_provider.backend.store.sync_tables import LeaseRow
from aporia_provider.backend.store.tables import VersionRow
from aporia_provider.backend.sync.leases import LEASE_SECONDS, MAX_LEASE_SECONDS, Lease
from aporia_provider.backend.sync.processes import this_process
from aporia_provider.errors import TransientError
from aporia_provider.models import Model
from tests.backend.killable import poll, syncing
from tests.backend.syncing import MODEL, SCHEMA, VERSION, SyncedVersion, labelled, spread

pytestmark = pytest.mark.process


@pytest.fixture
def shared(ready_url: str, tmp_path: Path, engine: str) -> Iterator[SyncedVersion]:
    """A version on either database; predictions of three days, not synced."""
    with EmbeddedRegistry(ready_url, "prod") as registry:
        monitored = SyncedVersion(tmp_path, registry, engine).register()
        monitored.connect("serving")
        monitored.write("serving", spread(1, 3, 20))
        yield monitored


def lease_of(monitored: SyncedVersion, seconds: float) -> Lease:
    with monitored.registry.database.read_transaction() as session:
        return Lease(monitored.registry.database, session.scalars(select(VersionRow.key)).one(), seconds)


def holder(database: Database) -> LeaseRow | None:
    with database.read_transaction() as session:
        row = session.scalar(select(LeaseRow))
        session.expunge_all()
        return row


def waiting_for_locks(database: Database) -> int:
    """How many connections to PostgreSQL wait for a lock."""
    with database.read_transaction() as session:
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        return int(session.scalars(text(query)).one())


@contextmanager
def stolen(monitored: SyncedVersion) -> Iterator[None]:
    """Take the lease away from whoever has it, as soon as somebody has it."""
    hold = Lease.hold

    @contextmanager
    def robbed(lease: Lease, what: str, wait_seconds: float) -> Iterator[None]:
        with hold(lease, what, wait_seconds):
            with monitored.registry.database.write_transaction() as session:
                later = datetime.now(UTC) + timedelta(seconds=30)
                values = {"holder": "a thief", "process": None, "what": "theft", "expires_at": later}
                session.execute(update(LeaseRow).values(**values))
            yield

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lease, "hold", robbed)
        yield


class TestTurns:
    @pytest.mark.very_slow
    def test_of_several_processes_one_does_the_work(self, shared: SyncedVersion) -> None:
        url = shared.registry.database.url.render_as_string(hide_password=False)
        with (
            syncing(url, shared.engine) as one,
            syncing(url, shared.engine) as two,
            syncing(url, shared.engine) as three,
        ):
            for process in (one, two, three):
                process.go()
            answers = sorted(process.answer() for process in (one, two, three))
        assert answers == ["changed", "unchanged", "unchanged"], "the others begin where the first one ended"
        assert shared.status()["rows"] == 60
        assert holder(shared.registry.database) is None

    def test_who_waits_too_long_is_told_for_whom(self, shared: SyncedVersion) -> None:
        with (
            lease_of(shared, 60).hold("serving since noon", 0),
            pytest.raises(
                TransientError, match="Another sync of this version is running: serving since noon"
            ),
        ):
            shared.sync(wait_seconds=0)
        assert shared.status()["status"] == "never_synced"
        assert shared.sync(wait_seconds=0)["rows"] == 60

    @pytest.mark.very_slow
    def test_a_lease_lasts_as_long_as_its_holder_lives(self, shared: SyncedVersion) -> None:
        # SQLite's clock has whole seconds.
        seconds = 4.0 if shared.registry.database.engine.dialect.name == "sqlite" else 3.0
        other = lease_of(shared, seconds).hold("another sync", 1.5 * seconds)
        with (
            lease_of(shared, seconds).hold("a long sync", 0),
            pytest.raises(TransientError, match="a long sync"),
            other,
        ):
            pytest.fail("two hold the lease")

    def test_a_holder_that_was_killed_gives_way_at_once(self, shared: SyncedVersion) -> None:
        url = shared.registry.database.url.render_as_string(hide_password=False)
        with syncing(url, shared.engine) as victim:
            victim.go()
            poll(lambda: holder(shared.registry.database) is not None)
            victim.kill()
            assert shared.sync(wait_seconds=0)["rows"] == 60, "before anybody has waited for the process"
        assert holder(shared.registry.database) is None

    @pytest.mark.parametrize(
        "process",
        [
            "another-boot/pid:[1] {} 1",
            "{place} {mine} {started}",
        ],
    )
    def test_a_holder_that_may_be_alive_does_not(self, shared: SyncedVersion, process: str) -> None:
        place, mine, started = str(this_process()).rsplit(" ", 2)
        with lease_of(shared, 60).hold("a sync", 0):
            with shared.registry.database.write_transaction() as session:
                process = process.format(2**22 + 1, place=place, mine=mine, started=started)
                session.execute(update(LeaseRow).values(process=process))
            with pytest.raises(TransientError, match="Another sync of this version"):
                shared.sync(wait_seconds=0)

    @pytest.mark.parametrize("process", ["{place} {mine} 1", "{place} 4194305 {started}"])
    def test_an_id_that_another_process_has_got_is_no_sign_of_life(
        self, shared: SyncedVersion, process: str
    ) -> None:
        place, mine, started = str(this_process()).rsplit(" ", 2)
        with lease_of(shared, 60).hold("a sync", 0):
            with shared.registry.database.write_transaction() as session:
                process = process.format(place=place, mine=mine, started=started)
                session.execute(update(LeaseRow).values(process=process))
            assert shared.sync(wait_seconds=0)["rows"] == 60

    def test_a_lease_that_was_taken_while_the_clock_was_wrong_has_ended(self, shared: SyncedVersion) -> None:
        with lease_of(shared, 60).hold("a sync of next year", 0):
            with shared.registry.database.write_transaction() as session:
                later = datetime.now(UTC) + timedelta(days=365)
                session.execute(update(LeaseRow).values(expires_at=later))
            assert shared.sync(wait_seconds=0)["rows"] == 60

    def test_a_lease_may_be_longer_than_that_of_those_who_wait(self, shared: SyncedVersion) -> None:
        with (
            lease_of(shared, MAX_LEASE_SECONDS).hold("a long sync", 0),
            pytest.raises(TransientError, match="a long sync"),
        ):
            shared.sync(wait_seconds=0)

    @pytest.mark.very_slow
    def test_a_dead_holder_of_another_machine_gives_way_when_its_time_is_up(
        self, shared: SyncedVersion
    ) -> None:
        url = shared.registry.database.url.render_as_string(hide_password=False)
        database = shared.registry.database
        with syncing(url, shared.engine, lease_seconds=60) as victim:
            victim.go()
            poll(lambda: holder(database) is not None)
            victim.kill()
        with database.write_transaction() as session:
            left = session.scalars(select(LeaseRow.expires_at)).one() - datetime.now(UTC)
            session.execute(update(LeaseRow).values(process="another-boot/pid:[1] 7 1"))
        assert left < timedelta(seconds=61)
        with pytest.raises(TransientError, match="Another sync of this version"):
            shared.sync(wait_seconds=0)
        with database.write_transaction() as session:
            soon = datetime.now(UTC) + timedelta(seconds=2)
            session.execute(update(LeaseRow).values(expires_at=soon))
        assert shared.sync(wait_seconds=60)["rows"] == 60
        assert holder(shared.registry.database) is None

    def test_of_many_who_want_an_expired_lease_one_gets_it(self, shared: SyncedVersion) -> None:
        database, mine = shared.registry.database, lease_of(shared, 60)
        with database.write_transaction() as session:
            past = datetime.now(UTC) - timedelta(hours=1)
            version = session.scalars(select(VersionRow.key)).one()
            session.add(LeaseRow(version_key=version, holder="dead", what="a dead sync", expires_at=past))
        barrier, held = threading.Barrier(10), threading.Event()
        won: list[Lease] = []

        def want(lease: Lease) -> None:
            barrier.wait(120)
            with suppress(TransientError), lease.hold("a sync", 0):
                won.append(lease)
                held.wait(120)

        leases = [mine, *(lease_of(shared, 60) for _ in range(9))]
        threads = [threading.Thread(target=want, args=(lease,)) for lease in leases]
        for thread in threads:
            thread.start()
        poll(lambda: sum(thread.is_alive() for thread in threads) == 1)
        held.set()
        for thread in threads:
            thread.join()
        assert len(won) == 1

    def test_a_lease_that_is_taken_while_another_one_waits_for_its_lock_is_kept(
        self, postgres_database_url: str
    ) -> None:
        """A transaction that waits has a ``current_timestamp`` of before it waited."""
        migrate(postgres_database_url)
        with EmbeddedRegistry(postgres_database_url, "prod") as registry:
            database = registry.database
            registry.create_model(Model(id=MODEL, name="Churn"))
            registry.create_model_version(MODEL, VERSION, SCHEMA)
            with database.write_transaction() as session:
                version = session.scalars(select(VersionRow.key)).one()
                past = datetime.now(UTC) - timedelta(hours=1)
                session.add(LeaseRow(version_key=version, holder="dead", what="a dead sync", expires_at=past))
            answers: list[str] = []

            def want() -> None:
                try:
                    with Lease(database, version, LEASE_SECONDS).hold("a late sync", 0):
                        answers.append("it took the lease")
                except TransientError as error:
                    answers.append(str(error))

            with database.write_transaction() as session:
                row = session.scalars(select(LeaseRow).with_for_update()).one()
                late = threading.Thread(target=want)
                late.start()
                poll(lambda: waiting_for_locks(database) == 1)
                row.holder, row.what = "winner", "the sync of the winner"
                row.expires_at = datetime.now(UTC) + timedelta(seconds=LEASE_SECONDS)
            late.join()
            assert answers == ["Another sync of this version is running: the sync of the winner"]

    @pytest.mark.parametrize("broken", [False, True])
    def test_who_lost_the_lease_writes_nothing(self, shared: SyncedVersion, broken: bool) -> None:
        if broken:
            for file in Path(shared.path("serving")).glob("*.parquet"):
                file.write_bytes(b"")
        expected = "could not be read" if broken else "another sync has acquired it"
        with stolen(shared), pytest.raises(Exception, match=expected):
            shared.sync()
        assert shared.stored() == {}
        assert shared.status()["status"] == "never_synced"
        found = holder(shared.registry.database)
        assert found is not None
        assert found.what == "theft", "it is not its to give back"


Due = list[tuple[str, ...]]


class TestDue:
    @pytest.fixture
    def nightly(self, monitored: SyncedVersion) -> SyncedVersion:
        for role in ("actuals", "serving", "training"):
            monitored.connect(role, schedule="0 2 * * *")
            monitored.write(role, labelled(8, {"x": True}) if role == "actuals" else spread(1, 1, 3))
        return monitored

    def due(self, monitored: SyncedVersion, now: datetime | None = None) -> list[str]:
        found = monitored.registry.get_due_datasets(now)
        assert all((item["model_id"], item["model_version"]) == ("churn", "v1") for item in found)
        return [item["role"] for item in found]

    def test_baselines_come_first_and_all_have_to_be_synced_once(self, nightly: SyncedVersion) -> None:
        assert self.due(nightly) == ["training", "serving", "actuals"]

    def test_at_two_o_clock_utc(self, nightly: SyncedVersion) -> None:
        nightly.sync("serving")
        nightly.write("serving", spread(2, 2, 3))
        assert self.due(nightly, synced_at(nightly)) == ["training", "actuals"]
        following = synced_at(nightly).replace(hour=2, minute=0, second=0, microsecond=0)
        if following <= synced_at(nightly):
            following += timedelta(days=1)
        assert "serving" not in self.due(nightly, following - timedelta(seconds=1))
        assert "serving" in self.due(nightly, following)
        elsewhere = following.astimezone(tz=datetime.now().astimezone().tzinfo)
        assert "serving" in self.due(nightly, elsewhere)

    def test_what_failed_is_due_until_it_succeeds(self, nightly: SyncedVersion) -> None:
        (path,) = Path(nightly.path("actuals")).glob("*.parquet")
        content = path.read_bytes()
        path.write_bytes(b"")
        for role in ("serving", "actuals"):
            with pytest.raises(Exception, match="actuals/part-"):
                nightly.sync(role)
        assert nightly.status("serving")["status"] == "synced"
        assert self.due(nightly) == ["training", "serving", "actuals"], "its predictions are not compared"
        path.write_bytes(content)
        nightly.sync("actuals")
        assert self.due(nightly) == ["training"]

    def test_what_is_turned_off_is_never_due(self, nightly: SyncedVersion) -> None:
        nightly.registry.set_sync_enabled("churn", "v1", False)
        assert self.due(nightly) == []
        assert nightly.status()["enabled"] is False
        nightly.registry.set_sync_enabled("churn", "v1", True)
        assert len(self.due(nightly)) == 3

    def test_where_there_is_no_room_for_all_each_has_its_turn(self, monitored: SyncedVersion) -> None:
        for role in ("training", "serving", "actuals"):
            monitored.connect(role)
            monitored.write(role, labelled(8, {}) if role == "actuals" else spread(1, 1, 3))
        turns = []
        for _ in range(4):
            (due,) = monitored.registry.get_due_datasets(limit=1)
            turns.append(due["role"])
            monitored.sync(due["role"])
            monitored.write(due["role"], labelled(9, {}) if due["role"] == "actuals" else spread(2, 2, 3))
        assert (turns[:3], turns[3]) == (["training", "serving", "actuals"], "training")
        found = monitored.registry.get_due_datasets(limit=2)
        assert [due["role"] for due in found] == ["serving", "actuals"]

    def test_without_a_schedule_it_is_due_whenever_there_is_something_new(
        self, monitored: SyncedVersion
    ) -> None:
        monitored.connect("serving")
        monitored.write("serving", spread(1, 1, 3))
        monitored.sync()
        assert self.due(monitored) == []
        monitored.write("serving", spread(2, 2, 3))
        assert self.due(monitored) == ["serving"]

    def test_of_its_own_environment_only(self, nightly: SyncedVersion) -> None:
        with EmbeddedRegistry(f"sqlite:///{nightly.folder}/aporia.db", "staging") as other:
            assert other.get_due_datasets() == []


def synced_at(monitored: SyncedVersion) -> datetime:
    return datetime.fromisoformat(monitored.status()["last_sync_at"])


def test_a_deleted_model_takes_its_profiles_along(monitored: SyncedVersion) -> None:
    monitored.connect("serving")
    monitored.write("serving", spread(1, 1, 3))
    monitored.sync()
    assert monitored.stored() != {}
    monitored.registry.delete_model("churn")
    assert monitored.stored() == {}
