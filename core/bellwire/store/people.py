"""One person's rows in all tables: found by how tables declare that they belong to somebody, exported, erased.

The declarations stand in `schema`: a table's `person` names the columns that lead to a contact, message, reply or event; a column's
`erase` says what becomes of it. Nothing here knows a table by name but where rows can only be found by what is sealed in them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.ids import show
from bellwire.store import schema
from bellwire.store.schema import EVENT_DEAD, EVENT_DECIDED, STATUS_OF
from bellwire.store.tenancy import TenantConnection, scope
from bellwire.store.types import AnyRow, Id, Instant
from bellwire.store.vault import Vault

BATCH = 500  # rows a transaction: others write in between

#: What `erase` may say of a column.
ACTIONS = frozenset({"null", "empty", "row", "keep"})

Ids = Sequence[UUID] | sa.Select[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """Whose rows are meant, by kind: ids, or a statement that gives them."""

    contact: Ids = ()
    message: Ids = ()
    reply: Ids = ()
    event: Ids = ()
    installation: Ids = ()

    def of(self, kind: str) -> Ids:
        """The ids of one kind."""
        found: Ids = getattr(self, kind)
        return found

    def chunks(self, size: int = BATCH) -> Iterator[Traces]:
        """The same in pieces that a statement can name."""
        for kind in ("contact", "message", "reply", "event", "installation"):
            ids = self.of(kind)
            if isinstance(ids, sa.Select):
                yield Traces(**{kind: ids})
                continue
            for start in range(0, len(ids), size):
                yield Traces(**{kind: ids[start : start + size]})


def _personal() -> tuple[sa.Table, ...]:
    """The tables whose rows belong to somebody; those that others are found by come last."""
    tables = [table for table in schema.META.sorted_tables if table.info.get("person")]
    return tuple(sorted(tables, key=lambda table: ("id" in table.info["person"], table.name)))


PERSONAL = _personal()


def columns(table: sa.Table, action: str) -> list[sa.Column[Any]]:
    """The columns to which erasing does this."""
    return [column for column in table.c if column.info.get("erase") == action]


# -- finding --------------------------------------------------------------------------------------------------------


def messages_of(connection: TenantConnection, contact_ids: Sequence[UUID], installation_id: UUID | None) -> Sequence[AnyRow]:
    """id and event_id of what was sent (or not) to these contacts, through one installation where it is named."""
    m = schema.messages.c
    where = [scope(schema.messages), m.contact_id.in_(contact_ids)]
    if installation_id is not None:
        where.append(m.installation_id == installation_id)
    return connection.execute(sa.select(m.id, m.event_id, m.contact_id).where(*where)).all()


def messages_about(connection: TenantConnection, event_ids: Sequence[UUID]) -> Sequence[AnyRow]:
    """id and contact_id of the messages that events led to."""
    m = schema.messages.c
    return connection.execute(
        sa.select(m.id, m.event_id, m.contact_id).where(scope(schema.messages), m.event_id.in_(event_ids))
    ).all()


def messages_by_ref(connection: TenantConnection, refs: Sequence[str], installation_id: UUID | None) -> Sequence[AnyRow]:
    """The messages of people whom a platform calls so, also where the event's content is gone already."""
    m = schema.messages.c
    where = [scope(schema.messages), m.customer_ref.in_(refs)]
    if installation_id is not None:
        where.append(m.installation_id == installation_id)
    return connection.execute(sa.select(m.id, m.event_id, m.contact_id).where(*where)).all()


def replies_of(connection: TenantConnection, contact_ids: Sequence[UUID], message_ids: Sequence[UUID] | None) -> list[UUID]:
    """What these contacts wrote: all of it, or only the answers to these messages."""
    r = schema.replies.c
    rows = connection.execute(
        sa.select(r.id, r.message_id).where(scope(schema.replies), r.contact_id.in_(contact_ids)).order_by(r.id)
    )
    wanted = None if message_ids is None else set(message_ids)
    return [row.id for row in rows if wanted is None or row.message_id in wanted]


