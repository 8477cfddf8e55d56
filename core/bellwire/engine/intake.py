"""Events in: gather, decide, write. On the request's thread for webhooks, in the worker for what must be fetched or tried again.

Only finished rows go to the store: an event with all its messages is stored wholly, or not at all because it was seen.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain.cards import masked_event
from bellwire.domain.decide import Decision, decide
from bellwire.engine import effects, facts
from bellwire.engine.cancels import Following
from bellwire.engine.configs import Held
from bellwire.engine.followups import Changes
from bellwire.engine.rows import RowMaker, entry_row
from bellwire.engine.runtime import Engine
from bellwire.errors import NotFound, StoreError
from bellwire.ids import new_id, show
from bellwire.model import Event, Installation
from bellwire.store import intake as stored
from bellwire.store import schema
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
    changes: Changes


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
    prepared = prepare(engine, held, installation, events, reported=reported)
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
    if one.unit.due is not None:
        engine.wake(one.unit.due)
    if one.unit.rows.get(schema.write_backs) or one.unit.rows.get(schema.callbacks):
        engine.wake_jobs()
    engine.tell(one.changes)
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
    engine: Engine, held: Held, installation: Installation, events: Sequence[Event], *, reported: str = "webhook"
) -> list[Prepared]:
    """Gather, decide and make the rows of new events of one installation. Raises StoreError.

    An event that must be fetched first, or whose deciding fails, is prepared as pending.
    """
    now, connector = engine.now(), engine.plugins.connectors.get(installation.connector)
    can_fetch = connector is not None and connector.enrich is not None
    told = [(masked_event(event), new_id()) for event in events]
    decided = iter(_decided(engine, held, installation, [one for one in told if not (can_fetch and one[0].fetch)], reported, now))
    prepared = []
    for event, event_id in told:
        made = None if can_fetch and event.fetch else next(decided)
        if isinstance(made, Exception):  # whatever a plugin, a template or our own code does, the event is kept and tried again
            about = {"event_id": show("evt", event_id), "event_type": event.type}
            log.error("deciding failed; the event is pending", exc_info=made, extra=about)
        maker, decision = made if isinstance(made, tuple) else (_maker(engine, held, now), None)
        status = schema.EVENT_DECIDED if decision is not None else schema.EVENT_PENDING
        error = type(made).__name__ if isinstance(made, Exception) else ""
        maker.event(event, event_id, installation.connector, installation.id, status, error=error)
        keys = _keys(installation, event)
        prepared.append(_prepared(engine, held, installation, event, event_id, keys, maker, decision, reported, now))
    return prepared


def prepare_again(
    engine: Engine, held: Held, installation: Installation, told: Sequence[tuple[Event, UUID]]
) -> list[Prepared | Exception]:
    """The same for events that are stored already, under these ids; what was raised where deciding fails. Raises StoreError."""
    now = engine.now()
    told = [(masked_event(event), event_id) for event, event_id in told]
    return [
        made if isinstance(made, Exception) else _prepared(engine, held, installation, event, event_id, (), *made, "webhook", now)
        for (event, event_id), made in zip(told, _decided(engine, held, installation, told, "webhook", now), strict=True)
    ]


def _prepared(
    engine: Engine,
    held: Held,
    installation: Installation,
    event: Event,
    event_id: UUID,
    keys: Sequence[SeenKey],
    maker: RowMaker,
    decision: Decision | None,
    reported: str,
    now: datetime,
) -> Prepared:
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
        effects=effects.of(ground, reported=reported) if decision is not None else (),
        at=now,
    )
    return Prepared(
        event_id=event_id,
        event=event,
        unit=unit,
        decision=decision,
        pending=decision is None,
        following=following,
        changes=maker.followups.changes,
    )


def _maker(engine: Engine, held: Held, now: datetime) -> RowMaker:
    return RowMaker(engine.vault, held.config, held.index, engine.followups(), now)


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


def _decided(
    engine: Engine, held: Held, installation: Installation, told: Sequence[tuple[Event, UUID]], reported: str, now: datetime
) -> list[tuple[RowMaker, Decision] | Exception]:
    """Gather the facts of these events together, decide each, and write down what was decided; what was raised where that fails."""
    if not told:
        return []
    times = [(event, now if reported == "webhook" else event.occurred_at) for event, _ in told]
    gathered = facts.gather(engine, held, installation, times, now, live=True)
    decided: list[tuple[RowMaker, Decision] | Exception] = []
    for (_, event_id), one in zip(told, gathered, strict=True):
        try:
            decided.append(one if isinstance(one, Exception) else _decide(engine, held, installation, event_id, one, now))
        except StoreError:
            raise
        except Exception as e:  # one event's failure stays its own
            decided.append(e)
    return decided


def _decide(
    engine: Engine, held: Held, installation: Installation, event_id: UUID, one: facts.Gathered, now: datetime
) -> tuple[RowMaker, Decision]:
    """Decide, and let a row maker write down what was decided."""
    maker, decision = _maker(engine, held, now), decide(one.event, one.found, one.facts, now)
    entries = []
    for entry in decision.entries:
        message_id, planned = None, entry.planned
        if planned is not None:
            contact_id = None
            if planned.draft.msisdn is not None:
                zone = planned.draft.timezones[0] if len(planned.draft.timezones) == 1 else ""
                known = one.known.get(planned.draft.msisdn)
                contact_id = maker.contact(planned.draft.msisdn, known, planned.country, zone, planned)
            message_id = maker.message(planned, contact_id, event=one.event, event_id=event_id, installation_id=installation.id)
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
    return maker, decision


def configured(engine: Engine, connection: sa.Connection, tenant_id: UUID, version: int | None = None) -> Held:
    """A tenant's configuration. Raises NotFound."""
    held = engine.configs.get(connection, tenant_id, engine.now(), version)
    if held is None:
        raise NotFound("tenant", show("ten", tenant_id))
    return held
