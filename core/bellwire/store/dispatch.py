"""The pump's statements on messages: what is due, claim, record, hold. All run inside the cycle's one transaction.

A claim is the start of a call. On PostgreSQL it locks the message and shares the contact's row, so that a STOP that commits
first is seen and a STOP that comes second waits; rows that somebody else holds are skipped (measured: without the second
SKIP LOCKED the two lock each other out).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bellwire.ids import first_id
from bellwire.model import Status
from bellwire.store import schema
from bellwire.store.many import Many
from bellwire.store.schema import STATUS_CODES
from bellwire.store.types import AnyRow, Document, Id, Instant

_SENDING = STATUS_CODES[Status.SENDING]

_m, _c = schema.messages.c, schema.contacts.c

_CLAIM_COLUMNS = (
    _m.id,
    _m.tenant_id,
    _m.contact_id,
    _m.event_id,
    _m.trigger_id,
    _m.installation_id,
    _m.subject,
    _m.customer_ref,
    _m.lane,
    _m.purpose,
    _m.basis,
    _m.options,
    _m.account_id,
    _m.sender_id,
    _m.wanted_carrier,
    _m.tried,
    _m.template,
    _m.text,
    _m.encoding,
    _m.segments,
    _m.country,
    _m.due,
    _m.expires_at,
    _m.attempts,
    _m.epoch,
    _m.reference,
    _m.notes,
    _c.msisdn,
    _c.msisdn_ix,
    _c.timezone,
    _c.transactional,
    _c.transactional_at,
    _c.transactional_by,
    _c.marketing,
    _c.marketing_at,
    _c.marketing_by,
    _c.otp,
    _c.otp_at,
    _c.otp_by,
    _c.suppressed,
    _c.suppressed_at,
    _c.consent_marks,
)

_claim = (
    sa.select(*_CLAIM_COLUMNS)
    .select_from(schema.messages.join(schema.contacts, _c.id == _m.contact_id))
    .where(
        _m.account_id == sa.bindparam("account_id", type_=Id),
        _m.lane == sa.bindparam("lane"),
        sa.text("messages.status < 2"),
        _m.due <= sa.bindparam("now", type_=Instant),
    )
    .order_by(_m.due, _m.id)
    .limit(sa.bindparam("room"))
)
_CLAIM: dict[str, sa.Select[Any]] = {
    "sqlite": _claim,
    "postgresql": _claim.suffix_with(sa.text("FOR UPDATE OF messages SKIP LOCKED FOR SHARE OF contacts SKIP LOCKED")),
}


def due(connection: sa.Connection, account_id: UUID, lane: int, now: datetime, room: int) -> Sequence[AnyRow]:
    """Lock and read up to `room` waiting messages of one account and lane, oldest first."""
    statement = _CLAIM[connection.dialect.name]
    return connection.execute(statement, {"account_id": account_id, "lane": lane, "now": now, "room": room}).all()


_lanes = sa.union_all(*(sa.select(sa.literal_column(str(lane)).label("lane")) for lane in schema.LANES.values())).subquery("lanes")
_first_due = (
    sa.select(sa.func.min(_m.due))
    .where(_m.account_id == schema.carrier_accounts.c.id, _m.lane == _lanes.c.lane, sa.text("messages.status < 2"))
    .correlate(schema.carrier_accounts, _lanes)
    .scalar_subquery()
)
_due_by_lane = sa.select(schema.carrier_accounts.c.id, _lanes.c.lane, _first_due.label("due")).select_from(
    schema.carrier_accounts.join(_lanes, sa.true())
)


def due_by_lane(connection: sa.Connection) -> dict[tuple[UUID, int], datetime]:
    """When the first waiting message of each account and lane is due: one index probe each, however much waits."""
    return {(row.id, row.lane): row.due for row in connection.execute(_due_by_lane) if row.due is not None}


_start = Many(
    sa.update(schema.messages)
    .where(_m.id == sa.bindparam("b_id", type_=Id))
    .values(
        status=_SENDING,
        owner=sa.bindparam("b_owner", type_=Id),
        epoch=sa.bindparam("b_epoch"),
        attempts=sa.bindparam("b_attempts"),
        price=sa.bindparam("b_price"),
        currency=sa.bindparam("b_currency"),
        updated_at=sa.bindparam("b_at", type_=Instant),
    )
)


def start(connection: sa.Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Mark claimed messages as being sent. Keys: b_id, b_owner, b_epoch, b_attempts, b_price, b_currency, b_at."""
    _start.run(connection, rows)


