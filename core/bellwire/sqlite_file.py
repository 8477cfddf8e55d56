"""Whether an embedded database's file can be one, in words that help: SQLite says little.

Nothing here writes. A file that is not there yet, or empty, is a database to be made.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from bellwire.errors import DatabaseUnusable

_MAGIC = b"SQLite format 3\0"
_HEAD = 100  # bytes: sqlite.org/fileformat2.html 1.3
_RESTORE = "stop bellwire and restore the file from its backup (docs/operations.md); nothing was changed in it"
_CORRUPT, _NOTADB = 11, 26  # sqlite.org/rescode.html


def check_place(path: Path) -> None:
    """Whether the file may be there, be read and be written. It is not opened. Raises DatabaseUnusable."""
    path = path.absolute()
    if path.is_dir():
        raise DatabaseUnusable(path, "is a directory", "name a file in DATABASE_URL, as in sqlite:///bellwire.db")
    if path.exists():
        if not os.access(path, os.R_OK):
            raise DatabaseUnusable(path, "can't be read by this user", f"run as its owner, or: chown {_user()} {path}")
        if not os.access(path, os.W_OK):
            do = f"is its file system mounted read-only? Otherwise: chown {_user()} {path}"
            raise DatabaseUnusable(path, "can't be written", do)
    _check_folder(path.parent, path)


def check_content(path: Path) -> None:
    """Whether what is in the file can be a database. Raises DatabaseUnusable.

    Only where this process has no connection to it, or can't have one: closing a file drops every lock that a process has on it
    (POSIX), SQLite's too, and whoever closed it next elsewhere would take away the log that we still write.
    """
    try:
        with path.open("rb") as file:
            head, size = file.read(_HEAD), os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        return
    except OSError as e:
        raise DatabaseUnusable(path.absolute(), f"can't be read ({e.strerror})", "look at the disk, and at DATABASE_URL") from e
    _check_head(path.absolute(), head, size)


def told(path: Path | None, error: BaseException) -> DatabaseUnusable | None:
    """What SQLite's own error says of the file, in other words where its head shows what it is. None for another error.

    `path` None: nobody knows here which file it was.
    """
    code = getattr(getattr(error, "orig", error), "sqlite_errorcode", None)
    if not isinstance(code, int) or code & 0xFF not in (_CORRUPT, _NOTADB):
        return None
    if path is None:
        return DatabaseUnusable("the database", "is damaged", _RESTORE)
    try:
        check_content(path)  # nobody can be connected to it
    except DatabaseUnusable as e:
        return e
    return DatabaseUnusable(path.absolute(), "is damaged", _RESTORE)


def _check_folder(folder: Path, path: Path) -> None:
    """SQLite keeps its log beside the file, and makes the file there."""
    if not folder.is_dir():
        raise DatabaseUnusable(path, "can't be made: there is no such folder", f"mkdir -p {folder}, or change DATABASE_URL")
    if not os.access(folder, os.W_OK | os.X_OK):
        do = f"is its file system mounted read-only? Otherwise: chown {_user()} {folder}"
        raise DatabaseUnusable(path, "needs a folder that can be written: its log stands beside it", do)


def _check_head(path: Path, head: bytes, size: int) -> None:
    if not head:
        return
    if not any(head):
        raise DatabaseUnusable(path, "is filled with zeros: a disk or a copy lost what was in it", _RESTORE)
    if not head.startswith(_MAGIC[: len(head)]):
        raise DatabaseUnusable(path, "is no SQLite database", "name another file in DATABASE_URL, or move this one away")
    page = int.from_bytes(head[16:18])
    page = 65_536 if page == 1 else page
    pages = int.from_bytes(head[28:32]) if head[24:28] == head[92:96] else 0  # an older SQLite did not count them
    whole = len(head) == _HEAD and size >= page * max(pages, 1)
    if not whole and not _has_log(path):
        raise DatabaseUnusable(path, f"is cut off: {size} bytes are left of {page * max(pages, 1)}", _RESTORE)


def _has_log(path: Path) -> bool:
    """Whether SQLite left a write-ahead log: it may hold what the file lacks."""
    try:
        return path.with_name(f"{path.name}-wal").stat().st_size > 0
    except OSError:
        return False


def _user() -> str:
    if sys.platform == "win32":
        return "USER"
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
