"""What a sample's event would become: decided and rendered by a tenant's own triggers, or by an example of one. Stores nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from bellwire.cli.setup import Setup
from bellwire.domain.decide import REQUESTED, Entry, Facts, candidates, conditions, decide
from bellwire.domain.routing import Choice
from bellwire.domain.tenant import Template, TenantConfig, Trigger
from bellwire.domain.triggers import LineResult
from bellwire.model import Connector, Encoding, Event, Installation, Json, Purpose

if TYPE_CHECKING:
    from bellwire.domain.settle import Planned

_NOBODY = UUID(int=0)
_ACCOUNT = "the sandbox"

#: Whom an example texts, for what purpose, and what it says, by the first word of the event's type. `{what}`: the second
#: word, `[field]`: that field, where the event has it.
_EXAMPLES: Mapping[str, tuple[str, Purpose, str]] = {
    "order": ("customer", Purpose.TRANSACTIONAL, "your order was {what}. [order.name]"),
    "fulfillment": ("recipient", Purpose.TRANSACTIONAL, "your parcel: {what}. [tracking.url]"),
    "return": ("customer", Purpose.TRANSACTIONAL, "your return was {what}. [return.name]"),
    "checkout": ("customer", Purpose.MARKETING, "your cart waits for you. Reply STOP to opt out. [checkout.url]"),
    "customer": ("customer", Purpose.TRANSACTIONAL, "your profile: {what}."),
    "contact": ("customer", Purpose.TRANSACTIONAL, "your contact was {what}."),
    "lead": ("customer", Purpose.TRANSACTIONAL, "your request was {what}."),
    "deal": ("customer", Purpose.TRANSACTIONAL, "your offer: {what}. [deal.name]"),
    "case": ("customer", Purpose.TRANSACTIONAL, "your case was {what}. [case.number]"),
    "ticket": ("customer", Purpose.TRANSACTIONAL, "your ticket was {what}. [ticket.id]"),
    "record": ("customer", Purpose.TRANSACTIONAL, "your record was {what}."),
    "payment": ("customer", Purpose.TRANSACTIONAL, "your payment: {what}."),
    "booking": ("customer", Purpose.TRANSACTIONAL, "your booking: {what}."),
    "timecard": ("recipient", Purpose.TRANSACTIONAL, "your timecard: {what}. [timecard.reason]"),
    "shift": ("recipient", Purpose.TRANSACTIONAL, "your shift: {what}. [shift.starts_at]"),
    "task": ("recipient", Purpose.TRANSACTIONAL, "your task: {what}. [task.title]"),
    "message": ("customer", Purpose.TRANSACTIONAL, "what your workflow asked for."),
}
_FIELD = re.compile(r"\[([\w.]+)\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Considered:
    """One trigger's answer to an event. `text` also where policy refused it: what it would have said; `to`: the last two digits."""

    trigger: str
    outcome: str
    reason: str = ""
    line: str = ""
    conditions: Sequence[LineResult] = ()
    to: str = ""
    text: str = ""
    locale: str = ""
    encoding: Encoding | None = None
    segments: int | None = None
    price: Decimal | None = None
    currency: str = ""
    carrier_account: str = ""
    sender_id: str = ""
    send_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """What would become of one event. `by`: a tenant's slug, "" for the example. `fetched`: what the platform is asked first."""

    event: str
    subject: str
    by: str
    fetched: Sequence[str] = ()
    entries: Sequence[Considered] = ()


def rehearse(connector: Connector, event: Event, at: Installation, now: datetime) -> Rehearsed:
    """By an example: one trigger, one text, the sandbox. `now`: when the sample was recorded. Pure."""
    tenant = _example(connector, event)
    found = candidates(event, tenant, at, connector.name, reported_at=now)
    facts = Facts(
        tenant=tenant,
        installation=at,
        route=lambda *_: Choice(account=_ACCOUNT, sender_id="Example", line="the sandbox takes every number"),
        is_sandbox=lambda _: True,
    )
    entries = decide(event, found, facts, now).entries
    lines = {one.trigger.id: conditions(one.trigger).judge(event.data).lines for one in found}
    return _rehearsed(event, "", [_considered(one, lines.get(one.trigger.id, ()) if one.trigger else ()) for one in entries])


