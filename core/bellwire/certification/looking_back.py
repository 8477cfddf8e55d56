"""Is what no webhook told found, are subscriptions mended, and does old news text nobody?"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bellwire.certification.facts import real, whole
from bellwire.certification.house import House
from bellwire.certification.kit import Kit
from bellwire.certification.platform import Platform
from bellwire.certification.rules import Level, NotJudged, Rule, claim
from bellwire.model import Event
from bellwire.testing import NOW, FixedClock

_DAY = timedelta(days=1)
_LATE = timedelta(days=40)  # when the old events are told of
_ASKED_NOW = frozenset({"message.requested"})  # a call to us, which happens when it is made


def _reconcile(kit: Kit, at: Platform) -> list[Event]:
    reconcile, found = kit.connector.reconcile, list[Event]()
    if reconcile is None:
        raise NotJudged("it has no reconcile")
    done = at.run(lambda: found.extend(reconcile(at.link(), NOW - _DAY)))
    claim(done.error is None, f"reconcile raised {type(done.error).__name__}: {done.error}")
    return whole(kit, at, found)


def _gap(kit: Kit) -> None:
    with kit.platform(own=True) as at:
        house = House(kit.connector, at.stored.installation, at.clock)
        _reconcile(kit, at)
        at.clock.advance(60)
        missed = {at.stand_in.happen() for _ in range(3)}
        at.clock.advance(60)
        events = _reconcile(kit, at)
        found = {event.subject for event in events}
        claim(missed <= found, f"{len(missed - found)} of {len(missed)} things that no webhook told are not found")
        claim(house.take(events, reported="reconcile") > 0, "what is found makes no event")
        claim(house.take(_reconcile(kit, at), reported="reconcile") == 0, "the next look tells the same as news")


def _repaired(kit: Kit) -> None:
    subscribe = kit.connector.subscribe
    if subscribe is None:
        raise NotJudged("it makes no subscriptions")
    with kit.platform(own=True) as at:
        done = at.run(lambda: subscribe(at.link()))
        claim(done.error is None, f"subscribe raised {type(done.error).__name__}")
        stood = at.stand_in.subscriptions()
        claim(stood > 0, "subscribe made none")
        at.run(lambda: subscribe(at.link()))
        claim(at.stand_in.subscriptions() == stood, "subscribing again makes more of them")
        at.stand_in.drop_subscriptions()
        _reconcile(kit, at)
        claim(at.stand_in.subscriptions() == stood, "subscriptions that the platform deleted do not come back")


def _backlog(kit: Kit) -> None:
    """The samples' events, told so often and long after they happened, to triggers that were just switched on."""
    many, read = kit.scale.old, list[Event]()
    for _, request in kit.requests:
        events = kit.read(replace(request, received_at=NOW + _LATE))
        read += [one for one in real(events) if one.type not in _ASKED_NOW and any(person.phones for person in one.people.values())]
    if not read:
        raise NotJudged("no sample has anybody to text")
    old = [
        replace(event, id=f"{event.id}-{number}", fact=event.fact and f"{event.fact}-{number}")
        for number, event in ((number, read[number % len(read)]) for number in range(many))
    ]
    clock = FixedClock(NOW + _LATE)
    house = House(kit.connector, kit.at, clock, max_age_s=int(_DAY.total_seconds()))
    half = many // 2
    house.take(old[:half], reported="reconcile")
    house.take(old[half:])
    sent = house.messages()
    claim(sent == 0, f"{sent} of {many} events of {_LATE.days} days ago text somebody; occurred_at is the platform's time")


RULES = (
    Rule("gap", Level.GOLD, "What no webhook told is found by looking, once.", _gap),
    Rule("subscriptions", Level.GOLD, "Subscriptions that the platform deletes come back.", _repaired),
    Rule(
        "backlog", Level.GOLD, "Old events text nobody when a trigger is switched on.", _backlog, needs=("samples", "event-shape")
    ),
)
