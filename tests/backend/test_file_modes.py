"""The files of an SQLite database can be read by their owner alone."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.backend.store.database import Database
from aporia_provider.errors import AporiaError, TransientError
from aporia_provider.models import Model
from tests.backend.running import run_cli, serving
from tests.processes import starts_process


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder that everybody can read, as an AIRFLOW_HOME that exists usually is."""
    folder = tmp_path / "airflow"
    folder.mkdir(mode=0o755)
    return folder


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def write(url: str) -> dict[str, int]:
    """Write to a database; the modes of its files meanwhile."""
    with EmbeddedRegistry(url, "prod") as registry:
        registry.create_model(Model(id="m", name="M"))
        with registry.database.write_transaction() as session:
            session.connection().exec_driver_sql("UPDATE aporia_model SET environment = environment")
            return modes(Path(str(registry.database.url.database).removeprefix("file:")).parent)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["sqlite:///{}", "sqlite:///file:{}?uri=true"])
def test_new_files_are_private(home: Path, form: str) -> None:
    found = write(form.format(home / "aporia.db"))
    assert found == {"aporia.db": 0o600, "aporia.db-wal": 0o600, "aporia.db-shm": 0o600}


@pytest.mark.slow
def test_files_that_others_could_read_are_taken_from_them(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"sqlite:///{home}/aporia.db"
    write(url)
    # A process that is killed leaves the files beside the database.
    killed = sqlite3.connect(home / "aporia.db")
    killed.execute("SELECT count(*) FROM aporia_model").fetchall()
    for path in home.iterdir():
        path.chmod(0o664)
    with caplog.at_level(logging.WARNING), Database(url):
        assert modes(home) == {"aporia.db": 0o600, "aporia.db-wal": 0o600, "aporia.db-shm": 0o600}
    killed.close()
    logged = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert logged == [f"Other users of this machine could read {home}/aporia.db; its mode is 0600 now"]
    caplog.clear()
    with Database(url):
        assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.slow
def test_a_copy_is_private_once_it_is_opened(home: Path) -> None:
    write(f"sqlite:///{home}/aporia.db")
    shutil.copyfile(home / "aporia.db", home / "copy.db")
    assert modes(home)["copy.db"] == 0o644
    write(f"sqlite:///{home}/copy.db")
    assert modes(home)["copy.db"] == 0o600


@pytest.mark.slow
def test_a_read_only_file_stays_read_only(home: Path) -> None:
    url = f"sqlite:///{home}/aporia.db"
    write(url)
    (home / "aporia.db").chmod(0o444)
    with Database(url):
        assert modes(home)["aporia.db"] == 0o400


@pytest.mark.process
def test_commands_and_servers_make_private_files(home: Path) -> None:
    url = f"sqlite:///{home}/aporia.db"
    with serving(url) as server:
        server.ask("GET", "/health")
        assert set(modes(home).values()) == {0o600}
    made = run_cli("token", "create", "--environment", "prod", "--name", "t", "--database-url", url)
    assert made.returncode == 0
    assert set(modes(home).values()) == {0o600}


@pytest.mark.slow
def test_a_file_of_somebody_else_is_reported(
    home: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may change every file, so the system's refusal is made here."""
    url = f"sqlite:///{home}/aporia.db"
    write(url)
    (home / "aporia.db").chmod(0o644)

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chmod", refuse)
    with caplog.at_level(logging.WARNING), Database(url):
        logged = [record.getMessage() for record in caplog.records]
    assert any("cannot be changed (Operation not permitted)" in line for line in logged)


@pytest.fixture
@starts_process()
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a disk can be mounted by root only: {mounted.stderr}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_read_only_disk_is_called_that(disk: Path) -> None:
    url = f"sqlite:///{disk}/aporia.db"
    write(url)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    for place in (url, f"sqlite:///{disk}/another.db"):
        with pytest.raises(AporiaError, match=r"cannot be written: its disk is mounted read-only") as caught:
            write(place)
        assert not isinstance(caught.value, TransientError)


@pytest.mark.process
def test_a_folder_that_this_user_may_not_write_to_is_named() -> None:
    # Folders of pytest are closed to other users.
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        url = f"sqlite:///{home}/aporia.db"
        write(url)
        home.chmod(0o555)
        read, write_end = os.pipe()
        if (child := os.fork()) == 0:
            # Root may write anywhere.
            os.getuid() or os.setuid(12345)
            try:
                Database(url)
            except AporiaError as error:
                os.write(write_end, error.message.encode())
            os._exit(0)
        os.waitpid(child, 0)
        os.close(write_end)
        with os.fdopen(read) as answer:
            assert f"cannot be written: this user may not write to {home}" in answer.read()
        home.chmod(0o700)
