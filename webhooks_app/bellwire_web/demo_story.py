"""What the demo's page tells, as values: events with their decisions, texts with their trail, handsets with what they show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bellwire.domain import pricing
from bellwire.ids import show
from bellwire.model import Reason, Status
from bellwire.store import TenantStore, events, inbox, messages
from bellwire.store.inbox import Reply
from bellwire.store.messages import Attempt, Message, Step, WriteBack

SHOWN = 100  # the newest events, texts and replies; more would not be read

#: A reason as somebody says it who runs a shop.
REASONS = {
    Reason.NO_CONSENT: "there is no consent for this kind of text",
    Reason.OPTED_OUT: "this person said STOP",
    Reason.SUPPRESSED: "this number must never be texted",
    Reason.QUIET_HOURS: "it is night where this person is",
    Reason.STALE: "it happened too long ago",
    Reason.EXPIRED: "it was no longer worth sending",
    Reason.CAP: "this person has had enough texts",
    Reason.DUPLICATE: "this was told before",
    Reason.NO_RECIPIENT: "there is no phone number",
    Reason.INVALID_NUMBER: "the phone number is not a valid one",
    Reason.NO_ROUTE: "no carrier takes this number",
    Reason.NO_FUNDS: "the credit is used up",
    Reason.COUNTRY_NOT_ALLOWED: "this country is not on the list",
    Reason.SENDER_MISSING: "there is no sender for this country",
    Reason.TEMPLATE_ERROR: "the template lacks a value",
    Reason.TEMPLATE_NOT_APPROVED: "nobody has approved the template",
    Reason.PLUGIN: "a plugin refused it",
    Reason.TEST_EVENT: "it is a test of the platform",
}

#: How a status or an outcome is meant: done, on its way, gone wrong, or rightly nothing. The page gives each a sign and a colour.
TONES = {
    **dict.fromkeys(("delivered", "done", "accepted", "decided"), "good"),
    **dict.fromkeys(("sent", "scheduled", "queued", "sending", "held", "pending", "unknown"), "waits"),
    **dict.fromkeys(("undelivered", "failed", "expired", "rejected", "ambiguous", "dead"), "bad"),
    **dict.fromkeys(("refused", "canceled", "not_matched", "shadow", "no_trigger"), "none"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one trigger made of an event. `line`: what decided; `message`: the text that came of it, "" when none did."""

    trigger: str
    outcome: str
    reason: str
    line: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """Something that a platform reported. `name`: the order's number; `person`: whom it is about."""

    id: str
    type: str
    name: str
    person: str
    status: str
    error: str
    received_at: datetime
    decisions: Sequence[Decision]

    @property
    def title(self) -> str:
        """`Order created`."""
        return self.type.replace(".", " ").replace("_", " ").capitalize()

    @property
    def outcome(self) -> str:
        """The word that stands for all decisions: that of the first trigger that wanted something."""
        words = [one.outcome for one in self.decisions]
        return next((word for word in words if word not in ("not_matched", "no_trigger")), words[0] if words else self.status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A text with its trail."""

    id: str
    to: str
    person: str
    about: str
    status: str
    reason: str
    text: str
    locale: str
    facts: Sequence[tuple[str, str]]
    why: Sequence[Step]
    attempts: Sequence[Attempt]
    write_backs: Sequence[WriteBack]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Bubble:
    """One line on a handset. `kind`: arrived, coming, lost, never (decided against before it was sent) or reply."""

    at: datetime
    kind: str
    text: str
    note: str = ""
    locale: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handset:
    """One number with what its owner sees, oldest first."""

    msisdn: str
    person: str
    bubbles: Sequence[Bubble]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """The whole page. Events and texts: newest first; handsets: the first that was texted first."""

    incoming: Sequence[Incoming]
    outgoing: Sequence[Outgoing]
    handsets: Sequence[Handset]

    @property
    def delivered(self) -> int:
        """Texts that the carrier says are on the handset."""
        return sum(one.status == Status.DELIVERED for one in self.outgoing)

    def tone(self, word: str, *, decided: bool = False) -> str:
        """How a status or an outcome is meant. `decided`: what was made of an event; there `sent` is the end of it."""
        return "good" if decided and word == "sent" else TONES.get(word, "none")


def gather(tenant: TenantStore) -> Story:
    """The newest of what a tenant has."""
    with tenant.reading() as connection:
        came = events.listed(connection, limit=SHOWN).items
        contents = {one.id: events.content(connection, tenant.vault, one.id) or {} for one in came}
        went = messages.listed(connection, tenant.vault, limit=SHOWN).items
        replied = inbox.listed(connection, tenant.vault, limit=SHOWN).items
    outgoing = [_outgoing(one, contents.get(one.event_id, {}) if one.event_id else {}) for one in went]
    return Story(
        incoming=[_incoming(one, contents[one.id]) for one in came], outgoing=outgoing, handsets=handsets(outgoing, replied)
    )


def _incoming(event: events.Event, content: Mapping[str, Any]) -> Incoming:
    return Incoming(
        id=show("evt", event.id),
        type=event.type,
        name=_name(content),
        person=_person(content),
        status=event.status,
        error=event.error or "",
        received_at=event.received_at,
        decisions=[
            Decision(
                trigger=entry.get("trigger") or "",
                outcome=entry["outcome"],
                reason=said(entry.get("reason")),
                line=entry.get("line") or "",
                message=entry.get("message") or "",
            )
            for entry in event.decisions
        ],
    )


def _outgoing(message: Message, content: Mapping[str, Any]) -> Outgoing:
    segments = f"{message.segments} segment{'' if message.segments == 1 else 's'}" if message.segments else ""
    price = f"{pricing.shown(message.price)} {message.currency or ''}".strip() if message.price else ""
    template = f"{message.template}, version {message.template_version}" if message.template else ""
    facts = {
        "Trigger": message.trigger or "",
        "Template": template,
        "Language": message.locale or "",
        "Encoding": ", ".join(one for one in ((message.encoding or "").upper(), segments) if one),
        "Sender": message.sender_id or "",
        "Price": price,
    }
    return Outgoing(
        id=show("msg", message.id),
        to=message.to or "",
        person=_person(content),
        about=_name(content),
        status=message.status,
        reason=said(message.reason),
        text=message.text or "",
        locale=message.locale or "",
        facts=[(name, value) for name, value in facts.items() if value],
        why=message.why,
        attempts=message.attempts,
        write_backs=message.write_backs,
        created_at=message.created_at,
    )


def handsets(outgoing: Iterable[Outgoing], replies: Iterable[Reply]) -> list[Handset]:
    """What each handset shows: texts that arrived, those that did not, and what its owner answered."""
    names: dict[str, str] = {}
    bubbles: dict[str, list[Bubble]] = {}
    for text in sorted(outgoing, key=lambda one: one.created_at):
        if not text.to:
            continue
        names[text.to] = text.person or names.get(text.to, "")
        bubbles.setdefault(text.to, []).append(_bubble(text))
    for reply in replies:
        bubbles.setdefault(reply.msisdn, []).append(Bubble(at=reply.received_at, kind="reply", text=reply.text))
    return [
        Handset(msisdn=msisdn, person=names.get(msisdn, ""), bubbles=sorted(lines, key=lambda line: line.at))
        for msisdn, lines in bubbles.items()
    ]


def _bubble(text: Outgoing) -> Bubble:
    if text.status in (Status.REFUSED, Status.CANCELED):
        about = f"{text.about}: " if text.about else ""
        because = f", because {text.reason}" if text.reason else ""
        return Bubble(at=text.created_at, kind="never", text="", note=f"{about}no text was sent{because}.")
    kind, note = "coming", f"On its way ({text.status})."
    if text.status == Status.DELIVERED:
        kind, note = "arrived", ""
    if text.status in (Status.UNDELIVERED, Status.FAILED, Status.EXPIRED):
        kind, note = "lost", f"Did not arrive ({text.status})."
    return Bubble(at=text.created_at, kind=kind, text=text.text, note=note, locale=text.locale)


def said(reason: str | None) -> str:
    """A reason in words; one that is none of ours as it stands."""
    if not reason:
        return ""
    return REASONS[Reason(reason)] if reason in _KNOWN else reason


def _name(content: Mapping[str, Any]) -> str:
    return str(content.get("data", {}).get("order.name") or "")


def _person(content: Mapping[str, Any]) -> str:
    return str((content.get("people", {}).get("customer") or {}).get("name") or "")


_KNOWN = frozenset(Reason)
