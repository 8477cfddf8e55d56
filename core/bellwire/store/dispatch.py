"""The pump's statements on messages: what is due, claim, record, hold. All run inside the cycle's one transaction.

A claim is the start of a call. On PostgreSQL it locks the message and shares the contact's row, so that a STOP that commits
first is seen and a STOP that comes second waits; rows that somebody else holds are skipped (measured: without the second
SKIP LOCKED the two lock each other out).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bellwire.model import Status
from bellwire.store import schema
from bellwire.store.doubt import MAY_HAVE_LEFT
from bellwire.store.many import Many, Types, inserts
from bellwire.store.schema import STATUS_CODES, plain
from bellwire.store.types import AnyRow, Document, Id, Instant, SharedId

_SENDING = STATUS_CODES[Status.SENDING]

_m, _c = schema.messages.c, schema.contacts.c

#: A person whose texts rest on no statement: nothing was said, or only implied by a transaction.
_SILENT = sa.and_(
    _c.consent_marks.is_(None),
    _c.suppressed.is_(None),
    _c.marketing.is_(None),
    _c.otp.is_(None),
    sa.func.coalesce(_c.transactional, "implied") == sa.literal_column("'implied'"),
)

#: What routing, consent and what follows from a change ask of a message that waits.
_WAITING_COLUMNS = (
    _m.id,
    sa.type_coerce(_m.tenant_id, SharedId).label("tenant_id"),
    _m.contact_id,
    _m.event_id,
    sa.type_coerce(_m.trigger_id, SharedId).label("trigger_id"),
    sa.type_coerce(_m.installation_id, SharedId).label("installation_id"),
    _m.subject,
    _m.customer_ref,
    _m.lane,
    _m.purpose,
    _m.options,
    sa.type_coerce(_m.account_id, SharedId).label("account_id"),
    _m.sender_id,
    _m.wanted_carrier,
    _m.tried,
    _m.template,
    _m.country,
    _m.due,
    _m.expires_at,
    _m.attempts,
    _m.reference,
    sa.type_coerce(_m.notes, sa.Text).label("notes"),  # read and written anew only where there is one more
    sa.case((MAY_HAVE_LEFT, sa.literal_column("1")), else_=sa.literal_column("0")).label("doubt"),
)

_CLAIM_COLUMNS = (
    *_WAITING_COLUMNS,
    _m.basis,
    _m.text,
    _m.encoding,
    _m.segments,
    _m.epoch,
    _c.msisdn,
    sa.case((_SILENT, sa.literal_column("0")), else_=sa.literal_column("1")).label("spoke"),
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
    """Lock and read up to `room` waiting messages of one account and lane, oldest first.

    `spoke`: whether the person has stated anything about being texted (`contacts.standings` has what); `doubt`: whether an earlier
    attempt may have reached them.
    """
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


_AT = sa.bindparam("b_at", type_=Instant)
_OWNER = sa.bindparam("b_owner", type_=Id)

_start = Many(
    {"id": Id, "epoch": sa.Integer, "attempts": sa.SmallInteger, "price": sa.Text, "currency": sa.Text},
    lambda given: (
        sa.update(schema.messages)
        .where(_m.id == given.c.id)
        .values(
            status=_SENDING,
            owner=_OWNER,
            epoch=given.c.epoch,
            attempts=given.c.attempts,
            price=given.c.price,
            currency=given.c.currency,
            updated_at=_AT,
        )
    ),
)


def start(connection: sa.Connection, rows: Sequence[dict[str, Any]], owner: UUID, now: datetime) -> None:
    """Mark messages that this worker has claimed as being sent. Keys: id, epoch, attempts, price, currency."""
    _start.run(connection, rows, b_owner=owner, b_at=now)


_CLAIMED: Types = {"id": Id, "owner": Id, "epoch": sa.Integer}


def _sending(given: sa.TableClause) -> sa.Select[Any]:
    """Claims whose messages are being sent, and nobody else's by now."""
    return (
        sa.select(sa.literal_column("1"))
        .select_from(given.join(schema.messages, _m.id == given.c.id))
        .where(_m.owner == given.c.owner, _m.epoch == given.c.epoch, plain(_m.status) == _SENDING)
        .order_by(_m.id)
    )


def _counted(rows: sa.Select[Any]) -> sa.Select[Any]:
    return sa.select(sa.func.count()).select_from(rows.subquery())


_STILL_CLAIMED = {
    "sqlite": Many(_CLAIMED, lambda given: _counted(_sending(given))),
    "postgresql": Many(_CLAIMED, lambda given: _counted(_sending(given).with_for_update(of=schema.messages))),
}


def still_claimed(connection: sa.Connection, claims: Sequence[Mapping[str, Any]]) -> int:
    """Lock messages whose calls have ended; how many are still theirs and in `sending`. Keys: id, owner, epoch.

    In the order of their ids, as receipts lock them too: nobody waits in a ring. Where it is not all of them, `held` says more.
    """
    return sum(int(count) for (count,) in _STILL_CLAIMED[connection.dialect.name].all(connection, claims))


