"""A database file that is none, or not whole any more: every command says what is wrong and what to do, and changes nothing."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from bellwire import sqlite_file
from bellwire.errors import DatabaseUnusable
from bellwire.store import migrate
from bellwire.store.database import open_database
from standins.shell import Shell

RESTORE = "restore the file from its backup"


def cut(path: Path, left: int) -> None:
    with path.open("r+b") as file:
        file.truncate(left)


def overwrite(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def scrawled(path: Path) -> None:
    """Its head is well, and what follows is not."""
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xa5" * (path.stat().st_size - 100))


SPOILT: list[tuple[str, Callable[[Path], None], str, str]] = [
    ("a directory", directory, "is a directory", "name a file in DATABASE_URL"),
    ("another kind of file", lambda path: overwrite(path, b"msisdn,state\n" * 100), "is no SQLite database", "name another file"),
    ("zeros", lambda path: overwrite(path, bytes(path.stat().st_size)), "is filled with zeros", RESTORE),
    ("cut off in its middle", lambda path: cut(path, path.stat().st_size // 2), "is cut off", RESTORE),
    ("cut off within its head", lambda path: cut(path, 60), "is cut off", RESTORE),
    ("scrawled over", scrawled, "is damaged", RESTORE),
]
COMMANDS = [
    ["serve", "--port", "0"],
    ["send", "+998901234567", "Hello", "--tenant", "acme"],
    ["tenant", "list"],
    ["db", "check"],
    ["db", "upgrade"],
    ["credit", "show", "acme"],
]


def files(folder: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in folder.iterdir() if one.is_file() and not one.name.endswith(("-shm", "-wal"))}


@pytest.mark.parametrize(("label", "spoil", "said", "do"), SPOILT, ids=[row[0] for row in SPOILT])
def test_a_spoilt_file_is_told_and_left_as_it_is(
    embedded: Shell, label: str, spoil: Callable[[Path], None], said: str, do: str
) -> None:
    embedded("tenant", "create", "acme", "--country", "UZ")
    path = embedded.folder / "bellwire.db"
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw.close()
    for log in ("-wal", "-shm"):
        path.with_name(path.name + log).unlink(missing_ok=True)
    spoil(path)
    before = files(embedded.folder)
    for command in COMMANDS if label != "scrawled over" else COMMANDS[1:]:
        told = embedded(*command, code=2).stderr
        assert told.startswith("bellwire: DATABASE_URL: "), (command, told)
        assert said in told, command
        assert do in told, command
    doctor = embedded("doctor", "--offline", code=1).stdout
    assert said in doctor
    assert do in doctor
    assert files(embedded.folder) == before


def test_an_empty_file_is_a_database_to_be_made(embedded: Shell) -> None:
    (embedded.folder / "bellwire.db").touch()
    embedded("tenant", "create", "acme", "--country", "UZ")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnusable, match="there is no such folder: mkdir -p"):
        sqlite_file.check_place(tmp_path / "data" / "bellwire.db")


@pytest.mark.parametrize(("closed", "said"), [("bellwire.db", "can't be written: is its file"), ("", "needs a folder that can be")])
def test_a_file_system_that_is_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed: str, said: str) -> None:
    path = tmp_path / "bellwire.db"
    sqlite3.connect(path).execute("CREATE TABLE t (x)").connection.close()
    monkeypatch.setattr(os, "access", lambda asked, mode: not (mode & os.W_OK and Path(asked) == tmp_path / closed))
    with pytest.raises(DatabaseUnusable, match=said):
        sqlite_file.check_place(path)


def test_a_file_of_somebody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bellwire.db"
    path.touch()

    monkeypatch.setattr(os, "access", lambda _asked, mode: mode != os.R_OK)
    with pytest.raises(DatabaseUnusable, match="can't be read by this user: run as its owner, or: chown "):
        sqlite_file.check_place(path)


def test_a_damage_that_shows_later_is_told_as_one(tmp_path: Path) -> None:
    path = tmp_path / "bellwire.db"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(sqlite3.DatabaseError) as caught, sqlite3.connect(path) as raw:
        raw.execute("SELECT 1 FROM sqlite_master")
    raw.close()
    assert "is no SQLite database" in str(sqlite_file.told(path, caught.value))
    assert "is damaged" in str(sqlite_file.told(None, caught.value))
    assert sqlite_file.told(path, sqlite3.OperationalError("database is locked")) is None


def test_a_database_that_is_well_is_never_opened_but_by_sqlite(embedded: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever closes a file drops its process's locks on it, SQLite's too; a command beside it then takes away its log."""
    embedded("tenant", "create", "acme", "--country", "UZ")
    engine = open_database(f"sqlite:///{embedded.folder / 'bellwire.db'}")
    opened: list[Path] = []
    plain = Path.open
    monkeypatch.setattr(Path, "open", lambda self, *given, **more: opened.append(self) or plain(self, *given, **more))
    assert migrate.revision(engine) == migrate.HEAD
    engine.dispose()
    assert opened == []
