"""Events in: gather, decide, write. On the request's thread for webhooks, in the worker for what must be fetched or tried again.

Only finished rows go to the store: an event with all its messages is stored wholly, or not at all because it was seen.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain.cards import masked_event
from bellwire.domain.decide import Candidate, Decision, Facts, candidates, decide
from bellwire.domain.settle import Router
from bellwire.engine import deadlines, effects, staff
from bellwire.engine.cancels import Following
from bellwire.engine.configs import Held
from bellwire.engine.people import Contact, contacts
from bellwire.engine.routes import route
from bellwire.engine.rows import RowMaker, entry_row
from bellwire.engine.runtime import Engine
from bellwire.errors import NotFound, StoreError
from bellwire.ids import new_id, parse_id, show
from bellwire.model import Event, Installation, Msisdn
from bellwire.store import intake as stored
from bellwire.store import schema
from bellwire.store.database import reading
from bellwire.store.intake import Cancel, SeenKey, Unit
from bellwire.store.schema import SEEN_BODY, SEEN_CANCEL, SEEN_EVENT, SEEN_FACT
from bellwire.store.vault import fingerprint
from bellwire.store.writer import Group

log = logging.getLogger(__name__)

GROUP: Group[list[bool]] = Group(stored.apply)  # type: ignore[arg-type]  # the group's items are batches of units


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of a delivery: the ids of its new events, and whether there was nothing new in it."""

    events: Sequence[str]
    duplicate: bool
    prepared: Sequence[tuple[Prepared, bool]] = ()  # each event, and whether it was new


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """One event, decided, not yet written."""

    event_id: UUID
    event: Event
    unit: Unit
    decision: Decision | None
    pending: bool
    following: Following


def take_events(
    engine: Engine,
    held: Held,
    installation: Installation,
    events: Sequence[Event],
    *,
    reported: str = "webhook",
    body: bytes | None = None,
) -> Taken:
    """Store events with all that follows from them; returns after the commit.

    `reported`: `webhook` (it counts as told now) or `reconcile` (as told when it happened). `body`: the raw request, remembered
    so that it is known when it comes again for another installation.
    Raises StoreUnavailable: nothing was stored, the sender repeats.
    """
    if not events:
        return Taken(events=(), duplicate=False)
    prepared = [prepare(engine, held, installation, event, reported=reported) for event in events]
    if body is not None:
        prepared[0].unit.marks = (*prepared[0].unit.marks, body_mark(installation, body))
    new = engine.store.writer.run_in(GROUP, [one.unit for one in prepared])
    fresh = [one for one, is_new in zip(prepared, new, strict=True) if is_new]
    for one in fresh:
        after_commit(engine, one)
    return Taken(
        events=[show("evt", one.event_id) for one in fresh], duplicate=not fresh, prepared=list(zip(prepared, new, strict=True))
    )


def after_commit(engine: Engine, one: Prepared) -> None:
    """Wake who has something to do now."""
    if one.pending:
        engine.wake_jobs()
    if one.unit.rows.get(schema.messages):
        engine.wake()
    if one.unit.rows.get(schema.write_backs) or one.unit.rows.get(schema.callbacks):
        engine.wake_jobs()
    engine.notify(one.following.changes)


def body_mark(installation: Installation, body: bytes) -> SeenKey:
    """The mark that a raw body leaves for its account: two apps in one shop are told the same, another shop never is."""
    account = installation.account_ref
    owner = UUID(bytes=fingerprint(installation.connector, account)) if account else installation.id
    return (fingerprint(installation.connector, body), SEEN_BODY, owner)


def seen_elsewhere(connection: sa.Connection, installation: Installation, body: bytes) -> bool:
    """Whether this very body was taken for another account: a signed body replayed at somebody else's address."""
    return stored.was_seen_elsewhere(connection, body_mark(installation, body))


