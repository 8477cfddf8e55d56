"""Seals the audit trail into one keyed hash chain, and finds the first entry that somebody changed afterwards.

Linking in each transaction would make every write wait for the one before it; so entries wait about a second for their seal, and
one process links them. Heads are written to a file now and then: a chain whose tail was cut, together with the head that the
database keeps, is still shorter than the file says.
"""

from __future__ import annotations

import hmac
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from bellwire.ids import show
from bellwire.store import chain
from bellwire.store.chain import EMPTY, Head
from bellwire.store.database import reading, sqlite_path

if TYPE_CHECKING:
    from bellwire.engine.runtime import Engine

YOUNG = timedelta(seconds=2)  # an entry may wait so long for its seal
#: An entry's time is that of its request; it may be committed so much later and still be in time.
LATE = timedelta(seconds=30)
ANCHOR_EVERY = timedelta(minutes=5)
_WRITE_WAIT_S = 10.0


def step(engine: Engine) -> int:
    """Seal what waits; how many entries. For the jobs' loop, once a second, in as many processes as there are."""
    with reading(engine.store.engine) as connection:
        if not chain.any_unsealed(connection):
            return 0
    count = 0
    while True:
        done = engine.write(lambda connection: _seal(engine, connection), wait_s=_WRITE_WAIT_S)
        count += done
        if done < chain.BATCH:
            break
    _anchor(engine)
    return count


def _seal(engine: Engine, connection: sa.Connection) -> int:
    if not chain.is_mine(connection):
        return 0
    rows = chain.unsealed(connection)
    if rows:
        stored = chain.head(connection)
        chain.link(connection, engine.vault.audit_key, rows, stored[0] if stored else EMPTY)
    return len(rows)


# -- anchors ----------------------------------------------------------------------------------------------------------


def anchor_path(engine: Engine) -> Path | None:
    """The file that heads are written to: the setting `audit_anchor`, or one beside a SQLite file; None on PostgreSQL without."""
    if engine.config.audit_anchor is not None:
        return engine.config.audit_anchor
    path = sqlite_path(engine.config.database_url)
    return path.with_name(path.name + ".anchors") if path is not None else None


def _anchor(engine: Engine) -> None:
    """Write the head down when the last anchor is old enough."""
    path, now = anchor_path(engine), engine.now()
    if path is None:
        return
    last = _last(path)
    if last is not None and timedelta() <= now - last < ANCHOR_EVERY:
        return
    with reading(engine.store.engine) as connection:
        stored = chain.head(connection)
    if stored is None:
        return
    head = stored[0]
    line = {
        "at": now.isoformat(),
        "seq": head.seq,
        "seal": head.seal.hex(),
        "mark": chain.mark(engine.vault.audit_key, f"anchor {now.isoformat()}", head).hex(),
    }
    with path.open("ab") as file:
        file.write(json.dumps(line).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _last(path: Path) -> datetime | None:
    """When the last anchor was written."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 1_024))
            lines = file.read().splitlines()
        return datetime.fromisoformat(json.loads(lines[-1])["at"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


# -- verifying ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of the chain. `first_bad`: the first place that is wrong, with `why`. `waiting`: young entries without a seal;
    `unsealed`: older ones (no process seals, or has not since). `anchors`: how many heads in the file fit.
    """

    ok: bool
    entries: int
    first_bad: int | None = None
    entry: str = ""
    why: str = ""
    waiting: int = 0
    unsealed: int = 0
    anchors: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Bad(Exception):
    seq: int
    why: str
    entry: str = ""


def verify(engine: Engine) -> Report:
    """Follow the chain from its first entry. Changes nothing. Raises StoreUnavailable."""
    began = time.monotonic()
    keys = {chain.key_id(key): key for key in engine.vault.audit_keys}
    entries = fitting = 0
    with reading(engine.store.engine) as connection:
        waiting, unsealed = chain.waiting(connection, engine.now() - YOUNG)
        bad: _Bad | None = None
        try:
            anchors = _anchors(anchor_path(engine), keys)
            for head in _followed(connection, keys, anchors):
                entries, fitting = head.seq, fitting + (head.seq in anchors)
            _complete(connection, keys, anchors, entries)
        except _Bad as e:
            bad = e
    return Report(
        ok=bad is None,
        entries=entries,
        first_bad=bad.seq if bad else None,
        entry=bad.entry if bad else "",
        why=bad.why if bad else "",
        waiting=waiting,
        unsealed=unsealed,
        anchors=fitting,
        seconds=round(time.monotonic() - began, 3),
    )


def _followed(connection: sa.Connection, keys: Mapping[bytes, bytes], anchors: Mapping[int, bytes]) -> Iterator[Head]:
    """The heads of the chain one by one, each checked. Raises _Bad at the first that is wrong."""
    at = EMPTY
    while rows := chain.sealed(connection, at.seq):
        for row in rows:
            shown = show("aud", row.id)
            if row.seq != at.seq + 1:
                raise _Bad(at.seq + 1, "the entry at this place is missing")
            found = bytes(row.seal or b"")
            key = keys.get(found[: chain.KEY_ID_BYTES])
            if key is None:
                raise _Bad(row.seq, "sealed under a key that is not among SECRET_KEY and SECRET_KEYS_OLD", shown)
            if not hmac.compare_digest(found, chain.seal(key, at.seal, row.seq, row)):
                raise _Bad(row.seq, "the entry, its place or the one before it was changed", shown)
            at = Head(row.seq, found)
            if anchors.get(at.seq, at.seal) != at.seal:
                raise _Bad(at.seq, "the anchor file has another seal for it", shown)
            yield at


def _complete(connection: sa.Connection, keys: Mapping[bytes, bytes], anchors: Mapping[int, bytes], entries: int) -> None:
    """Whether the chain is as long as it was, and nothing was slipped in beside it. Raises _Bad."""
    stored = chain.head(connection)
    if stored is None:
        if entries or anchors:
            raise _Bad(entries + 1, "the chain's head is missing")
        return
    head, mark = stored
    key = keys.get(mark[: chain.KEY_ID_BYTES])
    if key is None or not hmac.compare_digest(mark, chain.mark(key, "head", head)):
        raise _Bad(head.seq, "the chain's head was changed")
    longest = max(head.seq, *anchors, 0)
    if entries < longest:
        raise _Bad(entries + 1, f"the tail is cut: the chain once had {longest} entries")
    last = chain.sealed(connection, max(0, entries - 1), 1)
    skipped = chain.passed_over(connection, last[0].at - LATE) if last else None
    if skipped is not None:
        raise _Bad(entries + 1, "an entry without a seal is older than what was sealed since", show("aud", skipped.id))


def _anchors(path: Path | None, keys: Mapping[bytes, bytes]) -> dict[int, bytes]:
    """Place → seal as the anchor file has them. A half-written last line is a crash, anything else somebody's hand: raises _Bad."""
    if path is None or not path.exists():
        return {}
    found: dict[int, bytes] = {}
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines):
        if not line:
            continue
        try:
            document: dict[str, Any] = json.loads(line)
            head, mark = Head(document["seq"], bytes.fromhex(document["seal"])), bytes.fromhex(document["mark"])
            expected = chain.mark(keys[mark[: chain.KEY_ID_BYTES]], f"anchor {document['at']}", head)
        except (ValueError, LookupError, TypeError) as e:
            if number == len(lines) - 1:
                continue
            raise _Bad(0, f"line {number + 1} of the anchor file can't be read") from e
        if not hmac.compare_digest(mark, expected):
            raise _Bad(head.seq, f"line {number + 1} of the anchor file was changed")
        found[head.seq] = head.seal
    return found
