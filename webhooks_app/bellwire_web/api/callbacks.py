"""Callbacks: signed events to a tenant's own URL (CloudEvents in Standard Webhooks headers)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from bellwire.domain.addresses import check_url
from bellwire.domain.scopes import Scope
from bellwire.ids import show
from bellwire.store import endpoints
from bellwire.store.endpoints import Endpoint
from bellwire.store.tenancy import TenantConnection
from pydantic import Field

from bellwire_web.calls import Call
from bellwire_web.fields import Answer, CallbackId, Model, Page, PageQuery, Time, Timestamp, next_cursor
from bellwire_web.operations import Routes

routes = Routes("callbacks", "Signed events to your own URL.")

CallbackType = StrEnum("CallbackType", {one.upper().replace(".", "_"): one for one in endpoints.TYPES})  # type: ignore[misc]  # made from the store's list
Url = Annotated[str, Field(min_length=1, max_length=2000, examples=["https://example.com/sms-events"])]
Types = Annotated[list[CallbackType], Field(min_length=1, max_length=len(endpoints.TYPES))]


class CallbackState(StrEnum):
    """A disabled one gets nothing; after days of failure it becomes so by itself."""

    ACTIVE = "active"
    DISABLED = "disabled"


class CallbackRequest(Model):
    """Where to send what."""

    url: Url
    types: Types


class CallbackChange(Model):
    """What to change."""

    url: Url | None = None
    types: Types | None = None
    status: CallbackState | None = None


class RedeliverRequest(Model):
    """What to send again."""

    since: Annotated[Timestamp, Field(description="What was made from then on.")]
    all: Annotated[bool, Field(description="Also what was delivered; only what failed, when false.")] = False


class Callback(Answer):
    """An endpoint, without its secret."""

    id: CallbackId
    url: str
    types: list[CallbackType]
    status: CallbackState
    failing_since: Time | None
    created_at: Time


class NewCallback(Callback):
    """An endpoint just made, with the secret that signs for it: it is not shown again."""

    secret: Annotated[str, Field(examples=["whsec_…"])]


class CallbackPage(Page[Callback]):
    """Endpoints, newest first."""


class Redelivery(Answer):
    """How much is sent again."""

    count: int


_EXAMPLE = {"url": "https://example.com/sms-events", "types": ["message.delivered", "message.failed", "reply.received"]}


@routes.post("/v1/callbacks", scope=Scope.CALLBACKS_WRITE, audit="callback.created", example=_EXAMPLE)
def create_callback(call: Call, body: CallbackRequest) -> NewCallback:
    """Send events to a URL from now on; the answer shows its secret once."""
    url = _checked(call, body.url)

    def make(connection: TenantConnection) -> NewCallback:
        made, secret = endpoints.create(
            connection, call.tenant.vault, url=url, types=[str(one) for one in body.types], actor=call.actor, now=call.now
        )
        return NewCallback(**dict(_shown(made)), secret=secret)

    return call.write(make)


@routes.get("/v1/callbacks", scope=Scope.CALLBACKS_READ)
def list_callbacks(call: Call, query: PageQuery) -> CallbackPage:
    """List endpoints."""
    with call.reading() as connection:
        found = endpoints.listed(connection, limit=query.limit, before=query.before)
    return CallbackPage(items=[_shown(one) for one in found.items], next=next_cursor(found.next))


@routes.get("/v1/callbacks/<cbk:callback_id>", scope=Scope.CALLBACKS_READ)
def get_callback(call: Call, callback_id: UUID) -> Callback:
    """Show an endpoint."""
    with call.reading() as connection:
        return _shown(endpoints.get(connection, callback_id))


@routes.patch(
    "/v1/callbacks/<cbk:callback_id>", scope=Scope.CALLBACKS_WRITE, audit="callback.changed", example={"status": "active"}
)
def change_callback(call: Call, callback_id: UUID, body: CallbackChange) -> Callback:
    """Change an endpoint; switching it on forgets its failures."""
    url = _checked(call, body.url) if body.url is not None else None
    types = [str(one) for one in body.types] if body.types is not None else None
    return call.write(
        lambda connection: _shown(
            endpoints.change(connection, callback_id, url=url, types=types, status=body.status, actor=call.actor, now=call.now)
        )
    )


@routes.delete("/v1/callbacks/<cbk:callback_id>", scope=Scope.CALLBACKS_WRITE, audit="callback.deleted")
def delete_callback(call: Call, callback_id: UUID) -> None:
    """Delete an endpoint and what waits for it."""
    call.write(lambda connection: endpoints.delete(connection, callback_id, actor=call.actor, now=call.now))


@routes.post(
    "/v1/callbacks/<cbk:callback_id>/redeliver",
    scope=Scope.CALLBACKS_WRITE,
    status=202,
    audit="callback.redelivered",
    example={"since": "2026-01-31T09:00:00Z"},
)
def redeliver_callbacks(call: Call, callback_id: UUID, body: RedeliverRequest) -> Redelivery:
    """Send again what failed since a time, or everything."""
    made = call.write(
        lambda connection: Redelivery(
            count=endpoints.redeliver(
                connection, callback_id, since=body.since, only_failed=not body.all, actor=call.actor, now=call.now
            )
        )
    )
    call.runtime.engine.wake_jobs()
    return made


def _checked(call: Call, url: str) -> str:
    return check_url(url, "url", allow_private=call.runtime.config.allow_private_addresses)


def _shown(endpoint: Endpoint) -> Callback:
    return Callback(
        id=show("cbk", endpoint.id),
        url=endpoint.url,
        types=[CallbackType(one) for one in endpoint.types],
        status=CallbackState(endpoint.status),
        failing_since=endpoint.failing_since,
        created_at=endpoint.created_at,
    )
