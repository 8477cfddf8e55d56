"""What people do to single messages: take one back while it waits, say what became of one that nobody knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain.status import CANCELABLE
from bellwire.engine.followups import Changes, change_of
from bellwire.engine.intake import configured
from bellwire.engine.rows import stamp
from bellwire.engine.runtime import Engine
from bellwire.errors import Conflict, NotFound
from bellwire.ids import show
from bellwire.model import Status
from bellwire.store import audit, schema
from bellwire.store.doubt import MAY_HAVE_LEFT, WHY
from bellwire.store.schema import STATUS_CODES, STATUS_OF
from bellwire.store.tenancy import TenantConnection
from bellwire.store.types import AnyRow

_m = schema.messages.c
_LEAST_LIFE = timedelta(minutes=1)


class Settlement(StrEnum):
    """What a person says of a message that is `unknown`."""

    DELIVERED = "delivered"
    FAILED = "failed"
    RESEND = "resend"  # knowing that it may arrive twice


def cancel(engine: Engine, tenant_id: UUID, message_id: UUID, *, actor: str) -> None:
    """Take a message back while it is scheduled or queued and certainly never left. Raises NotFound, Conflict."""

    def change(row: AnyRow, _now: datetime) -> tuple[Status, Mapping[str, Any]]:
        current = STATUS_OF[row.status]
        if current not in CANCELABLE:
            raise Conflict("not_cancelable", f"the message is {current}; only scheduled and queued ones can be canceled")
        if row.may_have_left:
            raise Conflict("not_cancelable", f"{WHY}: wait for what becomes of it")
        return Status.CANCELED, {}

    _move(engine, tenant_id, message_id, change, actor=actor, action="message.canceled", step="cancel")


def resolve(engine: Engine, tenant_id: UUID, message_id: UUID, settlement: Settlement, *, actor: str) -> None:
    """Settle a message that is `unknown`. Raises NotFound, Conflict."""

    def change(row: AnyRow, now: datetime) -> tuple[Status, Mapping[str, Any]]:
        current = STATUS_OF[row.status]
        if current is not Status.UNKNOWN:
            raise Conflict("not_unknown", f"the message is {current}; only unknown ones can be settled")
        if settlement is not Settlement.RESEND:
            return Status(settlement), {}
        life = max(row.expires_at - row.send_at, _LEAST_LIFE)
        return Status.QUEUED, {"owner": None, "due": now, "expires_at": now + life, "carrier_ref": None, "dlr_due": None}

    _move(engine, tenant_id, message_id, change, actor=actor, action="message.resolved", step="resolve", word=str(settlement))
    engine.wake()


def _move(
    engine: Engine,
    tenant_id: UUID,
    message_id: UUID,
    change: Callable[[AnyRow, datetime], tuple[Status, Mapping[str, Any]]],
    *,
    actor: str,
    action: str,
    step: str,
    word: str = "",
) -> None:
    """Change one message, note it in its why and in the trail, and make what follows, in one transaction."""
    now = engine.now()

    def run(connection: sa.Connection) -> Changes:
        found = sa.select(schema.messages, MAY_HAVE_LEFT.label("may_have_left"))
        statement = found.where(_m.id == message_id, _m.tenant_id == tenant_id)
        if connection.dialect.name == "postgresql":
            statement = statement.with_for_update()
        row = connection.execute(statement).one_or_none()
        if row is None:
            raise NotFound("message", show("msg", message_id))
        status, values = change(row, now)
        note = {"at": stamp(now), "step": step, "outcome": word or str(status), "detail": f"by {actor}"}
        connection.execute(
            sa.update(schema.messages)
            .where(_m.id == message_id, _m.tenant_id == tenant_id)
            .values(status=STATUS_CODES[status], updated_at=now, notes=[*(row.notes or ()), note], **values)
        )
        audit.note(
            TenantConnection(connection, tenant_id), actor, action, show("msg", message_id), now, {"as": word} if word else None
        )
        followups = engine.followups()
        followups.add(configured(engine, connection, tenant_id).config, change_of(row, status, now))
        followups.insert(connection)
        return followups.changes

    engine.notify(engine.write(run))
