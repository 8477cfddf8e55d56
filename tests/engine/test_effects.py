"""What events change besides texting: consent, the installation itself, what still waits (A10)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from bellwire.domain.consent import Source, Statement
from bellwire.engine.effects import changed_places
from bellwire.ids import show
from bellwire.model import ConsentHint, ConsentState, Event, Person, Purpose, Status
from bellwire.store import installations, privacy, schema
from standins.house import ANA, BOB, House, order

IN, OUT = ConsentState.OPTED_IN, ConsentState.OPTED_OUT
HOME = "+998712000000"
_number = count()


@pytest.fixture
def house(database_url: str) -> Iterator[House]:
    house = House(database_url)
    yield house
    house.close()


def hint(house: House, state: ConsentState, *, ago_s: float = 0, purpose: Purpose = Purpose.MARKETING, **more: Any) -> ConsentHint:
    at = house.clock.now() - timedelta(seconds=ago_s)
    return ConsentHint(**{"purpose": purpose, "state": state, "at": at, "source": "till", "proof": "form 7", **more})


def said(house: House, *hints: ConsentHint, phones: tuple[str, ...] = (ANA,), **person: Any) -> Event:
    return Event(
        id=f"consent-{next(_number)}",
        type="customer.consent_changed",
        occurred_at=house.clock.now(),
        subject="customer/1",
        people={"customer": Person(ref="customer/1", phones=phones, consents=hints, **person)},
    )


def event(house: House, type_: str, *, ago_s: float = 0, **data: Any) -> Event:
    at = house.clock.now() - timedelta(seconds=ago_s)
    named = {f"installation.{name}": value for name, value in data.items()}
    return Event(id=f"{type_}-{next(_number)}", type=type_, occurred_at=at, subject="shop/1", data=named)


# -- consent --------------------------------------------------------------------------------------------------------


def test_a_platforms_word_is_kept_with_the_event_as_its_proof(house: House) -> None:
    till = house.installation()
    [event_id] = house.take(till, said(house, hint(house, IN)))
    assert house.person().marketing == "opted_in"
    [line] = house.rows(schema.consents)
    assert (line.source, line.event_id, line.author) == ("platform", event_id, None)
    assert house.opened(schema.consents, line, "proof") == "form 7"


def test_what_a_reconcile_finds_is_a_sync(house: House) -> None:
    house.take(house.installation(), said(house, hint(house, IN)), reported="reconcile")
    assert [row.source for row in house.rows(schema.consents)] == ["sync"]


def test_the_platform_that_told_us_is_not_told_back(house: House) -> None:
    till, crm = house.installation(), house.installation("crm")
    house.take(till, said(house, hint(house, OUT)))
    assert {row.installation_id for row in house.rows(schema.write_backs)} == {crm}


def test_the_same_statement_with_every_order_is_kept_once(house: House) -> None:
    till, same = house.installation(), hint(house, IN, ago_s=3600)
    house.installation("crm")
    for place in range(5):
        house.take(till, order(place, at=house.clock.now(), consents=(same,)))
        house.clock.advance(60)
    assert house.count(schema.consents) == 1
    assert house.count(schema.write_backs) == 1


def test_an_older_statement_is_kept_and_changes_nothing(house: House) -> None:
    till = house.installation()
    house.take(till, said(house, hint(house, OUT)))
    house.take(till, said(house, hint(house, IN, ago_s=7200)))
    assert house.person().marketing == "opted_out"
    assert house.count(schema.consents) == 2


def test_the_same_person_under_two_roles_speaks_once(house: House) -> None:
    person = Person(ref="7", phones=(ANA,), consents=(hint(house, OUT),))
    made = Event(id="t", type="ticket.updated", occurred_at=house.clock.now(), people={"customer": person, "requester": person})
    house.take(house.installation(), made)
    assert house.count(schema.consents) == 1


WHOSE = [
    ("an opt-in counts for the number that would be texted", IN, (ANA, BOB), None, {ANA}),
    ("an opt-out counts for all numbers", OUT, (ANA, BOB), None, {ANA, BOB}),
    ("marketing belongs to the numbers the platform ties it to", IN, (ANA, BOB), (BOB,), {BOB}),
    ("and to none where it ties it to none", OUT, (ANA,), (), set()),
    ("a number that can't be read says nothing", OUT, ("call me", BOB), None, {BOB}),
]


@pytest.mark.parametrize("row", WHOSE, ids=[row[0] for row in WHOSE])
def test_whose_consent_it_is(house: House, row: tuple[Any, ...]) -> None:
    _, state, phones, marketing, expected = row
    house.take(house.installation(), said(house, hint(house, state), phones=phones, marketing_phones=marketing))
    spoke = {one for one in (ANA, BOB) if (person := house.person(one)) is not None and person.marketing == state}
    assert spoke == expected


NAMELESS = [
    ("it reaches the number of an earlier statement", "customer/1", OUT, 0, "opted_out"),
    ("not somebody else's", "customer/2", OUT, 0, "opted_in"),
    ("nobody's where the platform has no name either", "", OUT, 0, "opted_in"),
    ("an older one changes nothing", "customer/1", OUT, 7200, "opted_in"),
]


@pytest.mark.parametrize("row", NAMELESS, ids=[row[0] for row in NAMELESS])
def test_an_opt_out_that_comes_without_a_number(house: House, row: tuple[Any, ...]) -> None:
    """The customer's phone was taken out of the account: who is meant is what the platform called them before."""
    _, ref, state, ago_s, expected = row
    till = house.installation()
    house.take(till, said(house, hint(house, IN, ago_s=3600)))
    house.take(till, named(house, ref, hint(house, state, ago_s=ago_s)))
    assert house.person().marketing == expected
    house.take(till, named(house, ref, hint(house, state, ago_s=ago_s)))
    assert house.count(schema.consents) == (2 if ref == "customer/1" else 1), "told again, kept once"


