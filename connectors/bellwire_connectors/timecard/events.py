"""An envelope and its data as our event: which types there are, what each must bring, whom it is about. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from bellwire import ConsentHint, ConsentState, Event, Json, Person, Purpose
from bellwire.signing import hmac_hex

from .bodies import Data, Human, hours, parse
from .envelope import INVALID_DATA, Envelope, refused

_LOCALE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a type must bring, and whom the contract means by it when the sender names nobody."""

    needs: tuple[str, ...] = ()
    recipient: str = "worker"


#: The contract's types. Another name of ours is left alone: a producer may be newer than we are.
KINDS: Mapping[str, Kind] = {
    "timecard.submitted": Kind(("worker", "timecard"), "manager"),
    "timecard.approved": Kind(("worker", "timecard")),
    "timecard.rejected": Kind(("worker", "timecard", "timecard.reason")),
    "timecard.reopened": Kind(("worker", "timecard")),
    "timecard.missing": Kind(("worker", "timecard")),
    "timecard.entry_flagged": Kind(("worker", "timecard")),
    "shift.published": Kind(("worker", "shift", "shift.starts_at")),
    "shift.changed": Kind(("worker", "shift", "shift.starts_at")),
    "shift.cancelled": Kind(("worker", "shift")),
    "shift.reminder": Kind(("worker", "shift", "shift.starts_at")),
    "shift.offered": Kind(("worker", "shift")),
    "task.assigned": Kind(("worker", "task")),
    "task.unassigned": Kind(("worker", "task")),
    "task.status_changed": Kind(("worker", "task", "task.status")),
    "task.due": Kind(("worker", "task")),
    "task.overdue": Kind(("worker", "task")),
    "task.payment": Kind(("worker", "payment")),
    "worker.updated": Kind(("worker",)),
    "person.erase_requested": Kind(("worker",)),
}


def event(envelope: Envelope, secret: str = "") -> Event | None:
    """The event, None for a type that is not served. `secret`: makes the code of a question. Raises PayloadInvalid."""
    kind = KINDS.get(envelope.type)
    if kind is None:
        return None
    data = parse(envelope.data)
    for place in kind.needs:
        if not _at(data, place):
            raise refused(INVALID_DATA, f"data.{place}")
    subject = envelope.subject or _subject(data)
    return Event(
        # a URI has no blank: (source, id) can't be told two ways
        id=f"{envelope.source} {envelope.id}",
        type=envelope.type,
        occurred_at=envelope.time.astimezone(UTC),
        # no header but the id is signed: what was taken once under it is known, whatever source it names the next time
        fact=f"binary:{envelope.id}" if envelope.binary else "",
        subject=subject,
        people=_people(data, kind, envelope.time),
        data=_flat(envelope, data, kind.recipient, secret),
        test=envelope.test,
    )


def _at(data: Data, place: str) -> object:
    part, _, name = place.partition(".")
    found = getattr(data, part)
    return getattr(found, name) if name and found is not None else found


def _subject(data: Data) -> str:
    """What it is about, where the envelope names nothing."""
    if data.timecard is not None and data.timecard.id:
        return f"timecard/{data.timecard.id}"
    for family, part in (("shift", data.shift), ("task", data.task)):
        if part is not None:
            return f"{family}/{part.id}"
    return f"worker/{data.worker.id}" if data.worker is not None else ""


# -- people -------------------------------------------------------------------------------------------------------


def _people(data: Data, kind: Kind, time: datetime) -> dict[str, Person]:
    """Everybody by role; `recipient` is whom the sender means, or the contract. The trigger decides who is texted."""
    people: dict[str, Person] = {}
    if data.worker is not None:
        people["customer"] = people["worker"] = _person(data.worker, time)
    if data.manager is not None:
        people["manager"] = _person(data.manager, time)
    if data.actor is not None:
        people["actor"] = Person(ref=data.actor.id, name=data.actor.name)
    meant = people.get(next(iter(data.recipients or ()), kind.recipient))  # one who is not here may be in the directory
    return people if meant is None else {**people, "recipient": meant}


