"""One person out, one person gone: complete over every table, nobody else's touched, refusals remembered (D6, H9, H10)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from bellwire.domain.ledger import Source, Standing, Statement
from bellwire.domain.staff import entry
from bellwire.engine import privacy, sealer, sending
from bellwire.errors import Conflict, NotFound, StoreUnavailable
from bellwire.ids import new_id, show
from bellwire.model import ConsentHint, ConsentState, Event, Msisdn, Person, Purpose, Status
from bellwire.store import idempotency, people, schema, staff
from bellwire.store import privacy as requests
from bellwire.store.idempotency import idempotency_key
from bellwire.store.people import ACTIONS
from bellwire.store.tenancy import TenantConnection
from standins.house import BOB, House, order

EVA = Msisdn("+998907770001")
CANARY = "canary"
OUT, IN = ConsentState.OPTED_OUT, ConsentState.OPTED_IN


@pytest.fixture
def house(database_url: str) -> Iterator[House]:
    house = House(database_url)
    yield house
    house.close()


def plant(house: House, installation: UUID, account: UUID, *, phone: Msisdn = EVA, name: str = CANARY, place: str = "1") -> None:
    """A person in every table: an order, a text, what they wrote, what they said, what the tenant and the platforms were told."""
    now = house.clock.now()
    consent = ConsentHint(purpose=Purpose.MARKETING, state=IN, at=now, source="till", proof=f"form of {name}")
    house.take(
        installation,
        Event(
            id=f"planted-{place}",
            type="order.created",
            occurred_at=now,
            subject=f"order/{name}-{place}",
            people={
                "customer": Person(
                    ref=f"{name}-{place}", name=name, phones=[phone], email=f"{name}{place}@example.com", consents=(consent,)
                )
            },
            data={"order.name": "#1", "customer.first_name": name, "order.note": f"ring at {name}"},
        ),
    )
    key = idempotency_key(f"key-{place}", "send", b"{}")
    request = sending.SendRequest(to=phone, body=f"Hello {name}", reference=name, metadata={"who": name})
    [made] = sending.send(house.engine, house.tenant_id, [request], idempotency=key)
    assert isinstance(made, UUID)
    shown = idempotency_key(f"shown-{place}", "send", b"{}")
    house.change(lambda c: idempotency.keep(c, house.engine.vault, shown, 202, {"to": phone, "text": name}, now))
    for row in house.rows(schema.messages, contact_id=house.person(phone).id):
        house.went_out(row.id)
        attempt = {
            "id": new_id(),
            "message_id": row.id,
            "account_id": account,
            "number": 1,
            "started_at": now,
            "outcome": "rejected",
        }
        house.change(lambda c, attempt=attempt: c.insert(schema.attempts, [{**attempt, "detail": f"no {name}"}]))
        house.moved(
            *[
                privacy_change(house, row.id, installation, f"order/{name}-{place}", f"{name}-{place}"),
            ]
        )
    house.reply(account, f"I am {name}", msisdn=phone)
    r = schema.replies
    house.engine.write(
        lambda c: c.execute(sa.update(r).where(r.c.contact_id == house.person(phone).id).values(answers=f"shift/{name}"))  # type: ignore[union-attr]
    )
    worker = Person(ref=f"{name}-{place}", name=name, phones=[phone], email=f"{name}{place}@example.com")
    starts = (now + timedelta(hours=5)).isoformat()
    house.take(
        installation,
        Event(
            id=f"shift-{place}",
            type="shift.published",
            occurred_at=now,
            subject=f"shift/{name}-{place}",
            people={"customer": worker, "worker": worker},
            data={"shift.id": place, "shift.starts_at": starts, "worker.id": f"{name}-{place}"},
        ),
    )
    values = {"ref": f"{name}-{place}", "name": name, "phone": phone, "email": f"{name}@example.com", "manager": f"{name}-boss"}
    made_entry, index = entry(values, systems={"clockify": f"{name}-{place}"}), house.held().index
    house.change(lambda c: staff.keep(c, house.engine.vault, index, made_entry, now=now, told_at=now))
    house.engine.write(
        lambda c: requests.request(
            TenantConnection(c, house.tenant_id),
            house.engine.vault,
            requests.EXPORT_PERSON,
            installation_id=installation,
            event_id=None,
            wanted={"phones": [phone], "refs": [f"{name}-{place}"], "emails": [f"{name}{place}@example.com"], "subjects": []},
            now=now,
        )
    )
    privacy.step(house.engine)


def privacy_change(house: House, message_id: UUID, installation: UUID, subject: str, ref: str) -> Any:
    from bellwire.engine.followups import Change

    return Change(
        message_id=message_id,
        status=Status.DELIVERED,
        at=house.clock.now(),
        installation_id=installation,
        subject=subject,
        customer_ref=ref,
        reference=ref,
    )


def contents(house: House, tenant_id: UUID | None = None) -> dict[str, list[str]]:
    """Every value of every column that is text, opened where it is sealed, as `table.column`."""
    found: dict[str, list[str]] = {}
    for table in schema.META.sorted_tables:
        if "tenant_id" not in table.c:
            continue
        for row in house.all(sa.select(table).where(table.c.tenant_id == (tenant_id or house.tenant_id))):
            for column in table.c:
                value = getattr(row, column.name)
                if value is None:
                    continue
                if column.info.get("sealed"):
                    key = row.id if "id" in table.c else UUID(bytes=bytes(row.key_hash))
                    value = house.engine.vault.open(value, row.tenant_id, f"{table.name}.{column.name}", key)
                elif isinstance(value, bytes | UUID):
                    continue
                found.setdefault(f"{table.name}.{column.name}", []).append(json.dumps(value, default=str))
    return found


def planted_in(house: House, *marks: str) -> set[str]:
    return {where for where, values in contents(house).items() if any(mark in value for value in values for mark in marks)}


def counts(house: House, tenant_id: UUID) -> Counter[str]:
    found: Counter[str] = Counter()
    for table in schema.META.sorted_tables:
        if "tenant_id" in table.c:
            [row] = house.all(sa.select(sa.func.count().label("n")).select_from(table).where(table.c.tenant_id == tenant_id))
            found[table.name] = row.n
    return found


@pytest.fixture
def planted(house: House) -> tuple[UUID, UUID]:
    """The till and the account that Eva's things came through; Bob stands beside her everywhere."""
    account, till = house.account(), house.installation(write_back="all")
    house.installation("crm")
    house.endpoint("message.delivered", "reply.received", "consent.changed")
    house.trigger()
    plant(house, till, account)
    plant(house, till, account, phone=BOB, name="bob", place="2")
    return till, account


