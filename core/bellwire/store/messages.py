"""Messages for people and callers to look at: the row, opened, with why it came to be and what became of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa

from bellwire.errors import NotFound
from bellwire.ids import first_id, show
from bellwire.masking import mask
from bellwire.model import Msisdn, Purpose, Status
from bellwire.store import schema
from bellwire.store.paging import Page, page
from bellwire.store.schema import LANE_OF, STATUS_CODES, STATUS_OF
from bellwire.store.tenancy import TenantConnection, scope
from bellwire.store.types import AnyRow
from bellwire.store.vault import BlindIndex, Vault

_m, _c, _a, _t = schema.messages.c, schema.contacts.c, schema.attempts.c, schema.triggers.c
_k, _w, _i, _d = schema.carrier_accounts.c, schema.write_backs.c, schema.installations.c, schema.decisions.c
_r = schema.dlrs.c

_JOB_WORDS = {
    schema.JOB_QUEUED: "queued",
    schema.JOB_WORKING: "queued",
    schema.JOB_DONE: "done",
    schema.JOB_FAILED: "failed",
}

#: A decision's time and its entries, one for each trigger that was considered.
Decided = tuple[datetime, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of a message's why: what was decided, by whom, with which outcome."""

    at: datetime
    step: str
    outcome: str
    reason: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try at one carrier."""

    carrier: str
    account_id: UUID
    started_at: datetime
    ended_at: datetime | None
    outcome: str
    error_class: str | None
    code: str | None
    http_status: int | None
    carrier_ref: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteBack:
    """The outcome on its way to a platform. `status`: queued, done or failed."""

    platform: str
    target: str
    status: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message. `to`, `text`, `metadata` None: there was none, or it was erased."""

    id: UUID
    status: Status
    reason: str | None
    to: Msisdn | None = field(repr=False)
    text: str | None = field(repr=False)
    encoding: str | None
    segments: int | None
    purpose: Purpose
    lane: Purpose
    locale: str | None
    template: str | None
    template_version: int | None
    sender_id: str | None
    carrier: str | None
    account_id: UUID | None
    carrier_ref: str | None
    country: str | None
    event_id: UUID | None
    trigger_id: UUID | None
    trigger: str | None
    reference: str | None
    metadata: Mapping[str, Any] | None = field(repr=False)
    price: str | None
    currency: str | None
    dlr_due: datetime | None
    created_at: datetime
    send_at: datetime
    expires_at: datetime
    updated_at: datetime
    why: Sequence[Step]
    attempts: Sequence[Attempt]
    write_backs: Sequence[WriteBack]


_COLUMNS = (
    _m.id,
    _m.tenant_id,
    _m.status,
    _m.reason,
    _m.text,
    _m.encoding,
    _m.segments,
    _m.purpose,
    _m.lane,
    _m.locale,
    _m.template,
    _m.template_version,
    _m.sender_id,
    _m.account_id,
    _m.carrier_ref,
    _m.country,
    _m.event_id,
    _m.trigger_id,
    _m.installation_id,
    _m.reference,
    _m.metadata,
    _m.price,
    _m.currency,
    _m.dlr_due,
    _m.created_at,
    _m.send_at,
    _m.expires_at,
    _m.updated_at,
    _m.attempts,
    _m.notes,
    _m.contact_id,
    _c.msisdn,
    _k.carrier,
    _t.name.label("trigger"),
)