_held = (
    sa.select(_m.id, _m.status, _m.owner, _m.epoch).where(_m.id.in_(sa.bindparam("ids", expanding=True, type_=Id))).order_by(_m.id)
)
_HELD = {"sqlite": _held, "postgresql": _held.with_for_update()}


def held(connection: sa.Connection, message_ids: Collection[UUID]) -> dict[UUID, AnyRow]:
    """Lock and read where messages stand whose calls have ended: status, owner, epoch.

    In the order of their ids, as receipts lock them too: nobody waits in a ring.
    """
    rows = connection.execute(_HELD[connection.dialect.name], {"ids": list(message_ids)})
    return {row.id: row for row in rows.all()}


_SENT = STATUS_CODES[Status.SENT]
_record = Many(
    {
        "id": Id,
        "epoch": sa.Integer,
        "status": sa.SmallInteger,
        "ref": sa.Text,
        "handed_over": sa.SmallInteger,
        "reason": sa.Text,
        "notes": Document,
    },
    lambda given: (
        sa.update(schema.messages)
        .where(_m.id == given.c.id, _m.epoch == given.c.epoch)
        .values(
            status=given.c.status,
            carrier_ref=sa.func.coalesce(given.c.ref, _m.carrier_ref),  # a receipt may have brought it
            handed_over_at=sa.func.coalesce(_m.handed_over_at, sa.case((given.c.handed_over == 1, _AT))),
            dlr_due=sa.case((given.c.status == _SENT, sa.bindparam("b_dlr_due", type_=Instant))),
            reason=sa.func.coalesce(given.c.reason, _m.reason),
            notes=sa.func.coalesce(given.c.notes, _m.notes),
            updated_at=_AT,
        )
    ),
)


def record(connection: sa.Connection, rows: Sequence[dict[str, Any]], now: datetime, dlr_due: datetime) -> None:
    """Record how attempts ended, of rows that `still_claimed` or `held` has locked: the epoch says enough of whose they are.

    Keys: id, epoch, status, ref, handed_over (0 or 1), reason, notes (None: no more than there are). `dlr_due`: from when on a
    receipt is missed.
    """
    _record.run(connection, rows, b_at=now, b_dlr_due=dlr_due)


_give_back = Many(
    {
        "id": Id,
        "owner": Id,
        "epoch": sa.Integer,
        "due": Instant,
        "account": Id,
        "sender": sa.Text,
        "tried": Document,
        "attempts": sa.SmallInteger,
        "notes": Document,
    },
    lambda given: (
        sa.update(schema.messages)
        .where(_m.id == given.c.id, _m.owner == given.c.owner, _m.epoch == given.c.epoch, plain(_m.status) == _SENDING)
        .values(
            status=STATUS_CODES[Status.QUEUED],
            owner=None,
            due=given.c.due,
            account_id=given.c.account,
            sender_id=given.c.sender,
            tried=given.c.tried,
            attempts=given.c.attempts,
            notes=sa.func.coalesce(given.c.notes, _m.notes),
            updated_at=_AT,
        )
    ),
)


def give_back(connection: sa.Connection, rows: Sequence[dict[str, Any]], now: datetime) -> None:
    """`sending` → `queued`: the attempt certainly failed (or never began) and another is allowed. Keys: id, owner, epoch, due,
    account, sender, tried, attempts, notes (None: no more than there are).
    """
    _give_back.run(connection, rows, b_at=now)


_settle = Many(
    {
        "id": Id,
        "status": sa.SmallInteger,
        "reason": sa.Text,
        "due": Instant,
        "account": Id,
        "sender": sa.Text,
        "notes": Document,
    },
    lambda given: (
        sa.update(schema.messages)
        .where(_m.id == given.c.id, plain(_m.status) < _SENDING)
        .values(
            status=sa.func.coalesce(given.c.status, _m.status),
            reason=given.c.reason,
            due=given.c.due,
            account_id=given.c.account,
            sender_id=given.c.sender,
            notes=sa.func.coalesce(given.c.notes, _m.notes),
            updated_at=_AT,
        )
    ),
)


def settle(connection: sa.Connection, rows: Sequence[dict[str, Any]], now: datetime) -> None:
    """Write the verdicts that are not "send": held, expired, refused, rerouted. Keys: id, status (None: as it was), reason, due,
    account, sender, notes (None: no more than there are).
    """
    _settle.run(connection, rows, b_at=now)


_ATTEMPTS = {
    "sqlite": inserts(sqlite.insert(schema.attempts).on_conflict_do_nothing()),
    "postgresql": inserts(postgresql.insert(schema.attempts).on_conflict_do_nothing()),
}


def add_attempts(connection: sa.Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Insert finished attempts; one that a repeated cycle wrote already stays as it is."""
    _ATTEMPTS[connection.dialect.name].run(connection, rows)


# -- what waits for an account that takes nothing -----------------------------------------------------------------


Place = tuple[int, datetime, UUID]  # lane, due, id

_stranded = (
    sa.select(*_WAITING_COLUMNS)
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


# -- the clock ------------------------------------------------------------------------------------------------------

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
