"""Replies that answer a question: found among what the person was asked, kept with the reply, and their reminders end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain import answers_to, deadlines
from bellwire.engine.cancels import Following
from bellwire.engine.configs import Held
from bellwire.engine.rows import unpack_event
from bellwire.model import Event
from bellwire.store import answers as stored
from bellwire.store import contacts, intake
from bellwire.store import deadlines as due
from bellwire.store.types import AnyRow

if TYPE_CHECKING:
    from bellwire.engine.runtime import Engine

LOOKED_BACK = timedelta(days=14)  # for questions without an end of their own
_QUESTIONS = 20  # of one person; what is older has been overtaken


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """An answer: the word, what it is about, and the text that asked."""

    keyword: str
    subject: str
    message: AnyRow
    event: Event


def understand(
    engine: Engine, connection: sa.Connection, contact_id: UUID, text: str, sent: Sequence[AnyRow], at: datetime
) -> Understood | None:
    """What a reply answers of these texts, newest first; None for nearly all replies, found without a look at the database.

    Call inside the transaction that keeps the reply: the contact is locked, so that an answer counts once.
    """
    if not answers_to.may_answer(text):
        return None
    lately = [row for row in sent if row.event_id is not None and at - row.created_at <= LOOKED_BACK][:_QUESTIONS]
    if not lately:
        return None
    events = {row.id: row for row in stored.events(connection, [row.event_id for row in lately])}
    contacts.lock(connection, contact_id)
    closed = stored.answered(connection, contact_id, [row.id for row in lately])
    asked, told = [], {}
    for message in lately:
        row = events.get(message.event_id)
        if row is None:
            continue
        content = engine.vault.open_json(row.content, row.tenant_id, "events.content", row.id)
        event = unpack_event(content, row.type, row.subject, row.occurred_at)
        one = answers_to.question(
            event.data, message_id=message.id, event_id=row.id, subject=event.subject, is_open=message.id not in closed
        )
        if one is not None:
            asked.append(one)
            told[message.id] = (message, event)
    answer = answers_to.read(text, asked, at)
    if answer is None:
        return None
    message, event = told[answer.asked.message_id]
    return Understood(keyword=answer.keyword, subject=answer.asked.subject, message=message, event=event)


def settle(engine: Engine, connection: sa.Connection, held: Held, understood: Understood, reply_id: UUID, at: datetime) -> None:
    """Keep with the reply what it answers, and end the reminders of what was answered with what they have waiting."""
    stored.keep(connection, reply_id, understood.message.id, understood.keyword, understood.subject)
    installation_id = understood.message.installation_id
    if installation_id is None:
        return
    ended: list[UUID] = []
    for about in deadlines.about(understood.event):  # of the asked kind: who has read the roster is reminded all the same
        ended += due.over(connection, installation_id, about, understood.event.type, at)
    if ended:
        canceled = intake.cancel_of_events(connection, held.config.id, ended, f"answered {understood.keyword}", at)
        if canceled:
            Following(engine, held, at)(connection, canceled)