def events(connection: TenantConnection, after: UUID, installation_id: UUID | None, limit: int = BATCH) -> Sequence[AnyRow]:
    """Events with content, in order, to be looked through."""
    e = schema.events.c
    where = [scope(schema.events), e.id > after, e.content.is_not(None)]
    if installation_id is not None:
        where.append(e.installation_id == installation_id)
    statement = sa.select(e.id, e.tenant_id, e.type, e.subject, e.occurred_at, e.content, e.installation_id).where(*where)
    return connection.execute(statement.order_by(e.id).limit(limit)).all()


def is_known_otherwise(connection: TenantConnection, contact_id: UUID, installation_id: UUID) -> bool:
    """Whether a contact is known by more than one installation: other texts, what they wrote, what somebody else recorded."""
    m, r, c = schema.messages.c, schema.replies.c, schema.consents.c
    elsewhere = sa.or_(m.installation_id.is_(None), m.installation_id != installation_id)
    told = sa.or_(c.author.is_not(None), c.event_id.is_(None) & c.reply_id.is_(None) & (c.source != "erasure"))
    asked = (
        sa.select(m.id).where(scope(schema.messages), m.contact_id == contact_id, elsewhere, m.text.is_not(None)),
        sa.select(r.id).where(scope(schema.replies), r.contact_id == contact_id),
        sa.select(c.id).where(scope(schema.consents), c.contact_id == contact_id, told),
    )
    return any(connection.execute(one.limit(1)).first() is not None for one in asked)


def of_installation(installation_id: UUID) -> Traces:
    """All that came through an installation; its contacts are judged one by one."""
    m, r, e = schema.messages.c, schema.replies.c, schema.events.c
    messages = sa.select(m.id).where(scope(schema.messages), m.installation_id == installation_id)
    return Traces(
        message=messages,
        reply=sa.select(r.id).where(scope(schema.replies), r.message_id.in_(messages)),
        event=sa.select(e.id).where(scope(schema.events), e.installation_id == installation_id),
        installation=[installation_id],
    )


def contacts_of_installation(connection: TenantConnection, installation_id: UUID, after: UUID, limit: int = BATCH) -> list[UUID]:
    """Contacts that were texted through an installation and still have their number, in order."""
    m, c = schema.messages.c, schema.contacts.c
    told = sa.select(m.contact_id).where(scope(schema.messages), m.installation_id == installation_id)
    said = (
        sa.select(schema.consents.c.contact_id)
        .join(schema.events, schema.events.c.id == schema.consents.c.event_id)
        .where(scope(schema.consents), scope(schema.events), schema.events.c.installation_id == installation_id)
    )
    rows = connection.execute(
        sa.select(c.id)
        .where(scope(schema.contacts), c.id > after, c.msisdn.is_not(None), sa.or_(c.id.in_(told), c.id.in_(said)))
        .order_by(c.id)
        .limit(limit)
    )
    return [row.id for row in rows]


# -- erasing --------------------------------------------------------------------------------------------------------


def left(connection: TenantConnection, table: sa.Table, traces: Traces, limit: int = BATCH) -> list[UUID]:
    """Rows of a table that belong to somebody and still hold something."""
    belongs = _belongs(table, traces)
    if belongs is None:
        return []
    where = [scope(table), belongs]
    if not columns(table, "row"):
        held = [column.is_not(None) for column in columns(table, "null")] + [column != "" for column in columns(table, "empty")]
        where.append(sa.or_(*held))
    return [row.id for row in connection.execute(sa.select(table.c.id).where(*where).order_by(table.c.id).limit(limit))]


def erase(connection: TenantConnection, table: sa.Table, ids: Sequence[UUID]) -> int:
    """Do to rows what their columns say; how many there were."""
    where = (scope(table), table.c.id.in_(ids))
    if columns(table, "row"):
        return connection.execute(sa.delete(table).where(*where)).rowcount
    values: dict[str, Any] = {column.name: None for column in columns(table, "null")}
    values |= {column.name: "" for column in columns(table, "empty")}
    if table is schema.events:  # one that waits to be decided has nothing left to decide
        waits = table.c.status < EVENT_DECIDED
        values |= {
            "status": sa.case((waits, EVENT_DEAD), else_=table.c.status),
            "due": sa.case((waits, None), else_=table.c.due),
            "error": None,
        }
    return connection.execute(sa.update(table).where(*where).values(**values)).rowcount