def prepare(
    engine: Engine,
    held: Held,
    installation: Installation,
    event: Event,
    *,
    reported: str,
    event_id: UUID | None = None,
) -> Prepared:
    """Gather, decide and make the rows of one event. `event_id`: of an event that is stored already (pending, replayed).

    An event that must be fetched first, or whose deciding fails, is prepared as pending.
    """
    now = engine.now()
    event = masked_event(event)
    stored_before = event_id is not None
    event_id = event_id or new_id()
    keys = () if stored_before else _keys(installation, event)
    maker = RowMaker(engine.vault, held.config, held.index, engine.followups(), now)
    connector = engine.plugins.connectors.get(installation.connector)
    pending, error, decision = False, "", None
    if event.fetch and not stored_before and connector is not None and connector.enrich is not None:
        pending = True
    else:
        try:
            decision = _decide(engine, held, installation, event, reported, now, maker, event_id)
        except StoreError:
            raise
        except Exception as e:  # whatever a plugin, a template or our own code does, the event is kept and tried again
            if stored_before:
                raise
            log.exception("deciding failed; the event is pending", extra={"event": show("evt", event_id), "type": event.type})
            pending, error = True, type(e).__name__
            maker = RowMaker(engine.vault, held.config, held.index, engine.followups(), now)
    if not stored_before:
        status = schema.EVENT_PENDING if pending else schema.EVENT_DECIDED
        maker.event(event, event_id, installation.connector, installation.id, status, error=error)
    following = Following(engine, held, now)
    ground = effects.Ground(
        engine=engine, held=held, installation=installation, event=event, event_id=event_id, now=now, following=following
    )
    unit = Unit(
        event_id=event_id,
        keys=keys,
        marks=[(fingerprint(subject), SEEN_CANCEL, installation.id) for subject in event.cancels],
        rows=maker.all(),
        implied=maker.implied,
        numbered=maker.numbered,
        cancels=_cancels(installation, event, decision, following),
        over=_over(installation, event, event_id, decision, following),
        effects=() if pending else effects.of(ground, reported=reported),
        at=now,
    )
    return Prepared(event_id=event_id, event=event, unit=unit, decision=decision, pending=pending, following=following)


def _keys(installation: Installation, event: Event) -> list[SeenKey]:
    keys = [(fingerprint(event.id), SEEN_EVENT, installation.id)]
    if event.fact:
        keys.append((fingerprint(event.fact), SEEN_FACT, installation.id))
    return keys


def _cancels(installation: Installation, event: Event, decision: Decision | None, following: Following) -> list[Cancel]:
    """Waiting messages that this event makes pointless: about the subjects it cancels, and earlier ones that it collapses."""
    cancels = []
    if event.cancels:
        subjects = tuple(event.cancels)
        cancels.append(Cancel(installation.tenant_id, installation.id, subjects, f"canceled by {event.type}", follow=following))
    for entry in decision.entries if decision else ():
        if entry.planned is not None and entry.trigger is not None and _collapses(entry.trigger.definition, event):
            step = "collapsed into a newer one"
            cancels.append(
                Cancel(
                    installation.tenant_id, installation.id, (event.subject,), step, trigger_id=entry.trigger.id, follow=following
                )
            )
    return cancels


def _over(
    installation: Installation, event: Event, event_id: UUID, decision: Decision | None, following: Following
) -> list[tuple[SeenKey, Cancel]]:
    """What was decided to wait is canceled when something that ends it was stored since: the facts were read before."""
    if not event.subject or decision is None:
        return []
    key = (fingerprint(event.subject), SEEN_CANCEL, installation.id)
    step = "what it is about was over before it came"
    waits = [entry.trigger for entry in decision.entries if entry.planned is not None and entry.trigger is not None]
    return [
        (
            key,
            Cancel(
                installation.tenant_id,
                installation.id,
                (event.subject,),
                step,
                trigger_id=trigger.id,
                event_id=event_id,
                follow=following,
            ),
        )
        for trigger in waits
        if trigger.definition.get("delay_s")
    ]


def _collapses(definition: object, event: Event) -> bool:
    """Whether a trigger keeps only the newest waiting text of an object: `collapse`, and always for idle carts."""
    wanted = definition.get("collapse") if isinstance(definition, dict) else None
    return bool(event.subject) and (event.type == "checkout.abandoned" if wanted is None else bool(wanted))


