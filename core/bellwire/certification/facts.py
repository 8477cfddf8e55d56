"""What becomes of a connector's events in the engine: nothing lost, nothing twice, nothing old, no consent turned round."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

from bellwire.certification.house import House
from bellwire.certification.kit import Kit
from bellwire.certification.platform import Platform
from bellwire.certification.quality import Step
from bellwire.certification.rules import Level, NotJudged, Rule, claim
from bellwire.domain import msisdn as numbers
from bellwire.errors import SignatureMismatch
from bellwire.model import ConsentChange, ConsentHint, ConsentState, Event, Link, Msisdn, Person, Purpose, WebhookRequest
from bellwire.testing import NOW, FixedClock

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
_LATE = timedelta(days=40)  # when the old events are told of
_ASKED_NOW = frozenset({"message.requested"})  # a call to us, which happens when it is made


def _house(kit: Kit, clock: FixedClock | None = None, *, max_age_s: int | None = None) -> House:
    return House(kit.connector, kit.at, clock or FixedClock(), max_age_s=max_age_s)


def real(events: Sequence[Event]) -> list[Event]:
    """Without what needs a call first, or is a test: these text nobody."""
    return [replace(event, fetch={}, test=False) for event in events]


def whole(kit: Kit, at: Platform, events: Sequence[Event]) -> list[Event]:
    """The events as the engine decides them: what has ids only is completed at the stand-in. Raises NotJudged where it can't be."""
    enrich, found = kit.connector.enrich, list[Event]()
    for event in events:
        if not event.fetch or enrich is None:
            found.append(event)
            continue
        done = at.run(partial(_enriched, enrich, event, at.link(), found))
        if done.error is not None:
            raise NotJudged(f"`enrich` gets nothing from the stand-in ({type(done.error).__name__})")
    return real(found)


def _enriched(enrich: Callable[[Event, Link], Event], event: Event, link: Link, found: list[Event]) -> None:
    found.append(enrich(event, link))


# -- repeats ------------------------------------------------------------------------------------------------------


def _replayed(kit: Kit) -> None:
    first, again = dict[str, Sequence[Event]](), dict[str, Sequence[Event]]()
    for name, events in kit.events.items():
        if not any(event.type.startswith(("app.", "installation.")) for event in events):  # these take the account away
            request = dict(kit.requests)[name]
            first[name], again[name] = events, kit.read(replace(request, received_at=request.received_at + _MINUTE))
    house = _house(kit)
    house.take([event for events in first.values() for event in events])
    if house.take([event for events in again.values() for event in events]):
        news = [name for name in first if [event.id for event in first[name]] != [event.id for event in again[name]]]
        raise AssertionError(f"{', '.join(news)}: delivered twice it is another event")


def _after_commit(kit: Kit) -> None:
    """`probe` is asked before anything is verified or stored: who answers an event there loses it."""
    probe = kit.connector.probe
    for name, events in kit.events.items():
        request = dict(kit.requests)[name]
        claim(
            not events or probe is None or probe(request, kit.at) is None, f"{name}: `probe` answers an event before it is stored"
        )


def _steps(kit: Kit, steps: Sequence[Step], least: int, where: str) -> list[tuple[str, Sequence[Event]]]:
    if len(steps) < least:
        raise NotJudged(f"name {least} deliveries under [[{where}]] in quality.toml")
    found = []
    for number, step in enumerate(steps, 1):
        events = kit.read(step.request(kit.subject.samples))
        claim(bool(events), f"[[{where}]] {number}, {step.sample}: no event is read")
        found.append((f"{number}, {step.sample}", events))
    return found


def _sequence(kit: Kit) -> None:
    steps = _steps(kit, kit.quality.sequence, 3, "sequence")
    subjects = {event.subject for _, events in steps for event in events}
    claim(len(subjects) == 1, f"[[sequence]] is about {len(subjects)} objects; name the deliveries of one")
    house = _house(kit)
    for label, events in steps:
        claim(house.take(events) > 0, f"{label}: is taken for a repeat of an earlier one, and lost")
    claim(house.take([event for _, events in steps for event in events]) == 0, "delivered again they are new events")


def _same_second(kit: Kit) -> None:
    steps = _steps(kit, kit.quality.same_second, 2, "same_second")
    times = {event.occurred_at.replace(microsecond=0) for _, events in steps for event in events}
    claim(len(times) == 1, "[[same_second]] has more than one second")
    house = _house(kit)
    for label, events in steps:
        claim(house.take(events) > 0, f"{label}: is taken for the other fact of the same second, and lost")


# -- consent ------------------------------------------------------------------------------------------------------


def _hints(kit: Kit, state: ConsentState) -> Iterator[tuple[str, Event, Person, ConsentHint]]:
    for name, events in kit.events.items():
        for event in events:
            for person in event.people.values():
                for hint in person.consents:
                    if hint.purpose is Purpose.MARKETING and hint.state is state:
                        yield name, event, person, hint


def _number(kit: Kit, person: Person) -> Msisdn | None:
    written = person.marketing_phones if person.marketing_phones is not None else person.phones
    found = (numbers.parse(one, [*person.countries, kit.at.country or "US"]) for one in written)
    return next((one for one in found if one is not None), None)


