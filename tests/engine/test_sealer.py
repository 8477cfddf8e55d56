"""The audit trail's chain: whatever is changed in it afterwards is found, at its place, and two processes make one chain."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from bellwire.engine import sealer
from bellwire.ids import new_id, show
from bellwire.plugins import Plugins
from bellwire.store import audit, chain, schema
from bellwire.store.database import reading
from bellwire.store.types import AnyRow
from standins.world import World

_a = schema.audit.c
ENTRIES = 6  # with the one that the tenant's making left
PLACES = (1, 2, ENTRIES - 1, 3)  # of an edit the first and the third, of the next one the others
Rows = Sequence[AnyRow]


@pytest.fixture
def house(sqlite_url: str, loaded: Plugins) -> Iterator[World]:
    world = World(sqlite_url, plugins=loaded)
    yield world
    world.close()


def note(world: World, count: int) -> None:
    for place in range(count):
        world.change(lambda c, place=place: audit.note(c, "cli", "x.changed", f"x_{place}", world.clock(), {"fields": [place]}))


def sealed(world: World, count: int = ENTRIES) -> Rows:
    note(world, count - len(world.all(sa.select(schema.audit))))
    sealer.step(world.engine)
    return world.all(sa.select(schema.audit).order_by(_a.seq))


def write(world: World, *statements: sa.Executable) -> None:
    world.engine.write(lambda c: [c.execute(one) for one in statements] and None)


def of(row: AnyRow, **values: Any) -> sa.Update:
    return sa.update(schema.audit).where(_a.id == row.id).values(**values)


def anchors(world: World) -> Path:
    path = sealer.anchor_path(world.engine)
    assert path is not None
    return path


def test_a_chain_that_nobody_touched_is_whole(house: World) -> None:
    assert sealer.verify(house.engine).ok
    assert [row.seq for row in sealed(house)] == list(range(1, ENTRIES + 1))
    assert sealer.step(house.engine) == 0
    report = sealer.verify(house.engine)
    assert (report.ok, report.entries, report.anchors, report.waiting, report.unsealed) == (True, ENTRIES, 1, 0, 0)


def test_entries_that_wait_for_their_seal_are_told_apart_by_their_age(house: World) -> None:
    sealed(house)
    note(house, 2)
    report = sealer.verify(house.engine)
    assert (report.ok, report.entries, report.waiting, report.unsealed) == (True, ENTRIES, 2, 0)
    house.clock.forward(seconds=3)
    note(house, 1)
    report = sealer.verify(house.engine)
    assert (report.ok, report.waiting, report.unsealed) == (True, 1, 2)


def _shifted(rows: Rows, place: int) -> list[sa.Executable]:
    """An entry of somebody's own, for which the later ones make room."""
    later = [of(row, seq=row.seq + 1) for row in reversed(rows[place:])]
    seq = rows[place].seq if place < len(rows) else len(rows) + 1
    forged = {**rows[0]._mapping, "id": new_id(), "seq": seq}
    return [*later, sa.insert(schema.audit).values(forged)]


#: What somebody does to the entry at a place, and how far from it the damage is first seen.
EDITS: list[tuple[str, Callable[[Rows, int], list[sa.Executable]], int]] = [
    ("who did it", lambda rows, k: [of(rows[k], actor="worker")], 0),
    ("what was done", lambda rows, k: [of(rows[k], action="x.made")], 0),
    ("to what", lambda rows, k: [of(rows[k], object="y")], 0),
    ("when", lambda rows, k: [of(rows[k], at=rows[k].at + timedelta(microseconds=1))], 0),
    ("the details", lambda rows, k: [of(rows[k], details={"fields": [99]})], 0),
    ("no details", lambda rows, k: [of(rows[k], details=sa.null())], 0),
    ("whose it is", lambda rows, k: [of(rows[k], tenant_id=new_id())], 0),
    ("nobody's", lambda rows, k: [of(rows[k], tenant_id=None)], 0),
    ("its id", lambda rows, k: [of(rows[k], id=new_id())], 0),
    ("its seal", lambda rows, k: [of(rows[k], seal=bytes(rows[k].seal[:-1]) + bytes([rows[k].seal[-1] ^ 1]))], 0),
    ("another's seal", lambda rows, k: [of(rows[k], seal=bytes(rows[k - 1].seal))], 0),
    ("no seal", lambda rows, k: [of(rows[k], seal=None)], 0),
    ("it is gone", lambda rows, k: [sa.delete(schema.audit).where(_a.id == rows[k].id)], 0),
    ("it and all after it are gone", lambda rows, k: [sa.delete(schema.audit).where(_a.seq >= rows[k].seq)], 0),
    ("it changed places with the one before", lambda rows, k: [of(rows[k], seq=0), of(rows[k - 1], seq=rows[k].seq),
                                                               of(rows[k], seq=rows[k - 1].seq)], -1),
    ("one was slipped in before it", _shifted, 0),
]  # fmt: skip


@pytest.mark.parametrize(
    ("label", "edit", "off", "place"),
    [pytest.param(*row, place, id=f"{row[0]}, {place}") for n, row in enumerate(EDITS) for place in PLACES[n % 2 :: 2]],
)
def test_what_was_changed_afterwards_is_found(
    house: World, label: str, edit: Callable[[Rows, int], list[sa.Executable]], off: int, place: int
) -> None:
    rows = sealed(house)
    if label == "no details":
        assert rows[place].details is not None
    write(house, *edit(rows, place))
    report = sealer.verify(house.engine)
    assert (report.ok, report.first_bad) == (False, rows[place].seq + off), report
    assert report.why


def _meta(world: World) -> dict[str, Any]:
    row = world.one(sa.select(schema.meta.c.value).where(schema.meta.c.name == "audit.head"))
    document: dict[str, Any] = json.loads(bytes(row.value))
    return document