#: What outlives a person on purpose: a keyed hash, states and times, and names that say nothing.
PERSONAL_COLUMNS = {
    f"{table.name}.{column.name}"
    for table in schema.META.sorted_tables
    for column in table.c
    if column.info.get("erase") in ("null", "empty", "row") and column.name != "timezone"
}


def test_each_column_says_what_erasing_does_to_it() -> None:
    for table in schema.META.sorted_tables:
        for column in table.c:
            where, info = f"{table.name}.{column.name}", column.info
            if info.get("sealed"):
                assert info.get("secret") or info.get("erase") in ACTIONS, f"{where} says nothing of erasure"
            if info.get("personal"):
                assert info.get("erase") in ACTIONS, f"{where} says nothing of erasure"
                assert "person" in table.info, f"{table.name} does not say whose its rows are"
            if isinstance(column.type, sa.LargeBinary) and not info:
                assert column.name in {"hash", "key_hash", "body_hash", "value", "seal"}, f"{where} is bytes that say nothing"
            if info.get("erase") == "null":
                assert column.nullable, f"{where} can't be emptied"


def test_a_person_stands_in_every_place_that_says_it_is_personal(house: House, planted: Any) -> None:
    """The ground of the tests below: what is not planted is not proven gone."""
    assert planted_in(house, CANARY, EVA) == PERSONAL_COLUMNS


