"""How many texts people had: what caps are judged by."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from bellwire.ids import first_id
from bellwire.model import Status
from bellwire.store import schema
from bellwire.store.many import Many, Types
from bellwire.store.schema import STATUS_CODES
from bellwire.store.types import Id

_m = schema.messages.c

_MADE = sa.text(f"messages.status <> {STATUS_CODES[Status.REFUSED]}")
_GONE = sa.text("messages.status BETWEEN 2 AND 6")  # sending, sent, unknown, delivered, undelivered: it may have been read


def _counts(which: sa.TextClause, *, by_trigger: bool = False) -> dict[str, Many]:
    """One count for each person of `given`, along the index of contact and id.

    PostgreSQL knows little of the ids of the last minutes: of `id >= first` it may believe that it is true of a row or two, and
    look through all texts since then by their key. Compared as a pair with the contact, the key can't serve; from SQLite, which
    goes by what it was told, the pair would hide the range.
    """

    def made(given: sa.TableClause, since: sa.ColumnElement[bool]) -> sa.Select[tuple[int, int]]:
        count = sa.select(sa.func.count()).where(_m.contact_id == given.c.contact, since, which)
        if by_trigger:
            count = count.where(_m.trigger_id == sa.bindparam("b_trigger", type_=Id))
        return sa.select(given.c.place, count.scalar_subquery()).select_from(given)

    columns: Types = {"place": sa.Integer, "contact": Id}
    first = sa.bindparam("b_first", type_=Id)
    return {
        "sqlite": Many(columns, lambda given: made(given, _m.id >= first)),
        "postgresql": Many(
            columns, lambda given: made(given, sa.tuple_(_m.contact_id, _m.id) >= sa.tuple_(given.c.contact, first))
        ),
    }


_made, _gone = _counts(_MADE), _counts(_GONE)
_made_by_trigger, _gone_by_trigger = _counts(_MADE, by_trigger=True), _counts(_GONE, by_trigger=True)


def made_since(
    connection: sa.Connection, contact_ids: Collection[UUID], since: datetime, trigger_id: UUID | None = None
) -> dict[UUID, int]:
    """How many texts (refused ones aside) were made for each of these contacts since then, of a trigger or of all.

    Ids tell when they were made. Each contact has its count, 0 included.
    """
    return _counted(connection, _made if trigger_id is None else _made_by_trigger, contact_ids, since, trigger_id)


def gone_since(
    connection: sa.Connection, contact_ids: Collection[UUID], since: datetime, trigger_id: UUID | None = None
) -> dict[UUID, int]:
    """How many of those have left. What waits is not counted: it will be, in its turn."""
    return _counted(connection, _gone if trigger_id is None else _gone_by_trigger, contact_ids, since, trigger_id)


def _counted(
    connection: sa.Connection, counts: dict[str, Many], contact_ids: Collection[UUID], since: datetime, trigger_id: UUID | None
) -> dict[UUID, int]:
    ids = list(contact_ids)
    rows = [{"place": place, "contact": one} for place, one in enumerate(ids)]
    same = {"b_first": first_id(since)} | ({} if trigger_id is None else {"b_trigger": trigger_id})
    return {ids[place]: count for place, count in counts[connection.dialect.name].all(connection, rows, **same)}
