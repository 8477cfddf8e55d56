"""What is old enough goes, and nothing else: by class, by tenant, half-way and again, not under a legal hold (H8)."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from bellwire.domain.retention import DEFAULT_DAYS, Kept
from bellwire.engine import purge
from bellwire.errors import StoreUnavailable
from bellwire.ids import first_id
from bellwire.model import Status
from bellwire.store import retention, schema, tenants
from bellwire.store.schema import JOB_DONE, JOB_QUEUED, STATUS_CODES
from standins.house import House

DAY = timedelta(days=1)
SPAN_DAYS = 400


@pytest.fixture
def house(database_url: str) -> Iterator[House]:
    house = House(database_url)
    house.clock.advance(SPAN_DAYS * 86_400)
    yield house
    house.close()


def id_at(at: datetime, noise: int) -> UUID:
    """An id as it would have been made then."""
    return UUID(int=first_id(at).int | noise)


class Planted:
    """Rows of one class over 400 days, and what must become of each."""

    def __init__(self, house: House, what: Kept, count: int, tenant_id: UUID, *, seed: int = 0) -> None:
        pick, now = random.Random(f"{what}{seed}"), house.clock.now()
        self.table, self.tenant_id = retention.WALKS[what].table, tenant_id
        self.finished: dict[UUID, datetime] = {}
        self.waiting: set[UUID] = set()
        rows = []
        for place in range(count):
            at = now - pick.random() * SPAN_DAYS * DAY
            row_id, ended = id_at(at, (seed << 40) + place + 1), pick.random() < 0.9
            rows.append({"id": row_id, "tenant_id": tenant_id, **_columns(what, at, ended)})
            if ended or what is Kept.RECEIPTS:  # one that is parked is given up after a day, and goes with the others
                self.finished[row_id] = at
            else:
                self.waiting.add(row_id)
        house.engine.write(lambda c: c.execute(sa.insert(self.table), rows), wait_s=30)

    def left(self, house: House) -> set[UUID]:
        """The rows that still hold something."""
        held = {"events": "content", "messages": "text"}.get(self.table.name)
        where = [self.table.c.tenant_id == self.tenant_id] + ([self.table.c[held].is_not(None)] if held else [])
        return {row.id for row in house.all(sa.select(self.table.c.id).where(*where))}

    def meant_to_stay(self, house: House, days: int | None) -> set[UUID]:
        limit = house.clock.now() - timedelta(days=days) if days is not None else None
        # an id tells the time to the millisecond
        kept = {one for one, at in self.finished.items() if limit is None or one >= first_id(limit)}
        return kept | self.waiting


def _columns(what: Kept, at: datetime, ended: bool) -> Mapping[str, Any]:
    blob, some = b"sealed", UUID(int=7)
    job = {"status": JOB_DONE if ended else JOB_QUEUED, "attempts": 0, "due": at}
    match what:
        case Kept.EVENTS:
            status = schema.EVENT_DECIDED if ended else schema.EVENT_PENDING
            return {
                "connector": "till",
                "type": "x",
                "subject": "",
                "status": status,
                "occurred_at": at,
                "received_at": at,
                "content": blob,
            }
        case Kept.MESSAGES:
            times = dict.fromkeys(("due", "send_at", "expires_at", "created_at", "updated_at"), at)
            status = STATUS_CODES[Status.DELIVERED if ended else Status.SCHEDULED]
            return {
                "status": status,
                "lane": 1,
                "purpose": "otp",
                "basis": "api",
                "text": blob,
                "metadata": blob,
                "epoch": 0,
                **times,
            }
        case Kept.REPLIES:
            return {
                "account_id": some,
                "msisdn": blob,
                "text": blob,
                "to": "",
                "status": "received" if ended else "part",
                "received_at": at,
            }
        case Kept.RECEIPTS:
            return {
                "account_id": some,
                "carrier_ref": "x",
                "raw_status": "",
                "raw_code": "",
                "received_at": at,
                "parked": not ended,
            }
        case Kept.CALLBACKS:
            return {"endpoint_id": some, "type": "x", "body": blob, "created_at": at, **job}
        case Kept.WRITE_BACKS:
            return {"installation_id": some, "kind": "status", "subject": "x", "value": "x", "at": at, "updated_at": at, **job}


def run(house: House) -> None:
    while purge.step(house.engine):
        pass


def test_exactly_what_is_old_enough_goes(house: House) -> None:
    """H8: 2,400 rows of six classes over 400 days, two tenants with days of their own and one under a hold."""
    quick, held = house.tenant("quick"), house.tenant("held")
    own = {str(what): 10 + place for place, what in enumerate(Kept)}
    for tenant_id, settings in ((quick, {"retention_days": own}), (held, {"legal_hold": True})):
        house.change(lambda c, s=settings: tenants.change(c, {"settings": s}, actor="cli", now=house.clock.now()), of=tenant_id)
    whose: dict[UUID, Mapping[Kept, int | None]] = {
        house.tenant_id: DEFAULT_DAYS,
        quick: {what: own[what] for what in Kept},
        held: dict.fromkeys(Kept),
    }
    planted = [
        (Planted(house, what, 133, tenant_id, seed=place), days[what])
        for place, (tenant_id, days) in enumerate(whose.items())
        for what in Kept
    ]
    parked = house.count(schema.dlrs, parked=True)
    run(house)
    for rows, days in planted:
        assert rows.left(house) == rows.meant_to_stay(house, days), rows.table.name
    assert parked > 0


def test_a_run_that_dies_half_way_is_ended_by_the_next(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 20)
    monkeypatch.setattr(retention.older, "__defaults__", (20,))
    rows = Planted(house, Kept.MESSAGES, 200, house.tenant_id)
    real, left = retention.forget, iter(range(2))

    def dies(*args: Any) -> int:
        done = real(*args)
        if next(left, None) is None:
            raise StoreUnavailable("the process ends here, its transaction with it")
        return done

    monkeypatch.setattr(retention, "forget", dies)
    house.settings(retention_days={"messages": 60})
    with pytest.raises(StoreUnavailable):
        run(house)
    half = rows.left(house)
    assert half > rows.meant_to_stay(house, 60)
    assert len(half) < 200
    monkeypatch.setattr(retention, "forget", real)
    again = house.again()
    while purge.step(again.engine):
        pass
    again.close()
    assert rows.left(house) == rows.meant_to_stay(house, 60)


def test_a_transaction_never_touches_more_than_a_batch(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    Planted(house, Kept.CALLBACKS, 1_200, house.tenant_id)
    sizes = []
    real = retention.forget
    monkeypatch.setattr(retention, "forget", lambda c, walk, ids: sizes.append(len(ids)) or real(c, walk, ids))
    run(house)
    assert sum(sizes) > 900
    assert max(sizes) <= 500


def test_what_became_old_goes_the_next_day(house: House) -> None:
    rows = Planted(house, Kept.EVENTS, 100, house.tenant_id)
    run(house)
    house.clock.advance(23 * 3600)
    assert purge.step(house.engine) == 0  # one walk a day
    house.clock.advance(20 * 86_400)
    run(house)
    assert rows.left(house) == rows.meant_to_stay(house, 90)


def test_what_is_forgotten_of_a_message_is_its_text_and_not_that_it_was_sent(house: House) -> None:
    rows = Planted(house, Kept.MESSAGES, 50, house.tenant_id)
    run(house)
    assert house.count(schema.messages) == 50
    for row in house.rows(schema.messages):
        assert (row.text is None) == (row.metadata is None) == (row.id not in rows.left(house))


def test_keys_answers_receipts_and_exports_have_their_own_time(house: House) -> None:
    now, tenant_id = house.clock.now(), house.tenant_id

    def key(place: int) -> bytes:
        return place.to_bytes(16)

    def plant(c: sa.Connection) -> None:
        for place, days in enumerate((0, 29, 31, 400)):
            c.execute(sa.insert(schema.seen), {"key_hash": key(place), "kind": 0, "scope_id": tenant_id, "at": now - days * DAY})
        for place, hours in enumerate((1, 23, 25)):
            at = now - timedelta(hours=hours)
            kept = {"tenant_id": tenant_id, "key_hash": key(place), "body_hash": key(9), "status": 202, "created_at": at}
            c.execute(sa.insert(schema.idempotency), kept)
            parked = {
                "account_id": tenant_id,
                "carrier_ref": "x",
                "raw_status": "",
                "raw_code": "",
                "received_at": at,
                "parked": True,
            }
            c.execute(sa.insert(schema.dlrs), {"id": id_at(at, place), "tenant_id": tenant_id, "details": {"part": 1}, **parked})
        for place, days in enumerate((29, 31)):
            at = now - days * DAY
            done = {
                "kind": "export_person",
                "status": JOB_DONE,
                "due": at,
                "created_at": at,
                "done_at": at,
                "wanted": b"x",
                "result": b"x",
            }
            c.execute(sa.insert(schema.privacy_requests), {"id": id_at(at, place), "tenant_id": tenant_id, **done})

    house.engine.write(plant)
    run(house)
    assert {row.key_hash for row in house.rows(schema.seen)} == {key(0), key(1)}
    assert {row.key_hash for row in house.rows(schema.idempotency)} == {key(0), key(1)}
    assert [(row.parked, row.details) for row in house.rows(schema.dlrs)] == [
        (False, {"part": 1, "lost": True}),
        (True, {"part": 1}),
        (True, {"part": 1}),
    ]
    assert [(row.result, row.wanted) for row in house.rows(schema.privacy_requests)] == [(None, None), (b"x", b"x")]


def test_settings_that_cant_be_read_forget_nothing(house: House) -> None:
    rows = Planted(house, Kept.MESSAGES, 40, house.tenant_id)
    house.settings(retention_days={"messages": "soon"})
    run(house)
    assert len(rows.left(house)) == 40


def test_the_loop_looks_once_a_minute_while_there_is_nothing(house: House) -> None:
    loop = purge.Purge(house.engine)
    Planted(house, Kept.CALLBACKS, 30, house.tenant_id)
    assert loop.step() > 0
    while loop.step():
        pass
    Planted(house, Kept.WRITE_BACKS, 30, house.tenant_id)
    assert loop.step() == 0
