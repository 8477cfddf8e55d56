"""What deciding needs to know of events: gathered for all that came together, by one look at the store and the plugins' hooks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ParamSpec, TypeVar
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain.decide import Candidate, Facts, candidates
from bellwire.domain.settle import Router
from bellwire.domain.tenant import Trigger
from bellwire.engine import deadlines, staff
from bellwire.engine.configs import Held
from bellwire.engine.people import Contact, contacts
from bellwire.engine.routes import router, sandbox_test
from bellwire.engine.runtime import Engine
from bellwire.errors import StoreError
from bellwire.model import Event, Installation, Msisdn, Reason
from bellwire.store import intake as stored
from bellwire.store.database import reading
from bellwire.store.intake import SeenKey
from bellwire.store.schema import SEEN_CANCEL
from bellwire.store.vault import NOBODY, fingerprint

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What is known of one event. `event`: with what the staff directory adds; `found`: the triggers that listen to it;
    `known`: the contacts behind the numbers that might be texted.
    """

    event: Event
    found: Sequence[Candidate]
    facts: Facts
    known: Mapping[Msisdn, Contact]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Met:
    """An event and the triggers it meets. `resolved`: with whom a plugin names; `waits`: a text of it would wait."""

    event: Event
    resolved: Event
    found: Sequence[Candidate]
    triggers: Sequence[Trigger]
    numbers: Sequence[Msisdn]
    waits: bool


@dataclass(frozen=True, slots=True)
class _Before:
    """What came before an event: one that ends what it is about; something newer, or the same."""

    canceled: bool = False
    past: tuple[Reason, str] | None = None


@dataclass(frozen=True, slots=True)
class _Seen:
    """The snapshot: who is behind the numbers, and for each event what came before it, or why nobody can tell."""

    known: Mapping[Msisdn, Contact]
    before: Sequence[_Before | Exception]


def gather(
    engine: Engine,
    held: Held,
    installation: Installation | None,
    told: Sequence[tuple[Event, datetime]],
    now: datetime,
    *,
    live: bool = False,
) -> list[Gathered | Exception]:
    """The facts of events, each given with when it was reported, from one read-only snapshot. `live`: not a trial's old ones.

    Where they can't be had, because a plugin's hook raised, stands what was raised: one event's failure stays its own. No hook
    runs while the snapshot is open: it may take its time. Raises StoreError.
    """
    system = installation.connector if installation else "api"
    # first of all whom they mean: an event may know a person only as the directory does
    events = _tried(staff.completed_all, engine, held.config.id, system, [event for event, _ in told])
    if isinstance(events, Exception):
        return [events] * len(told)
    times = [reported_at for _, reported_at in told]
    met = [_tried(_meet, engine, held, installation, system, *one) for one in zip(events, times, strict=True)]
    seen = _tried(_look, engine, held, installation, [one for one in met if isinstance(one, _Met)], now, live=live)
    if isinstance(seen, Exception):
        return [one if isinstance(one, Exception) else seen for one in met]
    route_of, is_sandbox, before = router(engine, held), sandbox_test(engine, held), iter(seen.before)
    return [
        one
        if isinstance(one, Exception)
        else _tried(_gathered, engine, held, installation, one, seen.known, next(before), route_of, is_sandbox)
        for one in met
    ]


def _tried(run: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T | Exception:
    """What it gives, or what it raises. Raises StoreError: nothing can be said of any event then."""
    try:
        return run(*arguments, **named)
    except StoreError:
        raise
    except Exception as e:
        return e


def _meet(engine: Engine, held: Held, installation: Installation | None, system: str, event: Event, reported_at: datetime) -> _Met:
    resolved = _resolved(engine, held.config.id, system, event)
    found = candidates(resolved, held.config, installation, system, reported_at=reported_at)
    matched = [one for one in found if one.matched]
    delays = installation is not None and bool(event.subject) and any(one.trigger.definition.get("delay_s") for one in matched)
    return _Met(
        event=event,
        resolved=resolved,
        found=found,
        triggers=[one.trigger for one in matched],
        numbers=[one.msisdn for one in matched if one.msisdn is not None],
        waits=delays,
    )


def _resolved(engine: Engine, tenant_id: UUID, system: str, event: Event) -> Event:
    """The event with people that a plugin knows, for systems whose events carry no phone."""
    customer = event.customer
    if customer is None or customer.phones or not customer.ref:
        return event
    person = engine.plugins.resolve_recipient(tenant_id, system, customer.ref)
    return event if person is None else replace(event, people={**event.people, "customer": person})


def _look(
    engine: Engine, held: Held, installation: Installation | None, met: Sequence[_Met], now: datetime, *, live: bool
) -> _Seen:
    """One snapshot for all of them; none where nobody would be texted."""
    if not any(one.numbers or one.waits for one in met):
        return _Seen({}, [_Before()] * len(met))
    numbers = list(dict.fromkeys(number for one in met for number in one.numbers))
    triggers = {trigger.id: trigger for one in met for trigger in one.triggers}
    with reading(engine.store.engine) as connection:
        known = contacts(connection, held, numbers, triggers.values(), now)
        ended = stored.seen_among(connection, [_ending(installation, one) for one in met if one.waits])
        return _Seen(known, [_tried(_came_before, connection, installation, one, ended, now, live=live) for one in met])


def _came_before(
    connection: sa.Connection,
    installation: Installation | None,
    one: _Met,
    ended: Collection[SeenKey],
    now: datetime,
    *,
    live: bool,
) -> _Before:
    heeds = live and bool(one.numbers or one.waits)
    return _Before(
        canceled=one.waits and _ending(installation, one) in ended,
        past=deadlines.past(connection, installation, one.resolved, now) if heeds else None,
    )


def _ending(installation: Installation | None, one: _Met) -> SeenKey:
    """The mark of what ends the object of an event that would wait."""
    return (fingerprint(one.event.subject), SEEN_CANCEL, installation.id if installation is not None else NOBODY)


def _gathered(
    engine: Engine,
    held: Held,
    installation: Installation | None,
    one: _Met,
    known: Mapping[Msisdn, Contact],
    before: _Before | Exception,
    route_of: Router,
    is_sandbox: Callable[[str], bool],
) -> Gathered:
    """The facts of one event, its veto asked. Raises what a hook raises."""
    if isinstance(before, Exception):
        raise before
    mine = {number: known[number] for number in one.numbers if number in known}
    facts = Facts(
        tenant=held.config,
        installation=installation,
        people={number: contact.person for number, contact in mine.items()},
        veto=engine.plugins.refuse(held.config.id, one.resolved) if one.triggers else None,
        canceled=before.canceled,
        past=before.past,
        route=route_of,
        is_sandbox=is_sandbox,
        filters=engine.plugins.filters,
    )
    return Gathered(event=one.event, found=one.found, facts=facts, known=mine)