def test_an_export_holds_all_of_it(house: House, planted: Any) -> None:
    document = privacy.export(house.engine, house.tenant_id, EVA, actor="key_x")
    found = {
        f"{table}.{column}"
        for table, rows in document["data"].items()
        for row in rows
        for column, value in row.items()
        if CANARY in json.dumps(value) or EVA in json.dumps(value)
    }
    inside = {"idempotency.answer", "privacy_requests.wanted", "privacy_requests.result"}  # copies of what stands there anyway
    assert found == PERSONAL_COLUMNS - inside
    assert "bob" not in json.dumps(document)
    assert BOB not in json.dumps(document)
    [entry] = house.audited("person.exported")[-1:]
    assert (entry.actor, entry.object) == ("key_x", show("con", house.person(EVA).id))


def test_an_export_shows_nobody_elses_data(house: House) -> None:
    till = house.installation()
    both = Event(
        id="both",
        type="ticket.updated",
        occurred_at=house.clock.now(),
        people={"customer": Person(name="Eva", phones=[EVA]), "agent": Person(name="secret agent", phones=[BOB])},
    )
    house.take(till, both)
    document = json.dumps(privacy.export(house.engine, house.tenant_id, EVA, actor="cli"))
    assert "Eva" in document
    assert "secret agent" not in document


def test_nobody_is_not_found(house: House) -> None:
    with pytest.raises(NotFound):
        privacy.export(house.engine, house.tenant_id, EVA, actor="cli")


def test_after_an_erasure_nothing_is_left_of_the_person_and_everything_of_the_others(house: House, planted: Any) -> None:
    other = house.tenant("other")
    house.send(to=EVA, body=f"Hello {CANARY}", of=other)
    theirs, bobs = counts(house, other), planted_in(house, "bob", BOB)
    contact = house.person(EVA)
    privacy.erase(house.engine, house.tenant_id, EVA, actor="key_x")
    assert planted_in(house, CANARY, EVA) == set()
    assert counts(house, other) == theirs
    assert planted_in(house, "bob", BOB) == bobs
    after = house.person(EVA)
    assert (after.id, bytes(after.msisdn_ix), after.msisdn) == (contact.id, bytes(contact.msisdn_ix), None)
    [entry] = house.audited("person.erased")
    assert (entry.actor, entry.object) == ("key_x", show("con", contact.id))


def test_the_audit_trail_is_whole_after_erasures(house: House, planted: Any) -> None:
    """H10."""
    sealer.step(house.engine)
    before = [(row.id, row.seq, bytes(row.seal)) for row in house.rows(schema.audit)]
    for phone in (EVA, BOB):
        privacy.erase(house.engine, house.tenant_id, phone, actor="cli")
    sealer.step(house.engine)
    report = sealer.verify(house.engine)
    assert report.ok, report
    assert [(row.id, row.seq, bytes(row.seal)) for row in house.rows(schema.audit)][: len(before)] == before


def test_erasing_again_or_somebody_unknown_is_harmless(house: House, planted: Any) -> None:
    for _ in range(2):
        privacy.erase(house.engine, house.tenant_id, EVA, actor="cli")
    assert planted_in(house, CANARY, EVA) == set()
    stranger = Msisdn("+998907770009")
    privacy.erase(house.engine, house.tenant_id, stranger, actor="cli")
    assert house.person(stranger).msisdn is None