_held = (
    sa.select(_m.id, _m.status, _m.owner, _m.epoch).where(_m.id.in_(sa.bindparam("ids", expanding=True, type_=Id))).order_by(_m.id)
)
_HELD = {"sqlite": _held, "postgresql": _held.with_for_update()}


def held(connection: sa.Connection, message_ids: Collection[UUID]) -> dict[UUID, AnyRow]:
    """Lock and read where messages stand whose calls have ended: status, owner, epoch.

    In the order of their ids, as receipts lock them too: nobody waits in a ring.
    """
    if not message_ids:
        return {}
    rows = connection.execute(_HELD[connection.dialect.name], {"ids": list(message_ids)})
    return {row.id: row for row in rows}


_record = Many(
    sa.update(schema.messages)
    .where(
        _m.id == sa.bindparam("b_id", type_=Id), _m.owner == sa.bindparam("b_owner", type_=Id), _m.epoch == sa.bindparam("b_epoch")
    )
    .values(
        status=sa.bindparam("b_status"),
        carrier_ref=sa.func.coalesce(sa.bindparam("b_ref"), _m.carrier_ref),  # a receipt may have brought it
        handed_over_at=sa.func.coalesce(_m.handed_over_at, sa.bindparam("b_handed_over", type_=Instant)),
        dlr_due=sa.bindparam("b_dlr_due", type_=Instant),
        reason=sa.func.coalesce(sa.bindparam("b_reason"), _m.reason),
        notes=sa.bindparam("b_notes", type_=Document),
        updated_at=sa.bindparam("b_at", type_=Instant),
    )
)


