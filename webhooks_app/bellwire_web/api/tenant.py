"""The tenant that a key belongs to: its place, its language, its rules."""

from __future__ import annotations

from typing import Annotated, Any

from bellwire.domain import tenant_settings
from bellwire.domain.scopes import Scope
from bellwire.ids import show
from bellwire.store import tenants
from bellwire.store.tenants import Tenant as Stored
from pydantic import Field, JsonValue

from bellwire_web.calls import Call
from bellwire_web.fields import Answer, Country, Locale, Model, Name, TenantId, Time
from bellwire_web.operations import Routes

routes = Routes("tenant", "Who you are here: place, language, rules that hold for all texts.")


class TenantChange(Model):
    """What to change. Settings are merged; null takes one out."""

    name: Name | None = None
    country: Annotated[Country | None, Field(description="By which numbers without + are read.")] = None
    locale: Annotated[Locale | None, Field(description="The language when nobody says another.")] = None
    timezone: Annotated[str | None, Field(max_length=64, examples=["Asia/Tashkent"])] = None
    settings: Annotated[
        dict[str, JsonValue] | None,
        Field(max_length=50, description="consent, quiet_hours, countries, links, currency, expires_in."),
    ] = None


class Tenant(Answer):
    """A tenant."""

    id: TenantId
    slug: str
    name: str
    country: str
    locale: str
    timezone: str
    settings: dict[str, JsonValue]
    created_at: Time


@routes.get("/v1/tenant", scope=Scope.ADMIN)
def get_tenant(call: Call) -> Tenant:
    """Show your tenant."""
    with call.reading() as connection:
        return _shown(tenants.get(connection))


@routes.patch(
    "/v1/tenant",
    scope=Scope.ADMIN,
    audit="tenant.changed",
    example={"settings": {"countries": ["UZ", "KZ"], "consent": {"transactional": "explicit"}}},
)
def change_tenant(call: Call, body: TenantChange) -> Tenant:
    """Change your tenant; what is decided from then on goes by it."""
    changes: dict[str, Any] = body.model_dump(exclude_unset=True, exclude_none=True, exclude={"settings"})
    if body.settings is not None:
        changes["settings"] = tenant_settings.check(body.settings)
    return call.write(lambda connection: _shown(tenants.change(connection, changes, actor=call.actor, now=call.now)))


def _shown(stored: Stored) -> Tenant:
    return Tenant(
        id=show("ten", stored.id),
        slug=stored.slug,
        name=stored.name,
        country=stored.country,
        locale=stored.locale,
        timezone=stored.timezone,
        settings=dict(stored.settings),
        created_at=stored.created_at,
    )