def named(house: House, ref: str, *hints: ConsentHint, phones: tuple[str, ...] = ()) -> Event:
    made = said(house, *hints)
    return replace(made, people={"customer": Person(ref=ref, phones=phones, consents=hints)})


def test_an_opt_in_that_comes_without_a_number_says_nothing(house: House) -> None:
    till = house.installation()
    house.take(till, said(house, hint(house, OUT, ago_s=3600)))
    house.take(till, named(house, "customer/1", hint(house, IN)))
    assert house.person().marketing == "opted_out"


def test_an_opt_out_is_about_the_numbers_that_the_person_had_too(house: House) -> None:
    till = house.installation()
    house.take(till, said(house, hint(house, IN, ago_s=3600)))
    house.take(till, named(house, "customer/1", hint(house, OUT), phones=(BOB,)))
    assert [house.person(one).marketing for one in (ANA, BOB)] == ["opted_out", "opted_out"]


def test_the_same_name_at_another_account_is_another_person(house: House) -> None:
    house.take(house.installation(), said(house, hint(house, IN, ago_s=3600)))
    house.take(house.installation("crm"), named(house, "customer/1", hint(house, OUT)))
    assert house.person().marketing == "opted_in"


def test_what_we_told_the_platform_names_the_person_when_it_comes_back(house: House) -> None:
    """An opt-in by the API is written there, and reported with the platform's name of the person: no new line, but a name."""
    till, same = house.installation(), hint(house, IN, ago_s=3600)
    house.say(Statement(purpose=Purpose.MARKETING, state=IN, source=Source.API, at=same.at))
    house.take(till, said(house, same))
    assert house.count(schema.consents) == 1
    house.take(till, named(house, "customer/1", hint(house, OUT)))
    assert house.person().marketing == "opted_out"


def test_a_statement_without_a_zone_is_left_out_and_the_event_kept(house: House) -> None:
    naive = hint(house, IN, at=house.clock.now().replace(tzinfo=None))
    assert len(house.take(house.installation(), said(house, naive))) == 1
    assert house.rows(schema.consents) == []


def test_a_test_event_says_nothing(house: House) -> None:
    made = said(house, hint(house, OUT))
    house.take(house.installation(), order("t", at=house.clock.now(), consents=made.people["customer"].consents, test=True))
    assert house.rows(schema.consents) == []