def _person(human: Human, time: datetime) -> Person:
    said = human.consent
    hints = (
        ()
        if said is None
        else (
            ConsentHint(
                purpose=Purpose(said.purpose),
                state=ConsentState(said.state),
                at=(said.at or time).astimezone(UTC),
                source=said.source or "producer",
            ),
        )
    )
    return Person(
        ref=human.id,
        name=human.name,
        phones=(human.phone.strip(),) if human.phone and human.phone.strip() else (),
        email=human.email or "",
        locale=human.locale if human.locale and _LOCALE.fullmatch(human.locale) else "",
        timezone=_zone(human.timezone),
        countries=(human.country.upper(),) if human.country else (),
        consents=hints,
    )


@lru_cache(maxsize=1024)
def _zone(name: str | None) -> str:
    """An IANA zone, "" for what is none."""
    if not name:
        return ""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return ""
    return name


# -- fields ---------------------------------------------------------------------------------------------------------


def _flat(envelope: Envelope, data: Data, recipient: str, secret: str) -> dict[str, Json]:
    """The fields that conditions and templates may use. Times keep the offset they were told in."""
    flat: dict[str, Json] = {"event.source": envelope.source, "event.id": envelope.id}
    for role in ("worker", "manager", "actor"):
        person = getattr(data, role)
        if person is not None:
            flat[f"{role}.id"], flat[f"{role}.name"] = person.id, person.name
    if data.worker is not None:
        flat["worker.manager_id"], flat["worker.active"] = data.worker.manager_id, data.worker.active
        flat["worker.external_ids"] = dict(data.worker.external_ids or {}) or None
    card = data.timecard
    if card is not None:
        flat |= _of(card, "timecard", "id status version overtime_minutes minutes due_at reason url")
        flat["timecard.hours"] = None if card.minutes is None else hours(card.minutes)
        if card.period is not None:
            flat["timecard.period_start"] = card.period.start.isoformat()
            flat["timecard.period_end"] = card.period.end.isoformat()
            flat["timecard.period_timezone"] = _zone(card.period.timezone)
    flat |= _of(data.shift, "shift", "id starts_at ends_at location role version")
    flat |= _of(data.task, "task", "id title status version due_at url project")
    flat |= _of(data.payment, "payment", "id status amount currency paid_at")
    if data.reply is not None:
        flat |= _of(data.reply, "reply", "expires_at")
        flat["reply.keywords"] = [word.upper() for word in data.reply.keywords]
        flat["reply.code"] = (data.reply.code or _code(envelope, secret)).upper()
    flat["not_after"], flat["template_hint"] = stamp(data.not_after), data.template_hint
    flat["recipients"] = list(data.recipients or (recipient,))
    flat |= {f"vars.{name}": value for name, value in (data.vars or {}).items()}
    flat |= _changed(data)
    return {name: value for name, value in flat.items() if value is not None and value != ""}


def _code(envelope: Envelope, secret: str) -> str:
    """Four digits that only we can tell of a question: an answer without them may be to another one, or somebody else's."""
    return f"{int(hmac_hex(secret, f'reply {envelope.source} {envelope.id}'.encode()), 16) % 10_000:04d}"


def _of(part: object, prefix: str, names: str) -> dict[str, Json]:
    if part is None:
        return {}
    found = ((name, getattr(part, name)) for name in names.split())
    return {f"{prefix}.{name}": stamp(value) if isinstance(value, datetime) else value for name, value in found}


def _changed(data: Data) -> dict[str, Json]:
    """What the sender says was another before."""
    told: dict[str, Json] = {}
    for name, part in (("timecard.status", data.timecard), ("task.status", data.task)):
        if part is not None and part.previous_status:
            told[f"previous.{name}"] = part.previous_status
            if part.status and part.status != part.previous_status:
                told["changed"] = [name]
    return told


def stamp(at: datetime | None) -> str:
    """RFC 3339 with the offset it came in, "" when there is no time."""
    return at.isoformat().replace("+00:00", "Z") if at else ""
