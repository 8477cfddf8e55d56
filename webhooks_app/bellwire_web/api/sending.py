"""Texts to send: one, or many, each judged by itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from bellwire.domain.scopes import Scope
from bellwire.errors import FieldInvalid
from bellwire.model import Purpose
from bellwire.store import messages
from bellwire.store.messages import Message as Stored
from pydantic import Field, JsonValue, ValidationError, WithJsonSchema

from bellwire_web import problems
from bellwire_web.api.choices import EncodingChoice
from bellwire_web.api.shown_message import Message, show_message
from bellwire_web.calls import Call
from bellwire_web.fields import Answer, Lifetime, Locale, Model, Number, PathName, Timestamp
from bellwire_web.operations import Routes
from bellwire_web.problems import Problem

routes = Routes("messages", "Texts to handsets: send, follow, take back.")

MAX_BATCH = 1_000
_BATCH_BYTES = 4 * 1024 * 1024


class MessageRequest(Model):
    """A text to send: its words, or a template and what fills it."""

    to: Annotated[Number, Field(description="With +, or as it is dialled in the tenant's country.")]
    body: Annotated[str | None, Field(max_length=1600)] = None
    template: PathName | None = None
    locale: Locale | None = None
    variables: Annotated[dict[str, JsonValue] | None, Field(max_length=500)] = None
    purpose: Annotated[
        Purpose | None, Field(description="The template's when left out; of a text of your own `transactional`.")
    ] = None
    sender_id: Annotated[str | None, Field(min_length=1, max_length=64)] = None
    carrier: Annotated[str | None, Field(min_length=1, max_length=64)] = None
    encoding: EncodingChoice = EncodingChoice.AUTO
    send_at: Annotated[Timestamp | None, Field(description="Not before; at once when left out.")] = None
    expires_in: Annotated[Lifetime | None, Field(description="Worthless after that long; at most 7 days.")] = None
    reference: Annotated[str | None, Field(max_length=200, description="Your own name for it.")] = None
    metadata: Annotated[dict[str, JsonValue] | None, Field(max_length=50)] = None


class BatchRequest(Model):
    """Up to 1,000 texts, each judged by itself."""

    messages: Annotated[
        list[Annotated[JsonValue, WithJsonSchema({"$ref": "#/components/schemas/MessageRequest"})]],
        Field(min_length=1, max_length=MAX_BATCH),
    ]


class MessageBatch(Answer):
    """What became of each row, in their order: a message, or a problem."""

    items: list[Message | Problem]


_SEND = {"to": "+998900000001", "body": "Your order #1001 is ready.", "reference": "order-1001"}
_CODE = {"to": "+998900000002", "template": "code", "variables": {"code": "123456"}, "purpose": "otp", "expires_in": "5m"}


@routes.post("/v1/messages", scope=Scope.MESSAGES_SEND, status=202, example=_SEND, salesforce=True)
def send_message(call: Call, body: MessageRequest) -> Message:
    """Send a text.

    What policy forbids is answered 202 with status `refused` and a reason; only what is wrong with the request is a problem.
    """
    made, invalid = _send(call, [body])[0]
    if invalid is not None:
        raise invalid
    with call.reading() as connection:
        return show_message(messages.get(connection, call.tenant.vault, made), call.now)


@routes.post(
    "/v1/messages/batch", scope=Scope.MESSAGES_SEND, status=202, example={"messages": [_SEND, _CODE]}, max_bytes=_BATCH_BYTES
)
def send_message_batch(call: Call, body: BatchRequest) -> MessageBatch:
    """Send many texts; the answer has a message or a problem for each, in their order."""
    rows = [_row(one) for one in body.messages]
    good = [row for row in rows if isinstance(row, MessageRequest)]
    sent = iter(_send(call, good))
    results = [next(sent) if isinstance(row, MessageRequest) else row for row in rows]
    ids = [result[0] for result in results if isinstance(result, tuple) and result[1] is None]
    with call.reading() as connection:
        found = messages.many(connection, call.tenant.vault, ids)
    return MessageBatch(items=[_item(result, found, call.now) for result in results])


def _send(call: Call, rows: Sequence[MessageRequest]) -> list[tuple[UUID, FieldInvalid | None]]:
    """What the engine made of each row: an id, or what is wrong with it."""
    from bellwire.engine.sending import SendRequest, send

    if not rows:
        return []
    wanted = [
        SendRequest(
            to=row.to,
            body=row.body,
            template=row.template,
            locale=row.locale or "",
            variables=row.variables or {},
            purpose=row.purpose,
            sender_id=row.sender_id or "",
            carrier=row.carrier or "",
            encoding=str(row.encoding),
            send_at=row.send_at,
            expires_in_s=row.expires_in,
            reference=row.reference or "",
            metadata=row.metadata or {},
        )
        for row in rows
    ]
    results = send(call.runtime.engine, call.key.tenant_id, wanted, author=call.actor, idempotency=call.idempotency)
    return [(UUID(int=0), result) if isinstance(result, FieldInvalid) else (result, None) for result in results]


def _row(given: Any) -> MessageRequest | Problem:
    """One row of a batch, read as strictly as a request of its own."""
    try:
        return MessageRequest.model_validate_json(json.dumps(given))
    except ValidationError as e:
        return problems.shown(problems.of_validation(e, MessageRequest).problem)


def _item(result: tuple[UUID, FieldInvalid | None] | Problem, found: Mapping[UUID, Stored], now: datetime) -> Message | Problem:
    if isinstance(result, Problem):
        return result
    message_id, invalid = result
    return problems.shown(problems.one_field(invalid)) if invalid is not None else show_message(found[message_id], now)