def test_an_echo_of_what_we_wrote_ends_where_it_came_in(house: House) -> None:
    """A STOP goes to two platforms; each reports our own write, to the second, and no job comes of it."""
    account, till, crm = house.account(), house.installation(), house.installation("crm")
    house.reply(account, "STOP")
    jobs = house.rows(schema.write_backs)
    for installation in (till, crm):
        echo = hint(house, OUT, at=jobs[0].at.replace(microsecond=0), proof="ours")
        house.take(installation, said(house, echo))
    assert house.count(schema.write_backs) == len(jobs)


# -- the installation -----------------------------------------------------------------------------------------------


def waiting(house: House, installation: Any, place: int = 1) -> Any:
    """A text of that platform's that waits."""
    house.account()
    house.trigger(delay_s=3600)
    house.take(installation, order(place, at=house.clock.now()))
    [message] = house.rows(schema.messages)
    assert house.message_status(message.id) is Status.SCHEDULED
    return message.id


def test_a_removed_app_sends_nothing_more(house: House) -> None:
    till = house.installation(credentials={"access_token": "t", "refresh_token": "r"})
    house.endpoint("message.canceled")
    message = waiting(house, till)
    house.clock.advance(60)
    house.take(till, event(house, "app.uninstalled"))
    assert house.row(till).status == "removed"
    assert dict(house.value(till).credentials) == {"secret": "s" * 32}
    assert house.message_status(message) is Status.CANCELED
    [told] = house.rows(schema.callbacks)
    assert house.opened(schema.callbacks, told, "body")["id"] == show("msg", message)
    assert house.rows(schema.write_backs) == []
    assert [note["step"] for note in house.rows(schema.messages)[0].notes] == ["the app was taken out"]
    assert house.held().config.installations[till].status == "removed"
    assert len(house.audited("installation.uninstalled")) == 1


def test_a_removal_older_than_the_install_changes_nothing(house: House) -> None:
    till = house.installation()
    message = waiting(house, till)
    house.take(till, event(house, "app.uninstalled", ago_s=3600))
    assert house.row(till).status == "active"
    assert house.message_status(message) is Status.SCHEDULED


def test_what_an_event_cancels_is_followed_up(house: House) -> None:
    till = house.installation(write_back="all")
    house.endpoint("message.canceled")
    message = waiting(house, till)
    house.engine.watched = True
    house.take(till, order("x", at=house.clock.now(), type="order.paid", cancels=("order/1",)))
    assert house.message_status(message) is Status.CANCELED
    assert [row.message_id for row in house.rows(schema.callbacks)] == [message]
    assert [(row.value, row.subject) for row in house.rows(schema.write_backs, value="canceled")] == [("canceled", "order/1")]
    assert [(change.message_id, change.status) for _, change in house.engine.changed] == [(message, Status.CANCELED)]


def test_the_accounts_own_places_are_taken_over(house: House) -> None:
    till = house.installation(credentials={"access_token": "t"})
    house.clock.advance(60)
    house.take(
        till, event(house, "installation.changed", locale="uz_latn_uz", timezone="Asia/Tashkent", country="UZ", shop_name=" Acme ")
    )
    house.take(till, event(house, "installation.changed", scopes="read_orders,write_orders"))
    value = house.shop(till)
    assert (value.locale, value.timezone, value.country) == ("uz-Latn-UZ", "Asia/Tashkent", "UZ")
    assert value.settings["shop_name"] == "Acme"
    assert value.credentials == {"secret": "s" * 32, "access_token": "t", "scope": "read_orders,write_orders"}
    assert [row.details for row in house.audited("installation.changed")] == [
        {"fields": ["country", "locale", "shop_name", "timezone"]},
        {"fields": ["scopes"]},
    ]