def _consent_in(kit: Kit) -> None:
    judged = set()
    for state in (ConsentState.OPTED_OUT, ConsentState.OPTED_IN):
        for name, event, person, _ in _hints(kit, state):
            msisdn = _number(kit, person)
            if msisdn is None:
                continue
            judged.add(state)
            house = _house(kit)
            house.take([event])
            claim(house.marketing(msisdn) == state, f"{name}: {state} does not reach the ledger")
            break
    if not judged:
        raise NotJudged("no sample says anything of marketing consent")
    claim(ConsentState.OPTED_OUT in judged, "opt-ins are heard, and no sample shows that an opt-out is")


def _stop_wins(kit: Kit) -> None:
    """Each opt-in sample is delivered again an hour after its person's STOP: its own time is what counts."""
    judged = False
    for name, *_ in _hints(kit, ConsentState.OPTED_IN):
        clock = FixedClock(NOW + timedelta(hours=1))
        request = replace(dict(kit.requests)[name], received_at=NOW + timedelta(hours=2))
        events = kit.read(request)
        house = _house(kit, clock)
        for person in (person for event in events for person in event.people.values() if person.consents):
            msisdn = _number(kit, person)
            if msisdn is None:
                continue
            judged = True
            house.stop(msisdn)
            clock.advance(3600)
            house.take(events)
            claim(house.marketing(msisdn) == ConsentState.OPTED_OUT, f"{name}: an opt-in from before a STOP undoes it")
    if not judged:
        raise NotJudged("no sample says anything of marketing consent")


def _consent_out(kit: Kit) -> None:
    write_consent = kit.connector.write_consent
    if write_consent is None:
        raise NotJudged("it writes no consent")
    with kit.platform(own=True) as at:
        msisdn, ref = at.stand_in.person()

        def say(state: ConsentState, minutes: int) -> str:
            change = ConsentChange(
                msisdn=Msisdn(msisdn),
                purpose=Purpose.MARKETING,
                state=state,
                at=NOW + minutes * _MINUTE,
                source="reply",
                customer_ref=ref,
            )
            at.clock.advance(60)
            done = at.run(lambda: write_consent(change, at.link()))
            claim(done.error is None, f"writing {state} raised {type(done.error).__name__}")
            return at.stand_in.consent(msisdn)

        claim(say(ConsentState.OPTED_IN, -60) == "opted_in", "an opt-in does not reach the platform")
        claim(say(ConsentState.OPTED_OUT, -30) == "opted_out", "a STOP does not reach the platform")
        claim(say(ConsentState.OPTED_IN, -45) == "opted_out", "an older opt-in undoes a newer STOP at the platform")
        claim(say(ConsentState.OPTED_OUT, -30) == "opted_out", "the same STOP again changes something")


# -- loops --------------------------------------------------------------------------------------------------------


def _read_all(kit: Kit, at: Platform, requests: Sequence[WebhookRequest]) -> list[Event]:
    """What is read of webhooks that the stand-in sends, verified as the intake does."""
    made, found = at.stored.installation, list[Event]()
    for request in requests:
        signed = kit.connector.sign(request, made)
        try:
            kit.connector.verify(signed, made, at.clock.now())
        except SignatureMismatch as e:
            raise NotJudged(f"the stand-in's webhooks are not believed: {e}") from e
        found += kit.connector.read(signed, made)
    return whole(kit, at, found)


def _loop(kit: Kit) -> None:
    if kit.connector.write_back is None:
        raise NotJudged("it writes no statuses back")
    with kit.platform(own=True) as at:
        house = House(kit.connector, at.stored.installation, at.clock)
        subject = at.stand_in.subject()
        house.take(_read_all(kit, at, at.stand_in.reports(subject)))
        before = house.messages()
        if not before:
            raise NotJudged("the stand-in's report texts nobody, so that a loop would not show")
        done = at.write(at.change(subject))
        claim(done.error is None, "a plain write failed")
        at.clock.advance(5)
        house.take(_read_all(kit, at, at.stand_in.reports(subject)))
        more = house.messages() - before
        claim(more == 0, f"what we wrote comes back as news and texts {more} more: a loop")


RULES = (
    Rule(
        "replayed",
        Level.BRONZE,
        "A delivery that comes again is no new event.",
        _replayed,
        needs=("samples", "pure", "event-shape"),
    ),
    Rule("after-commit", Level.BRONZE, "No event is answered before it is stored.", _after_commit, needs=("samples",)),
    Rule("sequence", Level.GOLD, "Created, edited and edited again are three facts of one object.", _sequence, needs=("replayed",)),
    Rule("same-second", Level.GOLD, "Two facts in one second are two.", _same_second, needs=("replayed",)),
    Rule(
        "consent-in", Level.GOLD, "What a platform says of marketing consent reaches the ledger.", _consent_in, needs=("samples",)
    ),
    Rule(
        "stop-wins",
        Level.GOLD,
        "An opt-in from before a STOP never undoes it, whenever it is told.",
        _stop_wins,
        needs=("consent-in",),
    ),
    Rule("consent-out", Level.GOLD, "A STOP reaches the platform, and an older opt-in does not undo it there.", _consent_out),
    Rule("loop-guard", Level.GOLD, "What we write never comes back as a text.", _loop, needs=("write-back", "replayed")),
)