def record(connection: sa.Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Record how attempts ended, of rows that `held` has locked. Keys: b_id, b_owner, b_epoch, b_status, b_ref, b_handed_over,
    b_dlr_due, b_reason, b_notes, b_at.
    """
    _record.run(connection, rows)


_give_back = Many(
    sa.update(schema.messages)
    .where(
        _m.id == sa.bindparam("b_id", type_=Id),
        _m.owner == sa.bindparam("b_owner", type_=Id),
        _m.epoch == sa.bindparam("b_epoch"),
        _m.status == _SENDING,
    )
    .values(
        status=STATUS_CODES[Status.QUEUED],
        owner=None,
        due=sa.bindparam("b_due", type_=Instant),
        account_id=sa.bindparam("b_account", type_=Id),
        sender_id=sa.bindparam("b_sender"),
        tried=sa.bindparam("b_tried", type_=Document),
        attempts=sa.bindparam("b_attempts"),
        notes=sa.bindparam("b_notes", type_=Document),
        updated_at=sa.bindparam("b_at", type_=Instant),
    )
)


def give_back(connection: sa.Connection, rows: Sequence[dict[str, Any]]) -> None:
    """`sending` → `queued`: the attempt certainly failed (or never began) and another is allowed."""
    _give_back.run(connection, rows)


_settle = Many(
    sa.update(schema.messages)
    .where(_m.id == sa.bindparam("b_id", type_=Id), sa.text("messages.status < 2"))
    .values(
        status=sa.func.coalesce(sa.bindparam("b_status", type_=sa.SmallInteger), _m.status),
        reason=sa.bindparam("b_reason"),
        due=sa.bindparam("b_due", type_=Instant),
        account_id=sa.bindparam("b_account", type_=Id),
        sender_id=sa.bindparam("b_sender"),
        notes=sa.bindparam("b_notes", type_=Document),
        updated_at=sa.bindparam("b_at", type_=Instant),
    )
)


def settle(connection: sa.Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Write the verdicts that are not "send": held, expired, refused, rerouted. `b_status` None: as it was."""
    _settle.run(connection, rows)


_ATTEMPT_COLUMNS = tuple(schema.attempts.c.keys())
_ATTEMPTS = {
    "sqlite": Many(sqlite.insert(schema.attempts).on_conflict_do_nothing(), _ATTEMPT_COLUMNS),
    "postgresql": Many(postgresql.insert(schema.attempts).on_conflict_do_nothing(), _ATTEMPT_COLUMNS),
}


def add_attempts(connection: sa.Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Insert finished attempts; one that a repeated cycle wrote already stays as it is."""
    _ATTEMPTS[connection.dialect.name].run(connection, rows)


# -- what waits for an account that takes nothing -----------------------------------------------------------------


Place = tuple[int, datetime, UUID]  # lane, due, id

_stranded = (
    sa.select(*_CLAIM_COLUMNS)
    .select_from(schema.messages.join(schema.contacts, _c.id == _m.contact_id))
    .where(
        _m.account_id == sa.bindparam("account_id", type_=Id),
        sa.text("messages.status < 2"),
        _m.due <= sa.bindparam("now", type_=Instant),
    )
    .order_by(_m.lane, _m.due, _m.id)
    .limit(sa.bindparam("limit"))
)
_after = sa.tuple_(_m.lane, _m.due, _m.id) > sa.tuple_(
    sa.bindparam("lane", type_=sa.SmallInteger), sa.bindparam("due", type_=Instant), sa.bindparam("id", type_=Id)
)


def stranded(connection: sa.Connection, account_id: UUID, now: datetime, after: Place | None, limit: int) -> Sequence[AnyRow]:
    """Messages that are due at an account which is not asked, from a place on: they may have another way, or their time may be
    over. A walk along the index, however many wait; nothing is locked, `settle` looks again whether they still wait.
    """
    statement = _stranded if after is None else _stranded.where(_after)
    values = {"account_id": account_id, "now": now, "limit": limit}
    if after is not None:
        values |= {"lane": after[0], "due": after[1], "id": after[2]}
    return connection.execute(statement, values).all()


# -- caps ---------------------------------------------------------------------------------------------------------

_GONE = sa.text("messages.status BETWEEN 2 AND 6")  # sending, sent, unknown, delivered, undelivered: it may have been read

_gone_since = (
    sa.select(_m.contact_id, sa.func.count().label("gone"))
    .where(_m.contact_id.in_(sa.bindparam("contacts", expanding=True, type_=Id)), _m.id >= sa.bindparam("first", type_=Id), _GONE)
    .group_by(_m.contact_id)
)


def gone_since(connection: sa.Connection, contact_ids: Collection[UUID], since: datetime) -> dict[UUID, int]:
    """How many texts made since then have left for each of these contacts. What waits is not counted: it will be, in its turn."""
    values = {"contacts": list(contact_ids), "first": first_id(since)}
    return {row.contact_id: row.gone for row in connection.execute(_gone_since, values)}


def gone_by_trigger(connection: sa.Connection, contact_id: UUID, trigger_id: UUID, since: datetime) -> int:
    """The same for one contact and one trigger."""
    statement = sa.select(sa.func.count()).where(
        _m.contact_id == contact_id, _m.id >= first_id(since), _m.trigger_id == trigger_id, _GONE
    )
    return int(connection.execute(statement).scalar() or 0)


_set_back = (
    sa.update(schema.messages)
    .where(sa.text("messages.status < 2 AND messages.status = 1"), _m.updated_at > sa.bindparam("b_now", type_=Instant))
    .values(due=_m.due - (_m.updated_at - sa.bindparam("b_now", type_=Instant)), updated_at=sa.bindparam("b_now", type_=Instant))
)


def set_back(connection: sa.Connection, now: datetime) -> int:
    """After the clock was set back: what waits since a time that has not come yet waits no longer for it; how many did.

    Looks at everything that waits: for the rare moment when a clock is found to have jumped.
    """
    return connection.execute(_set_back, {"b_now": now}).rowcount


# -- configuration ------------------------------------------------------------------------------------------------

_config_epoch = sa.select(sa.func.count(), sa.func.sum(schema.tenants.c.config_version))


def config_epoch(connection: sa.Connection) -> tuple[int, int]:
    """Changes whenever any tenant's configuration does."""
    count, total = connection.execute(_config_epoch).one()
    return count, int(total or 0)


def tenant_versions(connection: sa.Connection) -> list[tuple[UUID, int]]:
    """Each tenant's configuration version."""
    t = schema.tenants.c
    return [(row.id, row.config_version) for row in connection.execute(sa.select(t.id, t.config_version))]


def disable_account(connection: sa.Connection, account_id: UUID, why: str, code: str, now: datetime) -> None:
    """The carrier refuses the account itself: it gets no more messages until a person looks."""
    a, t = schema.carrier_accounts.c, schema.tenants.c
    changed = connection.execute(
        sa.update(schema.carrier_accounts)
        .where(a.id == account_id, a.status == "active")
        .values(status="disabled", status_detail=f"{why} {code}".strip()[:200], updated_at=now)
        .returning(a.tenant_id)
    ).first()
    if changed is not None:
        connection.execute(sa.update(schema.tenants).where(t.id == changed.tenant_id).values(config_version=t.config_version + 1))