def test_an_erasure_that_ended_half_way_ends_with_the_next(house: House, planted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real, left = people.erase, iter(range(3))

    def dies(*args: Any) -> int:
        if next(left, None) is None:
            raise StoreUnavailable("the disk is full")
        return real(*args)

    monkeypatch.setattr(people, "erase", dies)
    with pytest.raises(StoreUnavailable):
        privacy.erase(house.engine, house.tenant_id, EVA, actor="cli")
    assert planted_in(house, CANARY, EVA)
    monkeypatch.undo()
    privacy.erase(house.engine, house.tenant_id, EVA, actor="cli")
    assert planted_in(house, CANARY, EVA) == set()


def test_what_waits_for_an_erased_person_is_canceled(house: House) -> None:
    house.account()
    message = house.send(to=EVA, send_at=house.clock.now() + timedelta(hours=1))
    privacy.erase(house.engine, house.tenant_id, EVA, actor="cli")
    assert house.message_status(message) is Status.CANCELED


def test_under_a_legal_hold_nothing_is_erased(house: House, planted: Any) -> None:
    house.settings(legal_hold=True)
    with pytest.raises(Conflict):
        privacy.erase(house.engine, house.tenant_id, EVA, actor="cli")
    assert planted_in(house, CANARY, EVA) == PERSONAL_COLUMNS


# -- D6 -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [True, False], ids=["a person we texted", "a number nobody texted"])
def test_a_list_that_brings_an_erased_person_again_sends_nothing_and_keeps_no_number(house: House, known: bool) -> None:
    house.account()
    if known:
        house.say(Statement(purpose=Purpose.MARKETING, state=OUT, source=Source.API, at=house.clock.now()), msisdn=EVA)
    privacy.erase(house.engine, house.tenant_id, EVA, actor="cli")
    house.clock.advance(3600)
    listed = Statement(purpose=Purpose.MARKETING, state=IN, source=Source.IMPORT, at=house.clock.now())
    house.say(listed, msisdn=EVA, author="cli")
    message = house.send(to=EVA, purpose=Purpose.MARKETING)
    assert house.message_status(message) is Status.REFUSED
    assert house.person(EVA).msisdn is None


def test_a_person_who_comes_back_is_texted_again(house: House) -> None:
    """A new order after the erasure is a new transaction: the number is kept again, what was refused stays refused."""
    house.account()
    till = house.installation()
    house.trigger()
    house.say(Statement(purpose=Purpose.MARKETING, state=OUT, source=Source.REPLY, at=house.clock.now()), msisdn=EVA)
    privacy.erase(house.engine, house.tenant_id, EVA, actor="cli")
    house.clock.advance(3600)
    house.take(till, order(9, phone=EVA, at=house.clock.now()))
    [message] = house.rows(schema.messages)
    assert house.message_status(message.id) is Status.QUEUED
    person = house.person(EVA)
    assert house.opened(schema.contacts, person, "msisdn") == EVA
    assert Standing.from_row(dict(person._mapping)).state(Purpose.MARKETING) is OUT


# -- what platforms ask for -----------------------------------------------------------------------------------------


def ask(house: House, installation: UUID, kind: str, **person: Any) -> None:
    made = Event(
        id=f"{kind}-{house.clock.now()}",
        type=f"person.{kind}_requested",
        occurred_at=house.clock.now(),
        subject="customer/x",
        people={"customer": Person(**person)},
    )
    house.take(installation, made)
    while privacy.step(house.engine):
        pass


WHO = [
    ("by number", {"phones": ["90 777 00 01"]}),
    ("by the platform's reference", {"ref": f"{CANARY}-1"}),
    ("by e-mail, when nothing else is given", {"email": "Canary1@example.com"}),
]


@pytest.mark.parametrize(("_label", "person"), WHO, ids=[row[0] for row in WHO])
def test_a_platform_has_a_person_erased_as_it_knows_them(house: House, planted: Any, _label: str, person: dict[str, Any]) -> None:
    till, _ = planted
    # what the tenant itself sent is not the platform's
    mine = {row.id for row in house.rows(schema.messages) if row.installation_id is None}
    ask(house, till, "erase", **person)
    rows = [row for row in house.rows(schema.messages) if row.contact_id == house.person(EVA).id]
    assert {row.id for row in rows if row.text is not None} == {row.id for row in rows} & mine
    told = [house.opened(schema.events, row, "content") for row in house.rows(schema.events) if row.content is not None]
    assert CANARY not in json.dumps(told)
    assert house.person(EVA).msisdn is not None
    assert BOB in json.dumps(told)
    assert house.rows(schema.privacy_requests, kind="erase_person")[0].wanted is None


def test_a_person_whom_only_that_platform_knew_is_gone(house: House) -> None:
    house.account()
    till, crm = house.installation(), house.installation("crm")
    house.trigger()
    house.take(till, order("1", phone=EVA, at=house.clock.now(), ref=CANARY))
    house.take(crm, order("2", phone=BOB, at=house.clock.now(), ref=CANARY))
    ask(house, till, "erase", ref=CANARY)
    assert house.person(EVA).msisdn is None
    assert house.opened(schema.contacts, house.person(BOB), "msisdn") == BOB if house.person(BOB) else True
    kept = [house.opened(schema.events, row, "content") for row in house.rows(schema.events) if row.content is not None]
    assert [one["people"]["customer"]["phones"] for one in kept] == [[BOB]]


def test_the_export_a_platform_asked_for_waits_for_the_owner(house: House, planted: Any) -> None:
    till, _ = planted
    before = {row.id for row in house.rows(schema.privacy_requests)}
    ask(house, till, "export", ref=f"{CANARY}-1")
    [row] = [row for row in house.rows(schema.privacy_requests) if row.id not in before]
    assert row.status == schema.JOB_DONE
    document = house.change(lambda c: requests.fetch(c, house.engine.vault, row.id, actor="key_x", now=house.clock.now()))
    assert f"Hello {CANARY}" not in json.dumps(document)  # that was the tenant's own text
    assert document["data"]["events"][0]["content"]["data"]["customer.first_name"] == CANARY
    assert [entry.object for entry in house.audited("privacy.fetched")] == [show("prv", row.id)]
    privacy.erase(house.engine, house.tenant_id, EVA, actor="cli")
    assert house.rows(schema.privacy_requests, id=row.id) == []


def test_under_a_legal_hold_a_platforms_request_waits(house: House, planted: Any) -> None:
    till, _ = planted
    house.settings(legal_hold=True)
    ask(house, till, "erase", ref=f"{CANARY}-1")
    [row] = house.rows(schema.privacy_requests, kind="erase_person")
    assert (row.status, row.error) == (schema.JOB_QUEUED, "a legal hold forbids it now")
    house.settings(legal_hold=None)
    house.clock.advance(12 * 3600 + 1)
    assert privacy.step(house.engine) == 1
    assert house.rows(schema.privacy_requests, kind="erase_person")[0].status == schema.JOB_DONE


def test_an_account_that_is_gone_takes_all_with_it_and_nothing_of_the_others(house: House) -> None:
    account, till, crm = house.account(), house.installation(), house.installation("crm")
    house.trigger()
    plant(house, till, account)
    house.take(crm, order("7", phone=BOB, at=house.clock.now()))
    house.send(to=BOB, body="Hello Bob")
    crms = [(row.id, row.content) for row in house.rows(schema.events, installation_id=crm)]
    house.clock.advance(60)
    gone = {"occurred_at": house.clock.now(), "subject": "shop/1"}
    house.take(till, Event(id="u", type="app.uninstalled", **gone))
    house.clock.advance(48 * 3600)
    house.take(till, Event(id="r", type="installation.erase_requested", **{**gone, "occurred_at": house.clock.now()}))
    while privacy.step(house.engine):
        pass
    mine = [row for row in house.rows(schema.messages) if row.installation_id == till]
    assert mine
    assert not any(row.text or row.customer_ref or row.subject for row in mine)
    assert [row for row in house.rows(schema.events, installation_id=till) if row.content is not None] == []
    assert house.rows(schema.write_backs, installation_id=till) == []
    assert [(row.id, row.content) for row in house.rows(schema.events, installation_id=crm)] == crms
    row = house.row(till)
    assert (row.name, row.account_ref, row.settings, row.status) == ("", "", {}, "removed")
    assert house.value(till).credentials == {}
    # the tenant's own text to the same person keeps the number
    assert house.person(EVA).msisdn is not None
    assert len(house.audited("installation.erased")) == 1