def answers_with(connection: TenantConnection, vault: Vault, is_meant: Callable[[str], bool]) -> list[bytes]:
    """The kept answers of API calls that hold something: keys of rows that live a day."""
    i = schema.idempotency
    rows = connection.execute(sa.select(i.c.key_hash, i.c.tenant_id, i.c.answer).where(scope(i), i.c.answer.is_not(None)))
    opened = (
        (bytes(row.key_hash), vault.open(row.answer, row.tenant_id, "idempotency.answer", UUID(bytes=bytes(row.key_hash))))
        for row in rows
    )
    return [key for key, text in opened if is_meant(text)]


def forget_answers(connection: TenantConnection, keys: Sequence[bytes]) -> None:
    """Remove kept answers; their requests can be sent anew."""
    i = schema.idempotency
    connection.execute(sa.delete(i).where(scope(i), i.c.key_hash.in_(keys)))


def _belongs(table: sa.Table, traces: Traces) -> sa.ColumnElement[bool] | None:
    links: Mapping[str, str] = table.info["person"]
    tests = [table.c[name].in_(ids) for name, kind in links.items() if isinstance(ids := traces.of(kind), sa.Select) or len(ids)]
    return sa.or_(*tests) if tests else None


# -- exporting ------------------------------------------------------------------------------------------------------

#: Columns that say nothing about a person: keys, leases, counters of ours.
_INTERNAL = frozenset(
    {"tenant_id", "msisdn_ix", "owner", "epoch", "consent_marks", "endpoint_id", "tried", "parts", "dlr_due"}
    | {"key_hash", "about", "source_id", "staff_id", "person_hash"}
)
_PREFIXES = {
    "attempts": "att",
    "callbacks": "cbd",
    "consents": "cns",
    "contacts": "con",
    "deadlines": "ddl",
    "events": "evt",
    "messages": "msg",
    "replies": "rpl",
    "staff": "stf",
    "staff_refs": "stf",
    "write_backs": "wbk",
    "contact_id": "con",
    "event_id": "evt",
    "message_id": "msg",
    "reply_id": "rpl",
    "installation_id": "ins",
    "account_id": "acc",
    "trigger_id": "trg",
}


def export(connection: TenantConnection, vault: Vault, traces: Traces) -> dict[str, list[dict[str, Any]]]:
    """All rows by table, opened, ids as shown, times as RFC 3339."""
    found: dict[str, list[dict[str, Any]]] = {}
    for table in PERSONAL:
        rows: dict[UUID, dict[str, Any]] = {}
        for chunk in traces.chunks():
            belongs = _belongs(table, chunk)
            if belongs is None:
                continue
            for row in connection.execute(sa.select(table).where(scope(table), belongs).order_by(table.c.id)):
                rows.setdefault(row.id, _opened(table, row, vault))
        found[table.name] = [rows[key] for key in sorted(rows)]
    return found


def _opened(table: sa.Table, row: AnyRow, vault: Vault) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for column in table.c:
        value = getattr(row, column.name)
        if column.name in _INTERNAL or value is None:
            continue
        shown[column.name] = _shown(table, column, row, value, vault)
    return shown


def _shown(table: sa.Table, column: sa.Column[Any], row: AnyRow, value: Any, vault: Vault) -> Any:
    if column.info.get("sealed"):
        where = f"{table.name}.{column.name}"
        if column.info.get("json"):
            return vault.open_json(value, row.tenant_id, where, row.id)
        return vault.open(value, row.tenant_id, where, row.id)
    if isinstance(column.type, Id):
        return show(_PREFIXES.get(table.name if column.name == "id" else column.name, "id"), value)
    if isinstance(column.type, Instant):
        return _stamp(value)
    if table is schema.messages and column.name == "status":
        return str(STATUS_OF[value])
    return value


def _stamp(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