def rehearse_for(setup: Setup, slug: str, connector: str, events: Sequence[Event]) -> list[Rehearsed]:
    """By the triggers, templates, consent and routes of a tenant, if the events came now.

    Raises NotFound, ConfigInvalid, StoreUnavailable, and what a plugin's hook raises.
    """
    from bellwire.cli.opened import opened_engine, tenant_id
    from bellwire.engine import trials
    from bellwire.engine.intake import configured
    from bellwire.store.database import reading

    with opened_engine(setup) as engine:
        key = tenant_id(engine.store, slug)
        with reading(engine.store.engine) as connection:
            config = configured(engine, connection, key).config
        installed = next(
            (one.value.id for one in config.installations.values() if one.value.connector == connector and one.status == "active"),
            None,
        )
        made = []
        for event in events:
            triggers = config.triggers.get((connector, event.type), ())
            if installed is None and not triggers:
                tried = [trials.Trial(trigger=None, outcome="no_trigger", line=f"no trigger is on for {event.type}")]
            else:
                tried = trials.try_event(engine, key, None if installed else triggers, event, installed)
            entries = [
                _told(one.trigger, one.outcome, one.reason, one.line, one.lines, one.planned, one.price, one.currency)
                for one in tried
            ]
            made.append(_rehearsed(event, config.slug, entries))
    return made


def _rehearsed(event: Event, by: str, entries: Sequence[Considered]) -> Rehearsed:
    return Rehearsed(event=event.type, subject=event.subject, by=by, fetched=sorted(event.fetch), entries=entries)


def _considered(entry: Entry, lines: Sequence[LineResult]) -> Considered:
    return _told(entry.trigger, entry.outcome, str(entry.reason or ""), entry.line, lines, entry.planned, None, "")


def _told(
    trigger: Trigger | None,
    outcome: str,
    reason: str,
    line: str,
    lines: Sequence[LineResult],
    planned: Planned | None,
    price: Decimal | None,
    currency: str,
) -> Considered:
    draft = planned.draft if planned is not None else None
    return Considered(
        trigger=trigger.name if trigger is not None else "",
        outcome=outcome,
        reason=reason,
        line=line,
        conditions=lines,
        to=f"…{draft.msisdn[-2:]}" if draft is not None and draft.msisdn else "",
        text=draft.text if draft is not None else "",
        locale=draft.locale if draft is not None else "",
        encoding=planned.encoding if planned is not None else None,
        segments=planned.segments if planned is not None else None,
        price=price,
        currency=currency,
        carrier_account=planned.account if planned is not None else "",
        sender_id=planned.sender_id if planned is not None else "",
        send_at=planned.due if planned is not None and not planned.reason else None,
    )


def _example(connector: Connector, event: Event) -> TenantConfig:
    """A tenant that has one trigger for the event, and its text; none for what nobody is texted about."""
    family, _, what = event.type.partition(".")
    role, purpose, body = _EXAMPLES.get(family, ("", Purpose.TRANSACTIONAL, ""))
    asked = event.type == REQUESTED  # an event that asks for a text by itself is its own trigger, and names the template
    name = _text(event.data.get("template")) if asked else "example"
    definition = {"template": name, "purpose": str(purpose), "recipient": role if role in event.people else "customer"}
    trigger = Trigger(
        id=_NOBODY,
        name=f"example: {event.type}",
        connector=connector.name,
        installation_id=None,
        event=event.type,
        definition=definition,
        state="on",
        active_from=None,
    )
    said = _FIELD.sub(r'{{ \1 | default: "" }}', body.replace("{what}", what.replace("_", " ")))
    template = Template(name=name, purpose=purpose, number=1, bodies={"en": "{{ shop.name }}: " + said}, options={})
    return TenantConfig(
        id=_NOBODY,
        slug="",
        name="Example",
        country="US",
        locale="en",
        timezone="",
        settings={},
        version=1,
        triggers={(connector.name, event.type): (trigger,)} if body and not asked else {},
        trigger_names={},
        templates={name: template},
        accounts=(),
        installations={},
        route_policy=None,
        route_version=None,
        callback_types=frozenset(),
        endpoints=(),
        has_balance=False,
    )


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""
