"""Texts from handsets (MO): kept, read for STOP, START and HELP before anything else, answered once, and passed on.

A reply is acknowledged only after its commit, so that a carrier whose STOP could not be kept sends it again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain import keywords
from bellwire.domain import msisdn as numbers
from bellwire.domain.consent import Policy, Standing, heard
from bellwire.domain.keywords import Kind, Match
from bellwire.engine import answering, consents
from bellwire.engine.answering import Understood
from bellwire.engine.answers import confirm
from bellwire.engine.configs import Held
from bellwire.engine.followups import callback_rows
from bellwire.engine.passing import CONVERSATION, Handed, hand
from bellwire.engine.rows import stamp
from bellwire.errors import NotFound, StoreUnavailable
from bellwire.ids import new_id, show
from bellwire.model import Capability, CarrierAccount, ConsentState, Msisdn, Purpose, Reply
from bellwire.store import contacts, receipts, schema
from bellwire.store import heard as stored
from bellwire.store.database import reading
from bellwire.store.schema import SEEN_REPLY
from bellwire.store.types import AnyRow
from bellwire.store.vault import fingerprint
from bellwire.store.writer import Work, Writer

if TYPE_CHECKING:
    from bellwire.engine.runtime import Engine

log = logging.getLogger(__name__)

JOIN_WAIT = timedelta(seconds=30)  # how long a segment waits for the others of its text
_LONGEST = 1_600 * 4
_JOINED_AT_ONCE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A reply that is kept, for those who watch."""

    tenant_id: UUID
    reply_id: str
    msisdn_tail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """One whole reply, its sender known as far as possible."""

    account: CarrierAccount
    id: UUID
    msisdn: Msisdn | None
    written: str = field(repr=False)  # the number as the carrier wrote it
    contact_id: UUID | None
    to: str
    text: str = field(repr=False)
    carrier_ref: str
    carrier_answered: bool
    at: datetime


def accept(engine: Engine, account: CarrierAccount, came: Sequence[Reply]) -> None:
    """Keep replies with all that follows from them; returns after the commit.

    Raises StoreUnavailable: what is not kept is not acknowledged, and the carrier repeats; what was kept is known then.
    """
    writer = engine.store.writer
    futures: list[Future[list[Told]]] = [writer.submit(Work(partial(_take, engine, account, one))) for one in came]
    failed: Exception | None = None
    told: list[Told] = []
    for future in futures:  # one that fails does not take the others with it
        try:
            kept: list[Told] = Writer.wait(future)
            told += kept
        except Exception as e:
            failed = e if failed is None or isinstance(e, StoreUnavailable) else failed
    _after_commit(engine, told)
    if failed is not None:
        raise failed


def step(engine: Engine) -> int:
    """Join segments whose others never came; how many replies that made. For the jobs' loop."""
    before = engine.now() - JOIN_WAIT
    with reading(engine.store.engine) as connection:
        waiting = stored.any_segment(connection, before)
    joined = engine.write(lambda connection: _join_late(engine, connection, before)) if waiting else []
    _after_commit(engine, joined)
    return len(joined)


def _after_commit(engine: Engine, told: Sequence[Told]) -> None:
    if told:
        engine.replied.extend(told)
        engine.wake()
        engine.wake_jobs()


# -- in the transaction ---------------------------------------------------------------------------------------------


def _take(engine: Engine, account: CarrierAccount, reply: Reply, connection: sa.Connection) -> list[Told]:
    """Keep one reply, or a segment of one; nothing when it came before."""
    now = engine.now()
    if reply.id:
        key = fingerprint(reply.id, str(reply.part or 0))
        if not receipts.remember(connection, key, SEEN_REPLY, account.id, now):
            return []
    held = _held(engine, connection, account.tenant_id, now)
    msisdn = _sender(connection, held, reply.msisdn)
    contact_id = consents.ensure_contact(engine, connection, held, msisdn, now) if msisdn else None
    came = Came(
        account=account,
        id=new_id(),
        msisdn=msisdn,
        written=reply.msisdn[:64],
        contact_id=contact_id,
        to=reply.to[:64],
        text=reply.text[:_LONGEST],
        carrier_ref=reply.id[:128],
        carrier_answered=reply.carrier_answered,
        at=now,
    )
    if contact_id is None or reply.part is None or not reply.part_ref or (reply.parts or 0) < 2:
        return [_keep(engine, connection, held, came)]
    contacts.lock(connection, contact_id)
    stored.insert(connection, _row(engine, came, stored.PART) | _place(reply))
    parts = stored.segments(connection, account.id, contact_id, _part_ref(reply))
    if len({row.part for row in parts}) < (reply.parts or 0):
        return []
    return [_join(engine, connection, held, account, parts, msisdn)]