def _set_meta(world: World, document: dict[str, Any]) -> None:
    value = json.dumps(document).encode()
    write(world, sa.update(schema.meta).where(schema.meta.c.name == "audit.head").values(value=value))


def test_a_tail_that_was_cut_together_with_its_head_is_found_by_the_anchors(house: World) -> None:
    sealed(house, 3)
    older = _meta(house)
    house.clock.forward(minutes=6)
    sealed(house)
    _set_meta(house, older)
    write(house, sa.delete(schema.audit).where(_a.seq > 3))
    report = sealer.verify(house.engine)
    assert (report.ok, report.first_bad) == (False, 4)
    anchors(house).unlink()
    assert sealer.verify(house.engine).ok, "without the file nothing tells: that is what it is for"


@pytest.mark.parametrize(
    ("label", "changes"),
    [
        ("its place", {"seq": ENTRIES - 1}),
        ("its seal", {"seal": "00" * 36}),
        ("its mark", {"mark": "00" * 36}),
    ],
)
def test_a_head_that_was_changed_is_found(house: World, label: str, changes: dict[str, Any]) -> None:
    sealed(house)
    _set_meta(house, {**_meta(house), **changes})
    assert "head was changed" in sealer.verify(house.engine).why, label


def test_a_head_that_is_gone_is_found(house: World) -> None:
    sealed(house)
    write(house, sa.delete(schema.meta).where(schema.meta.c.name == "audit.head"))
    assert sealer.verify(house.engine).why == "the chain's head is missing"
    write(house, sa.delete(schema.audit))
    assert sealer.verify(house.engine).why == "the chain's head is missing", "the anchors tell that there was one"


def test_an_entry_that_was_slipped_in_without_a_seal_is_found(house: World) -> None:
    house.clock.forward(hours=1)
    last = sealed(house)[-1]
    late, old = new_id(), new_id()

    def slip(row_id: UUID, before: timedelta) -> None:
        row = {"id": row_id, "at": last.at - before, "actor": "cli", "action": "x.made", "object": "x"}
        write(house, sa.insert(schema.audit).values(row))

    slip(late, sealer.LATE)
    assert sealer.verify(house.engine).ok, "a request may take so long to its commit"
    slip(old, sealer.LATE + timedelta(microseconds=1))
    report = sealer.verify(house.engine)
    assert (report.ok, report.first_bad, report.entry) == (False, ENTRIES + 1, show("aud", old))


# -- anchors ------------------------------------------------------------------------------------------------------


def test_heads_are_anchored_every_five_minutes(house: World) -> None:
    for minutes, lines in ((0, 1), (4.9, 1), (5.1, 2)):
        house.clock.forward(minutes=minutes)
        sealed(house, len(house.all(sa.select(schema.audit))) + 1)
        assert len(anchors(house).read_bytes().splitlines()) == lines
    assert sealer.verify(house.engine).anchors == 2


def _line(**changes: Any) -> Callable[[list[bytes]], list[bytes]]:
    return lambda lines: [json.dumps({**json.loads(lines[0]), **changes}).encode(), *lines[1:]]


ANCHORS: list[tuple[str, Callable[[list[bytes]], list[bytes]], str]] = [
    ("another place", _line(seq=2), "was changed"),
    ("another seal", _line(seal="00" * 36), "was changed"),
    ("another time", _line(at="2020-01-01T00:00:00+00:00"), "was changed"),
    ("a mark of no key", _line(mark="00" * 36), "can't be read"),
    ("a line that is none", lambda lines: [b"{", *lines[1:]], "can't be read"),
    ("a last line that a crash cut", lambda lines: [*lines[:-1], lines[-1][:20]], ""),
    ("an empty file", lambda _: [], ""),
]


@pytest.mark.parametrize(("label", "edit", "why"), ANCHORS, ids=[row[0] for row in ANCHORS])
def test_an_anchor_that_was_changed_is_found(
    house: World, label: str, edit: Callable[[list[bytes]], list[bytes]], why: str
) -> None:
    sealed(house, 3)
    house.clock.forward(minutes=6)
    sealed(house)
    path = anchors(house)
    path.write_bytes(b"\n".join(edit(path.read_bytes().splitlines())))
    report = sealer.verify(house.engine)
    assert (report.ok, why in report.why) == (not why, True), label


# -- keys and processes -------------------------------------------------------------------------------------------


def test_seals_of_an_older_key_hold_as_long_as_it_is_known(house: World) -> None:
    sealed(house, 3)
    vault = house.engine.vault
    new = b"n" * 32
    with reading(house.engine.store.engine) as connection:
        [first, *_] = chain.sealed(connection, 0)
    assert bytes(first.seal)[:4] == chain.key_id(vault.audit_key)
    key, older = chain.key_id(new), vault.audit_keys
    vault.audit_key, vault.audit_keys = new, (new, *older)
    note(house, 1)
    sealer.step(house.engine)
    assert bytes(house.all(sa.select(_a.seal).order_by(_a.seq))[-1].seal)[:4] == key
    assert sealer.verify(house.engine).ok
    vault.audit_keys = (new,)
    anchors(house).unlink()
    report = sealer.verify(house.engine)
    assert (report.ok, report.first_bad) == (False, 1)
    assert "SECRET_KEYS_OLD" in report.why


def test_two_processes_make_one_chain(world: World) -> None:
    other = world.worker()
    with ThreadPoolExecutor(2) as pool:
        for _ in range(10):
            note(world, 4)
            assert sum(pool.map(sealer.step, (world.engine, other))) >= 4
    report = sealer.verify(world.engine)
    assert (report.ok, report.entries) == (True, len(world.all(sa.select(schema.audit))))
