"""The master key: 32 random bytes as urlsafe base64, judged, read, or made. It never stands in the database or in a message."""

from __future__ import annotations

import base64
import os
import secrets
import stat
import subprocess
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from bellwire.errors import ConfigInvalid

KEY_BYTES = 32
CURE = 'make one with: python3 -c "import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())"'

#: A random key has about 30 different bytes in 32; fewer than these happen once in 3 * 10**16 keys.
_FEWEST_DIFFERENT = 16
_COMMAND_LIMIT_S = 10
_URLSAFE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def decode_key(text: str) -> bytes:
    """The 32 bytes behind a key as written. Raises ValueError that says what is wrong and the cure, never the key."""
    text = text.strip()
    if not text:
        raise ValueError(f"is empty; {CURE}")
    body = text.rstrip("=")
    if set(body) & {"+", "/"}:
        raise ValueError("is plain base64; the urlsafe form has - for + and _ for /")
    if not set(body) <= _URLSAFE or len(body) % 4 == 1 or len(text) - len(body) > 2:
        raise ValueError(f"is not urlsafe base64; {CURE}")
    key = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    if len(key) != KEY_BYTES:
        raise ValueError(f"holds {len(key)} bytes instead of {KEY_BYTES}; {CURE}")
    if _is_weak(key):
        raise ValueError(f"is weak: it has a pattern that a random key does not have; {CURE}")
    return key


def _is_weak(key: bytes) -> bool:
    """Few different bytes, an arithmetic sequence, or text somebody typed (a random key is all ASCII once in 4 * 10**9)."""
    steps = {(after - before) % 256 for before, after in pairwise(key)}
    return len(set(key)) < _FEWEST_DIFFERENT or len(steps) == 1 or key.isascii()


def read_key_file(path: Path, *, group_may_read: bool = False) -> bytes:
    """The key in a file that nobody else can read. Raises ConfigInvalid."""
    try:
        with path.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            text = opened.read(4096)
    except OSError as e:
        raise ConfigInvalid(f"{path}: the key file can't be read ({e.strerror}); give this user a key file it can read") from e
    if not stat.S_ISREG(mode):
        raise ConfigInvalid(f"{path}: the key file is not a regular file; name a file that holds the key")
    forbidden = 0o037 if group_may_read else 0o077
    if os.name == "posix" and mode & forbidden:
        raise ConfigInvalid(f"{path}: the key file is open to others (mode {mode & 0o777:03o}); chmod 600 it and change the key")
    return _decoded(text, f"{path}: the key file")


def read_key_command(command: Sequence[str]) -> bytes:
    """The key that a command prints, without a shell, within 10 s. Raises ConfigInvalid naming the program only."""
    who = f"secret_key_command: {Path(command[0]).name}"
    try:
        done = subprocess.run(  # noqa: S603  # the operator's own command, as a list
            list(command), stdin=subprocess.DEVNULL, capture_output=True, timeout=_COMMAND_LIMIT_S, check=False
        )
    except OSError as e:
        raise ConfigInvalid(f"{who} can't be started ({e.strerror}); give the full path of a program") from e
    except subprocess.TimeoutExpired:
        raise ConfigInvalid(f"{who} gave no answer within {_COMMAND_LIMIT_S} s; run it by hand to see why") from None
    if done.returncode != 0:
        raise ConfigInvalid(f"{who} ended with {done.returncode}; run it by hand to see why")
    return _decoded(done.stdout, f"{who}: what it printed")


def _decoded(text: bytes, who: str) -> bytes:
    try:
        return decode_key(text.decode("ascii"))
    except UnicodeDecodeError:
        raise ConfigInvalid(f"{who} is not urlsafe base64; {CURE}") from None
    except ValueError as e:
        raise ConfigInvalid(f"{who} {e}") from None


def read_or_make_key_file(path: Path) -> bytes:
    """The key in `path`, made first when there is none. Of two processes that start at once both get the same key.

    The file is written whole under another name and then linked to its own, so nobody ever reads half a key; it is on the
    disk before this returns, because what is sealed under a lost key is lost. Raises ConfigInvalid.
    """
    if not path.exists():
        _make(path)
    return read_key_file(path)


def _make(path: Path) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            with os.fdopen(handle, "wb") as opened:
                opened.write(base64.urlsafe_b64encode(_random_key()) + b"\n")
                opened.flush()
                os.fsync(opened.fileno())
            try:
                os.link(draft, path)
            except FileExistsError:
                return  # another process was first: its key counts
        finally:
            draft.unlink()
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as e:
        raise ConfigInvalid(f"{path}: the key file can't be made ({e.strerror}); make its folder writable or set SECRET_KEY") from e


def _random_key() -> bytes:
    while _is_weak(key := secrets.token_bytes(KEY_BYTES)):
        pass
    return key