def _join_late(engine: Engine, connection: sa.Connection, before: datetime) -> list[Told]:
    """Join what has waited long enough, each text as far as it came."""
    groups: dict[tuple[UUID, UUID, str], list[AnyRow]] = {}
    for row in stored.waiting_segments(connection, before, _JOINED_AT_ONCE):
        groups.setdefault((row.account_id, row.contact_id, row.part_ref), []).append(row)
    told = []
    for (account_id, contact_id, part_ref), rows in groups.items():
        contacts.lock(connection, contact_id)
        held = _held(engine, connection, rows[0].tenant_id, engine.now())
        account = next((one.value for one in held.config.accounts if one.value.id == account_id), None)
        parts = stored.segments(connection, account_id, contact_id, part_ref)
        if account is not None and parts:
            told.append(_join(engine, connection, held, account, parts, None))
    return told


def _join(
    engine: Engine, connection: sa.Connection, held: Held, account: CarrierAccount, parts: Sequence[AnyRow], msisdn: Msisdn | None
) -> Told:
    """Make one reply of its segments. The carrier may have handed one over twice."""
    vault, first = engine.vault, parts[0]
    texts = {row.part: vault.open(row.text, row.tenant_id, "replies.text", row.id) for row in reversed(parts)}
    written = vault.open(first.msisdn, first.tenant_id, "replies.msisdn", first.id)
    stored.remove(connection, [row.id for row in parts])
    came = Came(
        account=account,
        id=new_id(),
        msisdn=msisdn or numbers.parse(written),
        written=written,
        contact_id=first.contact_id,
        to=first.to,
        text="".join(texts[part] for part in sorted(texts)),
        carrier_ref=first.carrier_ref or "",
        carrier_answered=False,  # no carrier answers a long text
        at=engine.now(),
    )
    return _keep(engine, connection, held, came)


def _keep(engine: Engine, connection: sa.Connection, held: Held, came: Came) -> Told:
    """Store a whole reply with what it asks for: the opt-out first, then everybody who is told."""
    sent = stored.newest_messages(connection, came.contact_id) if came.contact_id else []
    answered = _answered(sent, came)
    match = _read(held, came, answered)
    understood = None
    if came.contact_id is not None and match.kind is not Kind.STOP:
        understood = answering.understand(engine, connection, came.contact_id, came.text, sent, came.at)
        if understood is not None:  # `YES 4821` answers one text, and wishes for no others
            answered, match = understood.message, Match()
    standing = _apply(engine, connection, held, came, match, answered)
    status = stored.RECEIVED
    if match.kind is not None:
        futile = match.kind is Kind.START and (standing is None or not _may_be_texted(standing))
        status = stored.REVIEW if match.review or futile else stored.TAKEN
    row = _row(engine, came, status) | {
        "message_id": answered.id if answered is not None else None,
        "kind": match.kind and str(match.kind),
        "rule": match.rule and str(match.rule),
    }
    if match.normalised:
        row["normalised"] = engine.vault.seal(match.normalised, came.account.tenant_id, "replies.normalised", came.id)
    stored.insert(connection, row)
    if understood is not None:
        answering.settle(engine, connection, held, understood, came.id, came.at)
    if status == stored.TAKEN and match.kind is not None and not _carrier_answers(engine, came, match):
        confirm(engine, connection, held, came, match.kind, standing, answered)
    _pass_on(engine, connection, held, came, match, answered, status, understood)
    return Told(
        tenant_id=came.account.tenant_id,
        reply_id=show("rpl", came.id),
        msisdn_tail=numbers.tail(came.msisdn) if came.msisdn else "",
    )


def _apply(
    engine: Engine, connection: sa.Connection, held: Held, came: Came, match: Match, answered: AnyRow | None
) -> Standing | None:
    """Keep what the reply says about consent; the person's standing after it, None when we don't know who it is."""
    if came.contact_id is None:
        return None
    statement = heard(
        match,
        policy=Policy.from_settings(held.config.settings),
        replied_to=Purpose(answered.purpose) if answered is not None else None,
        at=came.at,
        proof=show("rpl", came.id),
    )
    if statement is None:
        row = contacts.lock(connection, came.contact_id)
        return Standing.from_row(dict(row._mapping)) if row is not None else None
    return consents.record(
        engine,
        connection,
        held,
        statement=statement,
        now=came.at,
        msisdn=came.msisdn,
        contact_id=came.contact_id,
        reply_id=came.id,
    ).after


def _read(held: Held, came: Came, answered: AnyRow | None) -> Match:
    """What the reply asks for, by the languages of the tenant and of the text it answers."""
    settings = held.config.settings
    template = held.config.templates.get(answered.template or "") if answered is not None else None
    options = {**(template.options if template else {}), **((answered.options or {}) if answered is not None else {})}
    waits = answered is not None and came.at - answered.created_at <= CONVERSATION
    return keywords.classify(
        came.text,
        country=numbers.country_of(came.msisdn) if came.msisdn else held.config.country,
        languages=[one for one in (answered.locale if answered is not None else "", held.config.locale) if one],
        awaiting=[str(word) for word in options.get("awaiting") or ()] if waits else (),
        asked=bool(options.get("asks_consent")) and waits,
        extra=settings.get("keywords"),
    )