def test_older_reports_change_nothing_in_any_order(house: House) -> None:
    """A10: six reports in many orders, with repeats: the newest of each field stands."""
    till = house.installation()
    reports = [
        (50, {"locale": "en", "timezone": "Europe/Berlin"}),
        (40, {"locale": "de"}),
        (30, {"country": "DE", "shop_name": "Old"}),
        (20, {"locale": "fr", "country": "FR"}),
        (10, {"shop_name": "New"}),
        (5, {"timezone": "Europe/Paris"}),
    ]
    pick = random.Random(7)
    for _ in range(12):
        house.engine.write(
            lambda c: c.execute(
                schema.installations.update().values(locale="", country="", timezone="", settings={}, reported=None)
            )
        )
        lived = [*reports, *pick.choices(reports, k=2)]
        pick.shuffle(lived)
        now = house.clock.now()
        for ago_s, fields in lived:
            values = dict(fields)
            house.change(
                lambda c, values=values, now=now, at=now - timedelta(seconds=ago_s): installations.reported(
                    c, house.engine.vault, till, values, at=at, now=now
                )
            )
        row = house.row(till)
        assert (row.locale, row.country, row.timezone, row.settings) == ("fr", "FR", "Europe/Paris", {"shop_name": "New"})


def test_a_name_that_the_tenant_gave_stays(house: House) -> None:
    till = house.installation()
    house.engine.write(lambda c: c.execute(schema.installations.update().values(settings={"shop_name": "Ours"})))
    house.take(till, event(house, "installation.changed", shop_name="Theirs"))
    assert house.row(till).settings == {"shop_name": "Ours"}


def test_places_that_dont_exist_are_left_out() -> None:
    data = {"installation.locale": "!", "installation.timezone": "Mars/Base", "installation.country": "XYZ"}
    assert changed_places(data) == {}
    assert changed_places({"installation.timezone": None, "installation.country": 7}) == {}


# -- people ---------------------------------------------------------------------------------------------------------


def test_a_request_about_a_person_is_kept_sealed_for_the_jobs(house: House) -> None:
    till = house.installation()
    person = Person(ref="customer/1", phones=("90 123 45 67",), email="Ana@Example.com")
    for kind in ("erase", "export"):
        made = Event(
            id=kind,
            type=f"person.{kind}_requested",
            occurred_at=house.clock.now(),
            people={"customer": person},
            data={"request.orders": ["o-1", 5]},
        )
        house.take(till, made)
    rows = house.rows(schema.privacy_requests)
    assert [row.kind for row in rows] == [privacy.ERASE_PERSON, privacy.EXPORT_PERSON]
    assert house.opened(schema.privacy_requests, rows[0], "wanted") == {
        "phones": [ANA],
        "refs": ["customer/1"],
        "emails": ["ana@example.com"],
        "subjects": ["order/o-1"],
    }
    assert len(house.audited("privacy.requested")) == 2


def test_a_request_that_names_nobody_is_no_request(house: House) -> None:
    made = Event(id="e", type="person.erase_requested", occurred_at=house.clock.now(), people={"customer": Person()})
    assert len(house.take(house.installation(), made)) == 1
    assert house.rows(schema.privacy_requests) == []


@pytest.mark.parametrize(("removed", "asked"), [(True, 1), (False, 0)], ids=["the app is out", "the app was installed again"])
def test_an_account_is_erased_only_once_it_is_gone(house: House, removed: bool, asked: int) -> None:
    till = house.installation()
    if removed:
        house.clock.advance(60)
        house.take(till, event(house, "app.uninstalled"))
    house.clock.advance(48 * 3600)
    house.take(till, event(house, "installation.erase_requested"))
    assert house.count(schema.privacy_requests, kind=privacy.ERASE_INSTALLATION) == asked


# -- card numbers ---------------------------------------------------------------------------------------------------


def test_a_card_number_reaches_neither_the_store_nor_a_text(house: House) -> None:
    """H12."""
    till = house.installation()
    house.account()
    house.trigger()
    data = {"order.name": "#4111111111111111", "customer.first_name": "Ana", "order.note": ["4111-1111-1111-1111"], "order.id": "7"}
    house.take(till, order(1, at=house.clock.now(), data=data))
    [event_row], [message] = house.rows(schema.events), house.rows(schema.messages)
    assert house.opened(schema.events, event_row, "content")["data"] == {
        "order.name": "#****1111",
        "customer.first_name": "Ana",
        "order.note": ["****1111"],
        "order.id": "7",
    }
    assert house.opened(schema.messages, message, "text") == "Order #****1111 for Ana"
