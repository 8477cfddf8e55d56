"""What is true at the claim counts: consent, expiry, quiet hours, caps, route. Facts of intake may be hours old by then."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from bellwire.engine.sending import SendRequest
from bellwire.ids import show
from bellwire.model import Capability, ConsentState, Purpose, Status
from bellwire.store import schema
from standins.line import Line, when
from standins.world import ALICE, BOB, World, number, order, until


def test_a_stop_between_intake_and_claim_refuses_the_text(world: World, line: Line) -> None:
    world.account("line")
    made, other = world.send(ALICE), world.send(BOB)
    world.say(ALICE, ConsentState.OPTED_OUT)
    world.pump()
    assert world.wait(made, Status.REFUSED).reason == "opted_out"
    world.wait(other, Status.SENT)
    assert line.times == {other: 1}
    assert world.message(made).notes[-1]["reason"] == "opted_out", "why tells it"


def test_consent_by_purpose_is_judged_at_the_claim(world: World, line: Line) -> None:
    world.account("line")
    world.clock.shift += _tashkent(world, 12, 0) - world.clock()  # marketing keeps to the day's hours
    world.send(ALICE)
    world.say(ALICE, ConsentState.OPTED_IN, Purpose.MARKETING, source=_api())
    offer = world.send(ALICE, "Offer", purpose=Purpose.MARKETING, send_at=world.clock() + timedelta(days=3))
    world.say(ALICE, ConsentState.OPTED_OUT, Purpose.MARKETING)
    world.clock.forward(days=3, hours=1)
    world.pump()
    assert world.wait(offer, Status.REFUSED).reason == "opted_out"
    assert offer not in line.times


def _api() -> Any:
    from bellwire.domain.consent import Source

    return Source.API


@pytest.mark.parametrize(("purpose", "lives"), [("otp", "10 minutes"), ("transactional", "a day")])
def test_what_is_over_is_never_sent(world: World, line: Line, purpose: str, lives: str) -> None:
    world.account("line")
    made = world.send(purpose=purpose)
    world.clock.forward(minutes=11) if purpose == "otp" else world.clock.forward(hours=25)
    world.pump()
    assert world.wait(made, Status.EXPIRED).reason == "expired"
    assert line.sent == []


def test_the_callers_own_expiry_counts(world: World, line: Line) -> None:
    world.account("line")
    made = world.send(expires_in_s=30)
    world.clock.forward(seconds=31)
    world.pump()
    world.wait(made, Status.EXPIRED)
    assert line.sent == []


def test_quiet_hours_at_the_claim_move_the_text_to_their_end(make_world: Callable[..., World], line: Line) -> None:
    """It was due in the evening and could not go then; it goes in the morning, and not before."""
    world = make_world(quiet_hours={"windows": "09:00-20:00", "transactional": True})
    world.account("line")
    local = _tashkent(world, 19, 30)
    world.clock.shift += local - world.clock()
    made = world.send(expires_in_s=2 * 86_400)
    assert world.status(made) is Status.QUEUED
    world.clock.forward(hours=1)  # 20:30: the pump was not there
    world.pump()
    until(lambda: world.message(made).due > world.clock() + timedelta(hours=10), "it is held until the morning")
    held = world.message(made)
    assert held.due.astimezone(_zone()).time() == time(9, 0)
    assert held.notes[-1]["outcome"] == "held"
    assert held.notes[-1]["reason"] == "quiet_hours"
    assert line.sent == []
    world.clock.forward(hours=12, minutes=31)
    world.wait(made, Status.SENT)


def test_a_text_that_waits_for_its_day_stays_scheduled_when_it_is_held(make_world: Callable[..., World]) -> None:
    world = make_world()
    world.account("line")
    local = _tashkent(world, 19, 30)
    world.clock.shift += local - world.clock()
    made = world.send(send_at=world.clock() + timedelta(minutes=50), expires_in_s=2 * 86_400)
    assert world.status(made) is Status.SCHEDULED
    world.change(lambda c: _settings(c, world, quiet_hours={"windows": "09:00-20:00", "transactional": True}))
    world.clock.forward(hours=1)
    world.pump()
    until(lambda: world.message(made).notes[-1]["outcome"] == "held")
    assert world.status(made) is Status.SCHEDULED


def test_otp_goes_at_night(make_world: Callable[..., World], line: Line) -> None:
    world = make_world(quiet_hours={"windows": "09:00-20:00", "transactional": True})
    world.account("line")
    world.clock.shift += _tashkent(world, 23, 30) - world.clock()
    world.pump()
    world.wait(world.send(purpose="otp"), Status.SENT)


def test_a_cap_holds_for_events_that_come_together(world: World, line: Line) -> None:
    """Each was decided before the other was stored: the claim sees both."""
    world.account("line")
    shop = world.installation()
    world.template()
    world.trigger("fulfillment.shipped", cap={"count": 1, "window_s": 86_400})
    taken = world.take(shop, order(1), order(2), order(3))
    assert [world.decisions(event)[0]["outcome"] for event in taken.events] == ["sent"] * 3
    world.pump()
    world.wait_for(sent=1, refused=2)
    assert {row.reason for row in world.messages() if row.status == schema.STATUS_CODES[Status.REFUSED]} == {"cap"}
    assert len(line.sent) == 1


def test_the_guard_against_loops_holds_for_calls_that_come_together(world: World, line: Line) -> None:
    world.account("line")
    requests = [SendRequest(to=ALICE, body=f"Text {n}") for n in range(40)]
    world.send_all(requests)
    assert world.statuses() == {"queued": 40}
    world.pump()
    world.wait_for(sent=30, refused=10)


def test_codes_to_one_number_are_capped_however_many_ask_at_once(world: World, line: Line) -> None:
    world.account("line")
    threads = [threading.Thread(target=world.send, kwargs={"purpose": "otp", "body": f"Code {n}"}) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    world.pump()
    until(lambda: not world.statuses()["queued"] and not world.statuses()["sending"])
    assert len(line.sent) == 3


def test_a_change_of_the_route_policy_reroutes_what_waits(make_world: Callable[..., World], line: Line) -> None:
    other = Line("other")
    world = make_world(other)
    first, second = world.account("line"), world.account("other")
    made = world.send()
    assert world.message(made).account_id == first
    world.policy(primary=[second])
    world.pump()
    row = world.wait(made, Status.SENT)
    assert row.account_id == second
    assert (line.sent, len(other.sent)) == ([], 1)
    assert any(note["outcome"] == "rerouted" for note in row.notes)


def test_a_policy_that_forbids_the_country_refuses_what_waits(world: World, line: Line) -> None:
    account = world.account("line")
    made = world.send()
    world.policy(primary=[account], countries=["KZ"])
    world.pump()
    assert world.wait(made, Status.REFUSED).reason == "country_not_allowed"
    assert line.sent == []


def test_the_callers_carrier_is_kept(make_world: Callable[..., World], line: Line) -> None:
    other = Line("other")
    world = make_world(other)
    first, second = world.account("line"), world.account("other")
    made = world.send(carrier="line")
    world.policy(primary=[second], backup=[first])
    world.pump()
    assert world.wait(made, Status.SENT).account_id == first


def test_lanes_go_before_each_other_and_accounts_in_turn(make_world: Callable[..., World], line: Line) -> None:
    """With room for one call at a time codes go first, of every account, and offers last."""
    other = Line("other")
    gate = threading.Event()
    world = make_world(other)
    first, second = world.account("line"), world.account("other")
    ids = {}
    for carrier in ("line", "other"):
        for n, purpose in enumerate(("transactional", "otp", "transactional", "otp")):
            ids[world.send(number(n), purpose=purpose, carrier=carrier)] = purpose
    sent: list[str] = []

    def answer(message: Any, account: Any) -> Any:
        sent.append(str(message.purpose))
        return when(gate)(message, account)

    line.answer = other.answer = answer
    world.pump(room=1)
    gate.set()
    world.wait_for(sent=8)
    assert sent == ["otp"] * 4 + ["transactional"] * 4
    assert {one.account_id for one in (line.sent + other.sent)} == {first, second}


def test_the_price_is_the_one_of_the_claim(world: World, line: Line) -> None:
    """G4: a price list that changes while a message waits counts; one that changes while it is being sent does not."""
    gate = threading.Event()
    line.answer = when(gate)
    account = world.account("line", prices={"default": "0.01"}, currency="USD")
    world.credit("1")
    made = world.send()
    world.set_account(account, settings={"prices": {"default": "0.02"}})
    world.pump()
    line.wait(1)
    world.set_account(account, settings={"prices": {"default": "0.50"}})
    gate.set()
    row = world.wait(made, Status.SENT)
    assert (row.price, row.currency) == ("0.02", "USD")
    assert world.balance() == (980_000, 980_000)


def test_a_receipt_url_names_the_message(make_world: Callable[..., World]) -> None:
    asked = Line("asked", Capability.DLR, Capability.DLR_URL)
    world = make_world(asked)
    world.account("asked")
    world.pump()
    made = world.send()
    url = asked.wait(1)[0].message.dlr_url
    assert url.startswith("http://127.0.0.1:9/dlr/asked/")
    assert url.endswith(f"/{show('msg', made)}")


def test_a_text_nobody_can_open_stops_no_other(world: World, line: Line) -> None:
    """Altered in the database: it waits, with a line that says so, and the rest goes on."""
    world.account("line")
    ids = world.send_many(5)
    m = schema.messages.c
    world.engine.write(lambda c: c.execute(sa.update(schema.messages).where(m.id == ids[2]).values(text=b"\x01nonsense" * 8)))
    world.pump()
    world.wait_for(sent=4, queued=1)
    row = world.message(ids[2])
    assert row.due > datetime.now(UTC)
    assert row.notes[-1]["detail"] == "what is stored of it can't be read"
    more = world.send(number(99))
    world.wait(more, Status.SENT)


def test_an_account_with_impossible_settings_stops_no_other(make_world: Callable[..., World], line: Line) -> None:
    other = Line("other")
    world = make_world(other)
    bad, _good = world.account("line"), world.account("other")
    stuck, fine = world.send(carrier="line"), world.send(BOB, carrier="other")
    a = schema.carrier_accounts
    world.change(lambda c: _raw_settings(c, bad))
    assert world.one(sa.select(a.c.settings).where(a.c.id == bad)).settings == {"rate": "many"}
    world.pump()
    world.wait(fine, Status.SENT)
    assert world.status(stuck) is Status.QUEUED


def _raw_settings(c: Any, account_id: Any) -> None:
    from bellwire.store import tenants
    from bellwire.store.tenancy import scope

    a = schema.carrier_accounts
    c.execute(sa.update(a).where(scope(a), a.c.id == account_id).values(settings={"rate": "many"}))
    tenants.bump(c)


def _settings(c: Any, world: World, **settings: Any) -> None:
    from bellwire.store import tenants

    tenants.change(c, {"settings": settings}, actor="cli", now=world.clock())


def _zone() -> Any:
    from zoneinfo import ZoneInfo

    return ZoneInfo("Asia/Tashkent")


def _tashkent(world: World, hour: int, minute: int) -> datetime:
    """Tomorrow at this time there."""
    tomorrow = (world.clock().astimezone(_zone()) + timedelta(days=1)).date()
    return datetime.combine(tomorrow, time(hour, minute), _zone()).astimezone(UTC)
