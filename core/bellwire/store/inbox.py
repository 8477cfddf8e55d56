"""Replies (MO) for people to look at, opened."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.errors import NotFound
from bellwire.ids import first_id, show
from bellwire.store import schema
from bellwire.store.heard import DEAD
from bellwire.store.paging import Page, page
from bellwire.store.tenancy import TenantConnection, scope
from bellwire.store.types import AnyRow
from bellwire.store.vault import Vault

_r = schema.replies.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A text from a handset. `kind`: stop, start, help or none of them; `rule` says how it was recognised.

    `answer`: the word (YES) by which a question was answered, `answers`: the question's object (shift/55); then `message_id` is the
    text that asked. `passed`: waiting, taken or dead; None: it was handed to nobody. `passed_to`: the installation; `error`: why
    nobody took it.
    """

    id: UUID
    msisdn: str = field(repr=False)
    text: str = field(repr=False)
    to: str
    kind: str | None
    rule: str | None
    status: str
    message_id: UUID | None
    answer: str | None
    answers: str | None
    account_id: UUID
    received_at: datetime
    passed: str | None
    passed_to: UUID | None
    error: str


def get(connection: TenantConnection, vault: Vault, reply_id: UUID) -> Reply:
    """A reply. Raises NotFound."""
    row = connection.execute(sa.select(schema.replies).where(scope(schema.replies), _r.id == reply_id)).one_or_none()
    if row is None:
        raise NotFound("reply", show("rpl", reply_id))
    return _reply(row, vault)


def listed(
    connection: TenantConnection,
    vault: Vault,
    *,
    limit: int,
    before: UUID | None = None,
    contact_id: UUID | None = None,
    kind: str | None = None,
    passed: str | None = None,
    since: datetime | None = None,
) -> Page[Reply]:
    """The tenant's replies, newest first. `since`: received at or after."""
    where: list[Any] = [column == value for column, value in ((_r.contact_id, contact_id), (_r.kind, kind)) if value is not None]
    if passed is not None:  # dead letters have an index of their own
        where.append(sa.text("replies.passed = 'dead'") if passed == DEAD else _r.passed == passed)
    if since is not None:
        where.append(_r.id >= first_id(since))
    # a segment whose others have not come yet is no reply
    statement = sa.select(schema.replies).where(scope(schema.replies), _r.status != "part", *where)
    return page(connection, statement, _r.id, limit, before, lambda row: _reply(row, vault))


def _reply(row: AnyRow, vault: Vault) -> Reply:
    return Reply(
        id=row.id,
        msisdn=vault.open(row.msisdn, row.tenant_id, "replies.msisdn", row.id),
        text=vault.open(row.text, row.tenant_id, "replies.text", row.id),
        to=row.to,
        kind=row.kind,
        rule=row.rule,
        status=row.status,
        message_id=row.message_id,
        answer=row.answer,
        answers=row.answers,
        account_id=row.account_id,
        received_at=row.received_at,
        passed=row.passed,
        passed_to=row.passed_to,
        error=row.error or "",
    )
