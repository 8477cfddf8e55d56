"""What becomes of an event: which triggers it meets, whom they text, and why not. Pure, total, deterministic."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from bellwire.domain import limits, locales, segments, templates
from bellwire.domain import msisdn as numbers
from bellwire.domain.consent import Standing
from bellwire.domain.deadlines import moment
from bellwire.domain.settle import Draft, Person, Planned, Router, settle
from bellwire.domain.tenant import TenantConfig, Trigger
from bellwire.domain.transliteration import transliterate
from bellwire.domain.triggers import Conditions, compile_conditions
from bellwire.errors import BellwireError, RenderFailed
from bellwire.model import Event, Installation, Json, Msisdn, Purpose, Reason, Status
from bellwire.model import Person as Somebody

REQUESTED = "message.requested"  # one template to one person, asked for by an admin's flow at the platform
MAX_BODY = 1_600  # characters; carriers take no more
_NO_ROW = UUID(int=0)
RUNAWAY = limits.RUNAWAY  # more texts to one number in an hour than any flow means to send: a loop


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A trigger that listens to the event, with whom it would text. `line`: the condition that decided."""

    trigger: Trigger
    matched: bool
    line: str
    person: Somebody | None = None
    msisdn: Msisdn | None = None
    refused: tuple[Reason, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the store and the plugins know, read before deciding."""

    tenant: TenantConfig
    installation: Installation | None
    people: Mapping[Msisdn, Person] = field(default_factory=dict)
    veto: str | None = None
    canceled: bool = False  # an event that cancels this one's subject came first
    past: tuple[Reason, str] | None = None  # something newer was told of its object, or the same already
    route: Router
    is_sandbox: Callable[[str], bool]
    filters: Mapping[str, Callable[..., Any]] = field(default_factory=dict)  # what plugins bring to templates


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One considered trigger's outcome; `planned` where a message comes of it."""

    trigger: Trigger | None
    outcome: str  # sent | held | refused | not_matched | shadow | no_trigger
    reason: Reason | None = None
    line: str = ""
    planned: Planned | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """All entries of one event, in the order of its triggers; one `no_trigger` entry when none listens."""

    entries: Sequence[Entry]


def candidates(
    event: Event, tenant: TenantConfig, installation: Installation | None, connector: str, *, reported_at: datetime
) -> list[Candidate]:
    """The triggers that listen to an event, judged by their conditions, with the number each would text.

    `reported_at`: when the platform told us (a webhook: now; a reconcile: when it happened): a trigger counts from its start.
    An event that asks for a text by itself is its own trigger, unless the tenant has one that listens to such events.
    """
    listening = [
        trigger
        for trigger in tenant.triggers.get((connector, event.type), ())
        if trigger.installation_id is None or (installation is not None and trigger.installation_id == installation.id)
    ]
    if not listening and event.type == REQUESTED:
        listening = [_asked(event, tenant, connector)]
    return [
        _candidate(event, trigger, tenant, installation)
        for trigger in listening
        if trigger.active_from is None or trigger.active_from <= reported_at
    ]


def _asked(event: Event, tenant: TenantConfig, connector: str) -> Trigger:
    """An admin's flow names a template: decided as by a trigger for it, with the purpose that was approved for its text."""
    name = str(event.data.get("template") or "")
    template = tenant.templates.get(name)
    purpose = template.purpose if template else Purpose.TRANSACTIONAL
    return Trigger(
        id=_NO_ROW,
        name=REQUESTED,
        connector=connector,
        installation_id=None,
        event=REQUESTED,
        definition={"template": name, "purpose": str(purpose), "recipient": "customer"},
        state="on",
        active_from=None,
        is_implied=True,
    )


def decide(event: Event, found: Sequence[Candidate], facts: Facts, now: datetime) -> Decision:
    """Turn candidates into entries and messages."""
    if not found:
        return Decision(entries=(Entry(trigger=None, outcome="no_trigger", line=f"no trigger is on for {event.type}"),))
    return Decision(entries=tuple(_entry(event, candidate, facts, now) for candidate in found))


def _candidate(event: Event, trigger: Trigger, tenant: TenantConfig, installation: Installation | None) -> Candidate:
    judged = conditions(trigger).judge(event.data)
    if not judged.matched:
        return Candidate(trigger=trigger, matched=False, line=judged.line)
    role = trigger.definition.get("recipient") or "customer"
    person = event.people.get(role)
    purpose = Purpose(trigger.definition.get("purpose", Purpose.TRANSACTIONAL))
    msisdn, refused = pick_number(person, role, purpose, tenant, installation)
    return Candidate(trigger=trigger, matched=True, line=judged.line, person=person, msisdn=msisdn, refused=refused)


def pick_number(
    person: Somebody | None, role: str, purpose: Purpose, tenant: TenantConfig, installation: Installation | None
) -> tuple[Msisdn | None, tuple[Reason, str] | None]:
    """The first usable number of a person, or why there is none."""
    if person is None:
        return None, (Reason.NO_RECIPIENT, f"the event names no {role}")
    written = person.phones
    if purpose is Purpose.MARKETING and person.marketing_phones is not None:
        written = person.marketing_phones
    written = [one for one in written if one.strip()]
    if not written:
        return None, (Reason.NO_RECIPIENT, f"the {role} has no phone")
    countries = [*person.countries, installation.country if installation else "", tenant.country]
    wanted = tuple(country for country in dict.fromkeys(countries) if country)
    for one in written:
        msisdn = numbers.parse(one, wanted)
        if msisdn is not None:
            return msisdn, None
    return None, (Reason.INVALID_NUMBER, f"none of the {role}'s {len(written)} phone(s) is a valid number in {', '.join(wanted)}")


def _entry(event: Event, candidate: Candidate, facts: Facts, now: datetime) -> Entry:
    trigger = candidate.trigger
    if not candidate.matched:
        return Entry(trigger=trigger, outcome="not_matched", line=candidate.line)
    planned = settle(
        _draft(event, candidate, facts, now), _person(candidate, facts), facts.tenant, facts.route, facts.is_sandbox, now
    )
    line = planned.line if planned.reason or planned.held else candidate.line or planned.line
    if trigger.state == "shadow":
        return Entry(trigger=trigger, outcome="shadow", reason=planned.reason, line=line)
    outcome = "refused" if planned.status is Status.REFUSED else "held" if planned.held else "sent"
    return Entry(trigger=trigger, outcome=outcome, reason=planned.reason, line=line, planned=planned)


def _person(candidate: Candidate, facts: Facts) -> Person:
    known = facts.people.get(candidate.msisdn) if candidate.msisdn else None
    return known or Person(standing=Standing(), sent=dict.fromkeys((cap.name for cap in caps(candidate.trigger)), 0))


def _draft(event: Event, candidate: Candidate, facts: Facts, now: datetime) -> Draft:
    trigger, definition = candidate.trigger, candidate.trigger.definition
    purpose = Purpose(definition.get("purpose", Purpose.TRANSACTIONAL))
    name = str(definition.get("template", ""))
    base: dict[str, Any] = {
        "purpose": purpose,
        "basis": "event",
        "msisdn": candidate.msisdn,
        "trigger": trigger,
        "test": event.test,
        "template": name,
        "delay": timedelta(seconds=definition.get("delay_s") or 0),
        "quiet_hours": definition.get("quiet_hours"),
        "timezones": _timezones(candidate, facts),
        "caps": caps(trigger),
        "not_after": moment(event.data.get("not_after")),
    }
    refused = _early(event, candidate, facts, now)
    template = facts.tenant.templates.get(name)
    if refused is None and template is None:
        refused = (Reason.TEMPLATE_NOT_APPROVED, f"there is no template {name}")
    if refused is None and template is not None and template.number is None:
        refused = (Reason.TEMPLATE_NOT_APPROVED, f"no version of {name} is approved")
    if refused is not None or template is None:
        return Draft(**base, refused=refused)
    wanted = [candidate.person.locale if candidate.person else "", facts.installation.locale if facts.installation else ""]
    base |= {"template_version": template.number, "collection": bool(template.options.get("collection"))}
    try:
        text, locale = write(
            template.bodies,
            variables(event, facts.tenant, facts.installation),
            wanted=[one for one in wanted if one],
            tenant=facts.tenant,
            options=template.options,
            timezone=(*base["timezones"], facts.tenant.timezone)[0],
            country=numbers.country_of(candidate.msisdn) if candidate.msisdn else "",
            filters=facts.filters,
        )
    except BellwireError as e:
        field_name = f"{e.field}: " if isinstance(e, RenderFailed) and e.field else ""
        return Draft(**base, refused=(Reason.TEMPLATE_ERROR, f"{field_name}{e}"))
    return Draft(**base, text=text, locale=locale)


def _early(event: Event, candidate: Candidate, facts: Facts, now: datetime) -> tuple[Reason, str] | None:
    """What forbids a text before its words matter."""
    if facts.veto is not None:
        return Reason.PLUGIN, facts.veto[:200]
    max_age = candidate.trigger.definition.get("max_age_s")
    age_s = (now - event.occurred_at).total_seconds()
    if max_age is not None and age_s > max_age:
        return Reason.STALE, f"it happened {age_s:.0f} s ago; max_age is {max_age} s"
    if facts.past is not None:
        return facts.past
    if facts.canceled and candidate.trigger.definition.get("delay_s"):
        return Reason.STALE, "what it is about was over before it came"
    return candidate.refused


def _timezones(candidate: Candidate, facts: Facts) -> tuple[str, ...]:
    """The recipient's zone by profile, or all that the number may be in."""
    if candidate.person is not None and candidate.person.timezone:
        return (candidate.person.timezone,)
    zones = numbers.timezones_of(candidate.msisdn) if candidate.msisdn else ()
    return zones or ((facts.tenant.timezone,) if facts.tenant.timezone else ())


def variables(event: Event, tenant: TenantConfig, installation: Installation | None) -> dict[str, Json]:
    """What a template may say of an event: its data, the tenant, and the shop's name."""
    return {"shop.name": (installation.name if installation else "") or tenant.name, **event.data, "tenant.name": tenant.name}


def write(
    bodies: Mapping[str, str],
    values: Mapping[str, Json],
    *,
    wanted: Sequence[str],
    tenant: TenantConfig,
    options: Mapping[str, Any],
    timezone: str,
    country: str,
    filters: Mapping[str, Callable[..., Any]],
) -> tuple[str, str]:
    """A template's text for one person, ready for the air, and the locale it was written in.

    Raises RenderFailed, TemplateInvalid, or what `segments.measure` raises for a text that is too long.
    """
    locale = locales.pick(bodies, wanted, tenant.locale)
    if locale is None:
        raise RenderFailed(f"it has no text for {', '.join(wanted) or tenant.locale}")
    text = templates.compile(bodies[locale], filters).render(values, locale=locale, timezone=timezone, country=country)
    return prepare(text, options, segments.AUTO), locale


def prepare(text: str, options: Mapping[str, Any], encoding: str) -> str:
    """A text as it goes on the air: clean, transliterated where the template says so, typographic signs swapped where it saves."""
    ready = segments.clean(text)
    kinds = options.get("transliterate") or ()
    if kinds:
        ready = transliterate(ready, kinds, dj=str(options.get("dj") or "dj"))
    if encoding == segments.AUTO and options.get("smart", True):
        ready = segments.smart_if_cheaper(ready)
    if len(ready) > MAX_BODY:
        raise RenderFailed(f"the text has {len(ready)} characters and {MAX_BODY} is the most: shorten what it prints with truncate")
    most = options.get("max_segments")
    counted = segments.measure(ready, encoding).segments
    if most and counted > most:
        raise RenderFailed(f"the text takes {counted} segments; the template allows {most}")
    return ready


def caps(trigger: Trigger) -> tuple[limits.Cap, ...]:
    """The caps a trigger's texts count against: its own, and the guard against loops."""
    own = limits.parse_cap(trigger.definition.get("cap"), f"trigger_{trigger.id.hex}")
    return (own, RUNAWAY) if own else (RUNAWAY,)


def conditions(trigger: Trigger) -> Conditions:
    """A trigger's conditions, compiled once."""
    definition = trigger.definition
    return _compiled(json.dumps([definition.get("all", []), definition.get("any", [])]))


@lru_cache(maxsize=4096)
def _compiled(document: str) -> Conditions:
    all_of, any_of = json.loads(document)
    return compile_conditions(all_of, any_of)
