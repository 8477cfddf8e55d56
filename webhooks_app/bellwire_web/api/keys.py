"""API keys: made by an admin key, shown once."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from bellwire.domain.scopes import Scope
from bellwire.errors import FieldInvalid
from bellwire.ids import show
from bellwire.store import keys
from bellwire.store.keys import ApiKey
from bellwire.store.tenancy import TenantConnection
from pydantic import Field

from bellwire_web.calls import Call
from bellwire_web.fields import Answer, KeyId, Model, Name, Page, PageQuery, Time, Timestamp, next_cursor
from bellwire_web.operations import Routes

routes = Routes("keys", "Keys of the API, each with its scopes.")


class KeyRequest(Model):
    """A new key."""

    name: Name
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))]
    expires_at: Timestamp | None = None


class KeyChange(Model):
    """Another name for a key; its scopes are fixed when it is made."""

    name: Name


class Key(Answer):
    """A key without its secret."""

    id: KeyId
    name: str
    prefix: Annotated[str, Field(description="What stands between bw_ and the secret.", examples=["1a2b3c4d"])]
    scopes: list[Scope]
    created_at: Time
    expires_at: Time | None
    last_used_at: Annotated[Time | None, Field(description="To the minute.")]
    revoked_at: Time | None


class NewKey(Key):
    """A key just made, with its secret: it is not shown again."""

    key: Annotated[str, Field(description="The key itself, this once.")]


class KeyPage(Page[Key]):
    """Keys, newest first."""


_EXAMPLE = {"name": "checkout service", "scopes": ["messages:send", "messages:read"]}


@routes.post("/v1/keys", scope=Scope.ADMIN, audit="key.created", example=_EXAMPLE)
def create_key(call: Call, body: KeyRequest) -> NewKey:
    """Make a key; the answer shows it once."""
    if body.expires_at is not None and body.expires_at <= call.now:
        raise FieldInvalid("expires_at", "must be in the future", "out_of_range")

    def make(connection: TenantConnection) -> NewKey:
        made, secret = keys.create(
            connection,
            name=body.name,
            scopes=frozenset(body.scopes),
            expires_at=body.expires_at,
            actor=call.actor,
            now=call.now,
        )
        return NewKey(**_key(made).model_dump(), key=secret)

    return call.write(make)


@routes.get("/v1/keys", scope=Scope.ADMIN)
def list_keys(call: Call, query: PageQuery) -> KeyPage:
    """List keys, revoked ones too."""
    with call.reading() as connection:
        found = keys.listed(connection, limit=query.limit, before=query.before)
    return KeyPage(items=[_key(key) for key in found.items], next=next_cursor(found.next))


@routes.get("/v1/keys/<key:key_id>", scope=Scope.ADMIN)
def get_key(call: Call, key_id: UUID) -> Key:
    """Show a key."""
    with call.reading() as connection:
        return _key(keys.get(connection, key_id))


@routes.patch("/v1/keys/<key:key_id>", scope=Scope.ADMIN, audit="key.changed", example={"name": "old checkout"})
def change_key(call: Call, key_id: UUID, body: KeyChange) -> Key:
    """Rename a key."""
    return call.write(lambda connection: _key(keys.rename(connection, key_id, name=body.name, actor=call.actor, now=call.now)))


@routes.delete("/v1/keys/<key:key_id>", scope=Scope.ADMIN, audit="key.revoked", problems=(409,))
def revoke_key(call: Call, key_id: UUID) -> None:
    """Revoke a key; it is refused within a second. The last admin key can't be revoked."""
    call.write(lambda connection: keys.revoke(connection, key_id, actor=call.actor, now=call.now))
    call.authenticator.forget(key_id)


def _key(key: ApiKey) -> Key:
    return Key(
        id=show("key", key.id),
        name=key.name,
        prefix=key.prefix,
        scopes=sorted(Scope(one) for one in key.scopes),
        created_at=key.created_at,
        expires_at=key.expires_at,
        last_used_at=key.last_used_at,
        revoked_at=key.revoked_at,
    )
