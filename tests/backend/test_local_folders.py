"""Syncs that may read only some folders of the local disk, and attempts to read others."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pytest

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.backend.registration.local_access import link_faults
from aporia_provider.data_sources import S3DataSource
from aporia_provider.errors import ValidationError
from aporia_provider.lake.presence import is_delta_table
from tests.backend.syncing import SyncedVersion, spread

SECRET = spread(1, 1, 3, seed=1)


@pytest.fixture
def outside(tmp_path: Path) -> SyncedVersion:
    """Tables that no sync may read."""
    (tmp_path / "outside").mkdir()
    return SyncedVersion(tmp_path / "outside", None)  # type: ignore[arg-type]


@pytest.fixture
def allowed(tmp_path: Path, engine: str) -> Iterator[SyncedVersion]:
    """Tables in the only folder that syncs may read."""
    folder = tmp_path / "allowed"
    (folder / "elsewhere").mkdir(parents=True)
    with EmbeddedRegistry(f"sqlite:///{tmp_path}/aporia.db", "prod", [str(folder)]) as registry:
        yield SyncedVersion(folder, registry, engine).register()


def write_csv(path: Path, rows: pa.Table) -> Path:
    path.parent.mkdir(exist_ok=True)
    pyarrow.csv.write_csv(rows, path)
    return path


def assert_refused(monitored: SyncedVersion, told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        monitored.sync()
    assert told in caught.value.problems[0]
    assert monitored.status()["rows"] == 0


def test_braces(allowed: SyncedVersion, outside: SyncedVersion) -> None:
    """The sync refuses what was registered where everything is allowed; it read both files before."""
    write_csv(allowed.folder / "ok.csv", spread(2, 2, 3))
    write_csv(outside.folder / "secret.csv", SECRET)
    with EmbeddedRegistry(allowed.registry.database.url, "prod") as registry:
        path = f"{allowed.folder}/{{ok.csv,../outside/secret.csv}}"
        SyncedVersion(allowed.folder, registry).connect(
            "serving", path=path, format="csv", read_options={"header": "true", "inferSchema": "true"}
        )
    assert_refused(allowed, "may begin a pattern of files")


def test_a_link_to_a_file(allowed: SyncedVersion, outside: SyncedVersion) -> None:
    write_csv(allowed.folder / "files" / "ok.csv", spread(2, 2, 3))
    write_csv(outside.folder / "secret.csv", SECRET)
    options = {"header": "true", "inferSchema": "true"}
    allowed.connect("serving", path=f"{allowed.folder}/files", format="csv", read_options=options)
    assert allowed.sync()["rows"] == 3
    link = allowed.folder / "files" / "link.csv"
    link.symlink_to(outside.folder / "secret.csv")
    with pytest.raises(ValidationError) as caught:
        allowed.sync()
    assert "has the link link.csv, which leads outside" in caught.value.problems[0]
    link.unlink()
    link.symlink_to(write_csv(allowed.folder / "elsewhere" / "more.csv", spread(3, 3, 3)))
    assert allowed.sync()["rows"] == 6


def test_a_data_file_of_a_delta_table(allowed: SyncedVersion, outside: SyncedVersion) -> None:
    outside.write("secret", SECRET)
    (secret,) = Path(outside.path("secret")).glob("*.parquet")
    outside.write("secret", SECRET, mode="overwrite")
    table = Path(allowed.path("serving"))
    allowed.write("serving", SECRET)
    (data,) = table.glob("*.parquet")
    data.unlink()
    data.symlink_to(secret)
    allowed.connect("serving")
    assert_refused(allowed, f"has the link {data.name}, which leads outside")


@pytest.mark.parametrize("link", ["_delta_log", ""], ids=["the log", "by way of a folder inside"])
def test_a_folder_of_a_delta_table(allowed: SyncedVersion, outside: SyncedVersion, link: str) -> None:
    outside.write("secret", SECRET)
    if link:
        allowed.write("serving", SECRET)
        log = Path(allowed.path("serving")) / link
        log.rename(log.with_name("old"))
        log.symlink_to(Path(outside.path("secret")) / link)
    else:
        (allowed.folder / "elsewhere" / "secret").symlink_to(outside.path("secret"))
        Path(allowed.path("serving")).mkdir()
        (Path(allowed.path("serving")) / "x").symlink_to(allowed.folder / "elsewhere")
    allowed_everywhere = EmbeddedRegistry(allowed.registry.database.url, "prod")
    with allowed_everywhere as registry:
        SyncedVersion(allowed.folder, registry).connect("serving")
    assert_refused(allowed, f"has the link {link or 'secret'}, which leads outside")


@pytest.mark.parametrize(
    "path",
    ["../../outside/secret.parquet", "%2e%2e/%2e%2e/outside/secret.parquet", "{}", "file://{}"],
)
def test_a_file_that_a_log_names(allowed: SyncedVersion, outside: SyncedVersion, path: str) -> None:
    """The engine refuses such paths itself."""
    allowed.write("serving", SECRET)
    table = Path(allowed.path("serving"))
    (data,) = table.glob("*.parquet")
    secret = outside.folder / "secret.parquet"
    data.rename(secret)
    (log,) = (table / "_delta_log").glob("*.json")
    actions = [json.loads(line) for line in log.read_text().splitlines()]
    for action in actions:
        if "add" in action:
            action["add"]["path"] = path.format(secret)
    log.write_text("\n".join(map(json.dumps, actions)))
    allowed.connect("serving")
    with pytest.raises(ValidationError, match=r"log names files (?:outside|by absolute)"):
        allowed.sync()
    assert allowed.status()["rows"] == 0


@contextmanager
def without_root() -> Iterator[None]:
    """Root may read everything."""
    if os.getuid() != 0:
        yield
        return
    os.setresuid(12345, 12345, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@pytest.mark.parametrize(("mode", "refused"), [(0o000, False), (0o111, True)], ids=["closed", "searchable"])
def test_a_folder_that_cannot_be_listed(mode: int, refused: bool) -> None:
    # Folders of pytest are closed to other users.
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        folder = Path(place) / "table" / "private"
        folder.mkdir(parents=True)
        source = S3DataSource(object_path=str(folder.parent), object_format="delta")
        folder.chmod(mode)
        with without_root():
            faults = list(link_faults(source, [place]))
        folder.chmod(0o700)
    expected = (
        f"cannot be searched for links that lead outside the allowed folders: {folder}: Permission denied"
    )
    assert [fault.partition("table' ")[2] for fault in faults] == [expected] * refused


def test_a_table_that_cannot_be_looked_at_is_not_taken_for_a_delta_table() -> None:
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        closed = Path(place) / "closed"
        (closed / "_delta_log").mkdir(parents=True)
        assert is_delta_table(f"file://{closed}")
        closed.chmod(0o000)
        with without_root():
            assert not is_delta_table(f"file://{closed}")
        closed.chmod(0o700)
