"""Hands a reply to a platform: to the one whose conversation it belongs to, then to the next that takes replies.

One at a time. Who refuses it for good hands it on; what nobody took is a dead letter that a person sees and may try again.
Every function runs inside the transaction under way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain.conversations import Taker, in_order, order_of, serves_tickets
from bellwire.engine.configs import Held
from bellwire.engine.consents import names_at
from bellwire.errors import Conflict
from bellwire.ids import new_id, show
from bellwire.model import Connector, Installation
from bellwire.store import audit, heard, schema
from bellwire.store.tenancy import TenantConnection
from bellwire.store.types import AnyRow

if TYPE_CHECKING:
    from bellwire.engine.runtime import Engine

log = logging.getLogger(__name__)

CONVERSATION = timedelta(days=7)  # how long a text's question waits for its answer
NOBODY = "nobody takes replies: connect a support desk, or an endpoint for reply.received"
_UNREADABLE = "nobody can tell whose it is: it came without a usable number"


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """A reply on its way. `kind`: the keyword when it was nothing but one; `tried`: who refused it."""

    id: UUID
    contact_id: UUID | None
    message_id: UUID | None
    kind: str
    at: datetime
    tried: tuple[UUID, ...] = ()


def hand(engine: Engine, connection: sa.Connection, held: Held, reply: Handed, now: datetime, why: str = "") -> str | None:
    """Queue the reply for the next who takes it: `waiting`, `dead` when there is nobody left, None when nobody is missed.

    A keyword goes to its own conversation only: the ledger has it, and no ticket is opened for a STOP. The tenant's own
    endpoint is somebody who takes replies; `why` says what the last platform said.
    """
    sent = heard.newest_messages(connection, reply.contact_id) if reply.contact_id is not None else []
    conversation = _conversation(sent, reply)
    order = ("conversation",) if reply.kind else order_of(held.config.settings)
    taker = next(iter(in_order(order, conversation, _takers(engine, held), reply.tried)), None)
    if taker is not None and reply.contact_id is not None:
        _queue(connection, held, reply, taker, sent, now)
        heard.passed(connection, reply.id, heard.WAITING, taker)
        return heard.WAITING
    unheard = not order or "reply.received" in held.config.callback_types
    if reply.kind or (unheard and not reply.tried):
        heard.passed(connection, reply.id, None, None)
        return None
    heard.passed(connection, reply.id, heard.DEAD, reply.tried[-1] if reply.tried else None, why or NOBODY)
    return heard.DEAD


def ended(engine: Engine, connection: sa.Connection, held: Held | None, job: AnyRow, now: datetime, *, error: str | None) -> None:
    """A platform took the reply of a job (`error` None), or refused it for good: then the next one is asked."""
    if error is None:
        heard.settled(connection, job.reply_id, job.installation_id, heard.TOOK)
        return
    if held is None or not heard.settled(connection, job.reply_id, job.installation_id, heard.DEAD, error):
        return
    details = job.details or {}
    before = tuple(UUID(hex=one) for one in details.get("tried") or ())
    reply = Handed(
        id=job.reply_id,
        contact_id=job.contact_id,
        message_id=job.message_id,
        kind=details.get("kind") or "",
        at=job.at,
        tried=(*before, job.installation_id),
    )
    hand(engine, connection, held, reply, now, error)


def retry(engine: Engine, scoped: TenantConnection, held: Held, reply_id: UUID, *, actor: str, now: datetime) -> str | None:
    """Hand a reply over anew, to everybody who takes replies now. Raises NotFound, Conflict while somebody has it."""
    row = heard.lock_reply(scoped, reply_id)
    if row.passed in (heard.WAITING, heard.TOOK):
        raise Conflict(f"reply_{row.passed}", f"{show('rpl', reply_id)} is {_SHOWN[row.passed]}")
    kind = row.kind if row.status == heard.TAKEN else ""
    reply = Handed(id=row.id, contact_id=row.contact_id, message_id=row.message_id, kind=kind or "", at=row.received_at)
    outcome = hand(engine, scoped.bare, held, reply, now, _UNREADABLE if row.contact_id is None else "")
    audit.note(scoped, actor, "reply.retried", show("rpl", reply_id), now, {"passed": outcome})
    return outcome


_SHOWN = {heard.WAITING: "with a platform already", heard.TOOK: "where it belongs already"}


def _conversation(sent: Collection[AnyRow], reply: Handed) -> UUID | None:
    """Whose text was answered; where that one was nobody's, the newest that some platform had us send lately."""
    own = (row.installation_id for row in sent if row.id == reply.message_id and row.installation_id is not None)
    lately = (row.installation_id for row in sent if row.installation_id is not None and reply.at - row.created_at <= CONVERSATION)
    return next(own, None) or next(lately, None)


def _takers(engine: Engine, held: Held) -> list[Taker]:
    """The tenant's active installations whose platform takes replies, the oldest first."""
    connectors = engine.plugins.connectors
    return [
        Taker(key, one.value.connector, serves_tickets(connector.events))
        for key, one in held.config.installations.items()
        if one.status == "active"
        and (connector := connectors.get(one.value.connector)) is not None
        and _takes(connector, one.value)
    ]


def _takes(connector: Connector, installation: Installation) -> bool:
    """Whether replies can be handed to an account. A connector that can't say is asked to write, and tells then."""
    if connector.write_reply is None or connector.takes_replies is None:
        return connector.write_reply is not None
    try:
        return connector.takes_replies(installation)
    except Exception:  # a plugin's: the carrier's call that brings the reply must not fail for it
        log.exception("a connector can't tell whether it takes replies", extra={"connector": connector.name})
        return True


def _queue(connection: sa.Connection, held: Held, reply: Handed, taker: UUID, sent: Collection[AnyRow], now: datetime) -> None:
    """A job for one platform, about the object of its last text to that person."""
    theirs: Callable[[AnyRow], bool] = lambda row: row.installation_id == taker  # noqa: E731  # said twice below
    last = next((row for row in sent if theirs(row) and row.id == reply.message_id), None) or next(filter(theirs, sent), None)
    person = (last.customer_ref if last is not None else None) or names_at(connection, _known(reply)).get(taker)
    subject = (last.subject if last is not None else None) or person or f"contact/{_known(reply).hex}"
    row: dict[str, Any] = {
        "id": new_id(),
        "tenant_id": held.config.id,
        "installation_id": taker,
        "kind": "reply",
        "subject": subject,
        "customer_ref": person,
        "message_id": last.id if last is not None else reply.message_id,
        "contact_id": reply.contact_id,
        "reply_id": reply.id,
        "value": "received",
        "details": {"kind": reply.kind or None, "tried": [one.hex for one in reply.tried]},
        "at": reply.at,
        "status": schema.JOB_QUEUED,
        "attempts": 0,
        "due": now,
        "updated_at": now,
    }
    connection.execute(sa.insert(schema.write_backs), row)


def _known(reply: Handed) -> UUID:
    if reply.contact_id is None:
        raise ValueError("a reply of nobody is handed to nobody")
    return reply.contact_id