def _of(table: sa.Table, criterion: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """A join to another table of the same tenant."""
    return sa.and_(criterion, scope(table))


_JOINED = (
    schema.messages.outerjoin(schema.contacts, _of(schema.contacts, _c.id == _m.contact_id))
    .outerjoin(schema.carrier_accounts, _of(schema.carrier_accounts, _k.id == _m.account_id))
    .outerjoin(schema.triggers, _of(schema.triggers, _t.id == _m.trigger_id))
)
_SELECT: sa.Select[Any] = sa.select(*_COLUMNS).select_from(_JOINED).where(scope(schema.messages))

# built once: a statement is checked for its tenant the first time it is seen
_BY_ID = _SELECT.where(_m.id == sa.bindparam("id", type_=_m.id.type))  # a third cheaper than a list of one
_BY_IDS = _SELECT.where(_m.id.in_(sa.bindparam("ids", expanding=True)))
_ATTEMPTS = (
    sa.select(
        _a.message_id,
        _a.account_id,
        _a.started_at,
        _a.ended_at,
        _a.outcome,
        _a.error_class,
        _a.code,
        _a.http_status,
        _a.carrier_ref,
        _k.carrier,
    )
    .select_from(schema.attempts.outerjoin(schema.carrier_accounts, _of(schema.carrier_accounts, _k.id == _a.account_id)))
    .where(scope(schema.attempts), _a.message_id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(_a.started_at, _a.number)
)
_WRITE_BACKS = (
    sa.select(_w.message_id, _w.subject, _w.status, _w.updated_at, _w.value, _i.connector)
    .select_from(schema.write_backs.outerjoin(schema.installations, _of(schema.installations, _i.id == _w.installation_id)))
    .where(scope(schema.write_backs), _w.message_id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(_w.message_id, _w.id)  # by the key alone, PostgreSQL may walk along all of it to spare the sort
)
_RECEIPTS = (
    sa.select(_r.message_id, _r.status, _r.raw_status, _r.raw_code, _r.error_class, _r.details, _r.received_at)
    .where(scope(schema.dlrs), _r.message_id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(_r.message_id, _r.id)
)
_DECISIONS = sa.select(_d.event_id, _d.at, _d.entries).where(
    scope(schema.decisions), _d.event_id.in_(sa.bindparam("ids", expanding=True))
)
_STATUS = sa.select(_m.id, _m.status, _m.reason, _m.dlr_due, _m.carrier_ref, _m.updated_at).where(
    scope(schema.messages), _m.id == sa.bindparam("id", type_=_m.id.type)
)


def get(connection: TenantConnection, vault: Vault, message_id: UUID) -> Message:
    """A message. Raises NotFound."""
    row = connection.execute(_BY_ID, {"id": message_id}).one_or_none()
    if row is None:
        raise NotFound("message", show("msg", message_id))
    return _messages(connection, vault, [row])[0]


def many(connection: TenantConnection, vault: Vault, message_ids: Sequence[UUID]) -> dict[UUID, Message]:
    """Messages by id; what is not there is left out."""
    if not message_ids:
        return {}
    rows = connection.execute(_BY_IDS, {"ids": list(message_ids)}).all()
    return {message.id: message for message in _messages(connection, vault, rows)}


def status(connection: TenantConnection, message_id: UUID) -> AnyRow:
    """A message's status alone: id, status, reason, dlr_due, carrier_ref, updated_at. Raises NotFound."""
    row = connection.execute(_STATUS, {"id": message_id}).one_or_none()
    if row is None:
        raise NotFound("message", show("msg", message_id))
    return row


def listed(
    connection: TenantConnection,
    vault: Vault,
    *,
    limit: int,
    before: UUID | None = None,
    statuses: Collection[Status] = (),
    to: tuple[Msisdn, BlindIndex] | None = None,
    trigger: UUID | str | None = None,
    event_id: UUID | None = None,
    purpose: Purpose | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Page[Message]:
    """The tenant's messages, newest first. `since`, `until`: when they were made. `trigger`: its id or its name."""
    where: list[sa.ColumnElement[bool]] = []
    if statuses:
        where.append(_m.status.in_([STATUS_CODES[one] for one in statuses]))
    if to is not None:
        msisdn, index = to
        where.append(_m.contact_id == index.contact_id(index.of(msisdn)))
    if isinstance(trigger, UUID):
        where.append(_m.trigger_id == trigger)
    elif trigger is not None:
        where.append(_t.name == trigger)
    if event_id is not None:
        where.append(_m.event_id == event_id)
    if purpose is not None:
        where.append(_m.purpose == str(purpose))
    if since is not None:
        where.append(_m.id >= first_id(since))
    if until is not None:
        where.append(_m.id < first_id(until))
    found = page(connection, _SELECT.where(*where), _m.id, limit, before, lambda row: row)
    return Page(_messages(connection, vault, found.items), found.next)


def _messages(connection: TenantConnection, vault: Vault, rows: Sequence[AnyRow]) -> list[Message]:
    """Rows with what belongs to them; nothing is asked for that can't be there."""
    tried = [row.id for row in rows if row.attempts]
    attempts: dict[UUID, list[Attempt]] = {}
    if tried:
        for one in connection.execute(_ATTEMPTS, {"ids": tried}):
            attempts.setdefault(one.message_id, []).append(_attempt(one))
    write_backs: dict[UUID, list[WriteBack]] = {}
    installed = [row.id for row in rows if row.installation_id is not None]
    if installed:
        for one in connection.execute(_WRITE_BACKS, {"ids": installed}):
            write_backs.setdefault(one.message_id, []).append(
                WriteBack(platform=one.connector or "", target=one.subject, status=_JOB_WORDS[one.status], at=one.updated_at)
            )
    decisions: dict[UUID, Decided] = {}
    events = list({row.event_id for row in rows if row.event_id is not None})
    if events:
        for one in connection.execute(_DECISIONS, {"ids": events}):
            decisions[one.event_id] = (one.at, one.entries)
    receipts: dict[UUID, list[Step]] = {}
    told = [row.id for row in rows if row.status >= STATUS_CODES[Status.SENDING]]
    if told:
        for one in connection.execute(_RECEIPTS, {"ids": told}):
            receipts.setdefault(one.message_id, []).append(_receipt(one))
    return [
        _message(
            row,
            vault,
            _trigger(row, decisions.get(row.event_id)),
            sorted([*_why(row, decisions.get(row.event_id)), *receipts.get(row.id, ())], key=attrgetter("at")),
            attempts.get(row.id, []),
            write_backs.get(row.id, []),
        )
        for row in rows
    ]


def _receipt(row: AnyRow) -> Step:
    """What the carrier reported, in its own words."""
    details = row.details or {}
    part = f"segment {details['part']} of {details.get('parts', '?')}" if "part" in details else ""
    words = (row.raw_status, row.raw_code, row.error_class, mask(details.get("raw_text", "")), part)
    return Step(
        at=row.received_at, step="receipt", outcome=row.status or "unknown", detail=", ".join(one for one in words if one) or None
    )


def _trigger(row: AnyRow, decision: Decided | None) -> str | None:
    """The name of the trigger that made it; of one that was deleted since, the name it had."""
    if row.trigger is not None or row.trigger_id is None:
        return cast("str | None", row.trigger)
    return next((entry.get("trigger") for entry in _entries(row, decision)), None)


def _entries(row: AnyRow, decision: Decided | None) -> list[Mapping[str, Any]]:
    """What the decision says of this message."""
    shown = show("msg", row.id)
    return [entry for entry in decision[1] if entry.get("message") == shown] if decision is not None else []


def _why(row: AnyRow, decision: Decided | None) -> list[Step]:
    """The decision's entry for this message, then what claims, attempts and people added."""
    steps: list[Step] = []
    if decision is not None:
        steps += [
            Step(at=decision[0], step="decide", outcome=entry["outcome"], reason=entry.get("reason"), detail=entry.get("line"))
            for entry in _entries(row, decision)
        ]
    for note in row.notes or ():
        steps.append(
            Step(
                at=datetime.fromisoformat(note["at"]) if "at" in note else row.updated_at,
                step=note["step"],
                outcome=note["outcome"],
                reason=note.get("reason"),
                detail=note.get("detail") or _rest(note),
            )
        )
    return steps


def _rest(note: Mapping[str, Any]) -> str | None:
    """What else a note says, as words: `carrier_down at acc_…`."""
    rest = [str(value) for name, value in note.items() if name not in ("at", "step", "outcome", "reason", "detail") and value]
    return ", ".join(rest) or None


def _attempt(row: AnyRow) -> Attempt:
    return Attempt(
        carrier=row.carrier or "",
        account_id=row.account_id,
        started_at=row.started_at,
        ended_at=row.ended_at,
        outcome=row.outcome,
        error_class=row.error_class,
        code=row.code,
        http_status=row.http_status,
        carrier_ref=row.carrier_ref,
    )


def _message(
    row: AnyRow,
    vault: Vault,
    trigger: str | None,
    why: Sequence[Step],
    attempts: Sequence[Attempt],
    write_backs: Sequence[WriteBack],
) -> Message:
    tenant_id = row.tenant_id
    return Message(
        id=row.id,
        status=STATUS_OF[row.status],
        reason=row.reason,
        to=Msisdn(vault.open(row.msisdn, tenant_id, "contacts.msisdn", row.contact_id)) if row.msisdn is not None else None,
        text=vault.open(row.text, tenant_id, "messages.text", row.id) if row.text is not None else None,
        encoding=row.encoding,
        segments=row.segments,
        purpose=Purpose(row.purpose),
        lane=LANE_OF[row.lane],
        locale=row.locale,
        template=row.template,
        template_version=row.template_version,
        sender_id=row.sender_id,
        carrier=row.carrier,
        account_id=row.account_id,
        carrier_ref=row.carrier_ref,
        country=row.country,
        event_id=row.event_id,
        trigger_id=row.trigger_id,
        trigger=trigger,
        reference=row.reference,
        metadata=vault.open_json(row.metadata, tenant_id, "messages.metadata", row.id),
        price=row.price,
        currency=row.currency,
        dlr_due=row.dlr_due,
        created_at=row.created_at,
        send_at=row.send_at,
        expires_at=row.expires_at,
        updated_at=row.updated_at,
        why=why,
        attempts=attempts,
        write_backs=write_backs,
    )