def _decide(
    engine: Engine,
    held: Held,
    installation: Installation,
    event: Event,
    reported: str,
    now: datetime,
    maker: RowMaker,
    event_id: UUID,
) -> Decision:
    """Gather the facts, decide, and let the row maker write down what was decided."""
    reported_at = now if reported == "webhook" else event.occurred_at
    event = staff.completed(engine, held.config.id, installation.connector, event)  # its texts name people
    found, facts, known = gather(engine, held, installation, event, reported_at, now, live=True)
    decision = decide(event, found, facts, now)
    entries = []
    for entry in decision.entries:
        message_id, planned = None, entry.planned
        if planned is not None:
            contact_id = None
            if planned.draft.msisdn is not None:
                zone = planned.draft.timezones[0] if len(planned.draft.timezones) == 1 else ""
                contact_id = maker.contact(planned.draft.msisdn, known.get(planned.draft.msisdn), planned.country, zone, planned)
            message_id = maker.message(planned, contact_id, event=event, event_id=event_id, installation_id=installation.id)
        trigger = entry.trigger
        entries.append(
            entry_row(
                trigger.name if trigger else None,
                entry.outcome,
                entry.reason and str(entry.reason),
                entry.line,
                message_id,
                trigger.row_id if trigger else None,
            )
        )
    maker.rows[schema.decisions] = [{"event_id": event_id, "tenant_id": held.config.id, "at": now, "entries": entries}]
    return decision


def gather(
    engine: Engine,
    held: Held,
    installation: Installation | None,
    event: Event,
    reported_at: datetime,
    now: datetime,
    *,
    live: bool = False,
) -> tuple[list[Candidate], Facts, dict[Msisdn, Contact]]:
    """The facts that deciding needs, from a read-only snapshot and the plugins' hooks. Raises what a hook raises.

    No hook runs while a snapshot is open: it may take its time.
    """
    config = held.config
    connector = installation.connector if installation else "api"
    event = _resolved(engine, config.id, connector, event)
    found = candidates(event, config, installation, connector, reported_at=reported_at)
    matched = [one for one in found if one.matched]
    numbers = list(dict.fromkeys(one.msisdn for one in matched if one.msisdn is not None))
    waits = installation is not None and bool(event.subject) and any(one.trigger.definition.get("delay_s") for one in matched)
    known: dict[Msisdn, Contact] = {}
    canceled, past = False, None
    if numbers or waits:
        with reading(engine.store.engine) as connection:
            known = contacts(connection, held, numbers, [one.trigger for one in matched], now)
            if waits and installation is not None:
                canceled = stored.was_seen(connection, (fingerprint(event.subject), SEEN_CANCEL, installation.id))
            past = deadlines.past(connection, installation, event, now) if live else None  # a trial's event is an old one
    facts = Facts(
        tenant=config,
        installation=installation,
        people={number: contact.person for number, contact in known.items()},
        veto=engine.plugins.refuse(config.id, event) if matched else None,
        canceled=canceled,
        past=past,
        route=router(engine, held),
        is_sandbox=sandbox_test(engine, held),
        filters=engine.plugins.filters,
    )
    return found, facts, known


def _resolved(engine: Engine, tenant_id: UUID, system: str, event: Event) -> Event:
    """The event with people that the staff directory or a plugin knows, for systems whose events carry no phone."""
    event = staff.completed(engine, tenant_id, system, event)
    customer = event.customer
    if customer is None or customer.phones or not customer.ref:
        return event
    person = engine.plugins.resolve_recipient(tenant_id, system, customer.ref)
    return event if person is None else replace(event, people={**event.people, "customer": person})


def router(engine: Engine, held: Held) -> Router:
    """The tenant's routing as `domain.settle` calls it."""
    return lambda country, purpose, sender_id, carrier, from_template: route(
        held.config,
        engine.plugins.carriers,
        country=country,
        purpose=purpose,
        sender_id=sender_id,
        carrier=carrier,
        from_template=from_template,
    )


def sandbox_test(engine: Engine, held: Held) -> Callable[[str], bool]:
    """Whether an account (by shown id) belongs to a carrier that texts nobody: one that plans its own receipts."""

    def is_sandbox(account: str) -> bool:
        wanted = parse_id("acc", account)
        carrier = next((one.value.carrier for one in held.config.accounts if one.value.id == wanted), "")
        return carrier in engine.plugins.carriers and engine.plugins.carriers[carrier].plan is not None

    return is_sandbox


def configured(engine: Engine, connection: sa.Connection, tenant_id: UUID, version: int | None = None) -> Held:
    """A tenant's configuration. Raises NotFound."""
    held = engine.configs.get(connection, tenant_id, engine.now(), version)
    if held is None:
        raise NotFound("tenant", show("ten", tenant_id))
    return held