def _answered(sent: Sequence[AnyRow], came: Came) -> AnyRow | None:
    """The text that the reply answers: the newest from the sender it was sent to, else of its account, else at all."""
    tests: tuple[Callable[[AnyRow], bool], ...] = (
        lambda row: row.account_id == came.account.id and _same_sender(row.sender_id, came.to),
        lambda row: _same_sender(row.sender_id, came.to),
        lambda row: row.account_id == came.account.id,
        lambda _row: True,
    )
    return next((row for is_it in tests for row in sent if is_it(row)), None)


def _same_sender(one: str | None, other: str) -> bool:
    """Carriers write their own numbers with and without `+`."""
    return bool(one) and str(one).lstrip("+").casefold() == other.strip().lstrip("+").casefold()


def _may_be_texted(standing: Standing) -> bool:
    return not standing.suppressed and standing.state(Purpose.TRANSACTIONAL) is not ConsentState.OPTED_OUT


def _carrier_answers(engine: Engine, came: Came, match: Match) -> bool:
    """Whether the person has the carrier's own answer already. The account's `carrier_auto_reply` wins over what it declares."""
    if came.carrier_answered:
        return True
    carrier = engine.plugins.carriers.get(came.account.carrier)
    declared = carrier is not None and Capability.CARRIER_AUTO_REPLY in carrier.capabilities
    return bool(came.account.settings.get("carrier_auto_reply", declared)) and keywords.is_carriers_own(match)


def _pass_on(
    engine: Engine,
    connection: sa.Connection,
    held: Held,
    came: Came,
    match: Match,
    answered: AnyRow | None,
    status: str,
    understood: Understood | None,
) -> None:
    """Jobs for the tenant's callbacks, and for the platform that the reply belongs to."""
    reply_id = show("rpl", came.id)
    data = {
        "id": reply_id,
        "from": came.msisdn or came.written,
        "to": came.to,
        "text": came.text,
        "kind": match.kind and str(match.kind),
        "answer": understood.keyword if understood is not None else None,
        "answers": understood.subject if understood is not None else None,
        "message": show("msg", answered.id) if answered is not None else None,
        "reference": answered.reference if answered is not None else None,
        "event": show("evt", answered.event_id) if answered is not None and answered.event_id else None,
        "at": stamp(came.at),
    }
    rows = callback_rows(engine.vault, held.config, "reply.received", data, came.at, reply_id=came.id, contact_id=came.contact_id)
    if rows:
        connection.execute(sa.insert(schema.callbacks), list(rows))
    if came.text.strip() and came.msisdn is not None:
        handed = Handed(
            id=came.id,
            contact_id=came.contact_id,
            message_id=answered.id if answered is not None else None,
            kind=str(match.kind or "") if status == stored.TAKEN else "",
            at=came.at,
        )
        hand(engine, connection, held, handed, came.at)


def _row(engine: Engine, came: Came, status: str) -> dict[str, object]:
    tenant_id, vault = came.account.tenant_id, engine.vault
    return {
        "id": came.id,
        "tenant_id": tenant_id,
        "account_id": came.account.id,
        "contact_id": came.contact_id,
        "msisdn": vault.seal(came.msisdn or came.written, tenant_id, "replies.msisdn", came.id),
        "text": vault.seal(came.text, tenant_id, "replies.text", came.id),
        "to": came.to,
        "status": status,
        "carrier_ref": came.carrier_ref or None,
        "received_at": came.at,
    }


def _part_ref(reply: Reply) -> str:
    """Carriers count references up and begin again: the number of segments tells two apart a little longer."""
    return f"{reply.part_ref[:64]}/{reply.parts}"


def _place(reply: Reply) -> dict[str, object]:
    return {"part_ref": _part_ref(reply), "part": reply.part, "parts": reply.parts}


def _held(engine: Engine, connection: sa.Connection, tenant_id: UUID, now: datetime) -> Held:
    held = engine.configs.get(connection, tenant_id, now)
    if held is None:
        raise NotFound("tenant", show("ten", tenant_id))
    return held


def _sender(connection: sa.Connection, held: Held, written: str) -> Msisdn | None:
    """Whose text it is. Carriers leave out the `+`, or write numbers as at home: a number we know wins, then the one abroad."""
    bare = written.strip()
    found = [numbers.parse(bare if bare.startswith("+") else f"+{bare}"), numbers.parse(bare, [held.config.country])]
    likely = list(dict.fromkeys(one for one in found if one is not None))
    if len(likely) > 1:
        known = {
            bytes(row.msisdn_ix) for row in contacts.by_index(connection, held.config.id, [held.index.of(one) for one in likely])
        }
        return next((one for one in likely if held.index.of(one) in known), likely[0])
    return likely[0] if likely else None


__all__ = ["Came", "Told", "accept", "step"]
