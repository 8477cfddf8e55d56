"""Installations: accounts at platforms. Nothing is called when one is made; `check` says whether it works."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from bellwire.domain.country_codes import country_code
from bellwire.domain.home_zones import check_zone
from bellwire.domain.scopes import Scope
from bellwire.errors import Conflict, FieldInvalid
from bellwire.ids import show
from bellwire.model import Connector
from bellwire.store import accounts, audit, installations
from bellwire.store.installations import Kept
from bellwire.store.tenancy import TenantConnection
from pydantic import Field, JsonValue

from bellwire_web.calls import Call
from bellwire_web.fields import Answer, Country, InstallationId, Locale, Model, Name, Page, PageQuery, Time, next_cursor
from bellwire_web.operations import Routes

routes = Routes("installations", "Accounts at platforms: where events come from and outcomes go back to.")

Values = Annotated[dict[str, JsonValue], Field(max_length=100)]


class InstallationState(StrEnum):
    """A disabled one answers its platform 410."""

    PENDING = "pending"
    ACTIVE = "active"
    DISABLED = "disabled"


class Switch(StrEnum):
    """What an account can be switched to."""

    ACTIVE = "active"
    DISABLED = "disabled"


class InstallationRequest(Model):
    """An account at a platform. Which credentials and settings: see the connector's page."""

    connector: Annotated[str, Field(max_length=64, examples=["shopify"])]
    name: Name
    credentials: Values = {}  # noqa: RUF012  # pydantic copies
    settings: Values = {}  # noqa: RUF012  # pydantic copies
    country: Annotated[Country | None, Field(description="By which numbers without + are read.")] = None
    locale: Locale | None = None
    timezone: Annotated[str | None, Field(max_length=64, examples=["Asia/Tashkent"])] = None


class InstallationChange(Model):
    """What to change. Credentials and settings are merged; null takes one out. A replaced secret stays valid for a day."""

    name: Name | None = None
    credentials: Values | None = None
    settings: Values | None = None
    status: Switch | None = None
    country: Country | None = None
    locale: Locale | None = None
    timezone: Annotated[str | None, Field(max_length=64)] = None


class Installation(Answer):
    """An installation, without its secrets."""

    id: InstallationId
    connector: str
    name: str
    key: Annotated[str, Field(description="What its URL ends in; whoever knows it can knock.")]
    webhook_url: Annotated[str | None, Field(description="Where the platform sends; null while PUBLIC_URL is not set.")]
    account_ref: Annotated[str, Field(description="The platform's name of the account.")]
    credentials: Annotated[dict[str, JsonValue], Field(description="Those that are no secret.")]
    credentials_set: Annotated[list[str], Field(description="The names of the others.")]
    settings: dict[str, JsonValue]
    status: InstallationState
    status_detail: str | None
    country: str | None
    locale: str | None
    timezone: str | None
    created_at: Time
    updated_at: Time


class Check(Answer):
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: Annotated[str, Field(description="What is wrong, and what to do.")]


class CheckReport(Answer):
    """Whether an account works."""

    ok: bool
    checks: list[Check]


class InstallationPage(Page[Installation]):
    """Installations, newest first."""


class InstallationQuery(PageQuery):
    """Which installations."""

    connector: Annotated[str | None, Field(max_length=64)] = None


_EXAMPLE = {
    "connector": "shopify",
    "name": "Main shop",
    "credentials": {"shop": "example.myshopify.com", "client_secret": "…", "access_token": "…"},
    "settings": {},
}


@routes.post("/v1/installations", scope=Scope.INSTALLATIONS_WRITE, audit="installation.created", example=_EXAMPLE)
def create_installation(call: Call, body: InstallationRequest) -> Installation:
    """Connect an account at a platform; the answer has the URL to give to it."""
    connector = connector_of(call, body.connector)
    places = _places(body)
    return call.write(
        lambda connection: show_installation(
            call,
            installations.create(
                connection,
                call.tenant.vault,
                connector,
                name=body.name,
                credentials=body.credentials,
                settings=body.settings,
                allow_private=call.runtime.config.allow_private_addresses,
                actor=call.actor,
                now=call.now,
                country=places["country"],
                locale=places["locale"],
                timezone=places["timezone"],
            ),
        )
    )


@routes.get("/v1/installations", scope=Scope.INSTALLATIONS_READ)
def list_installations(call: Call, query: InstallationQuery) -> InstallationPage:
    """List installations."""
    with call.reading() as connection:
        found = installations.listed(
            connection, call.tenant.vault, limit=query.limit, before=query.before, connector=query.connector
        )
    return InstallationPage(items=[show_installation(call, one) for one in found.items], next=next_cursor(found.next))


@routes.get("/v1/installations/<ins:installation_id>", scope=Scope.INSTALLATIONS_READ)
def get_installation(call: Call, installation_id: UUID) -> Installation:
    """Show an installation."""
    with call.reading() as connection:
        return show_installation(call, installations.get(connection, call.tenant.vault, installation_id))


@routes.patch(
    "/v1/installations/<ins:installation_id>",
    scope=Scope.INSTALLATIONS_WRITE,
    audit="installation.changed",
    example={"credentials": {"client_secret": "…"}, "settings": {"secret_overlap_s": 3600}},
)
def change_installation(call: Call, installation_id: UUID, body: InstallationChange) -> Installation:
    """Change an installation, replace a secret, switch it off or on."""
    with call.reading() as connection:
        stored = installations.get(connection, call.tenant.vault, installation_id)
    connector = connector_of(call, stored.connector)
    places = {name: value for name, value in _places(body).items() if name in body.model_fields_set}
    return call.write(
        lambda connection: show_installation(
            call,
            installations.change(
                connection,
                call.tenant.vault,
                connector,
                installation_id,
                name=body.name,
                credentials=body.credentials,
                settings=body.settings,
                status=body.status,
                places=places,
                allow_private=call.runtime.config.allow_private_addresses,
                actor=call.actor,
                now=call.now,
            ),
        )
    )


@routes.delete("/v1/installations/<ins:installation_id>", scope=Scope.INSTALLATIONS_WRITE, audit="installation.removed")
def delete_installation(call: Call, installation_id: UUID) -> None:
    """Disconnect: the URL answers 410, the credentials are gone; events and messages stay."""
    call.write(
        lambda connection: installations.remove(connection, call.tenant.vault, installation_id, actor=call.actor, now=call.now)
    )


@routes.post(
    "/v1/installations/<ins:installation_id>/check",
    scope=Scope.INSTALLATIONS_WRITE,
    status=200,
    audit="installation.checked",
    keeps_answer=False,
)
def check_installation(call: Call, installation_id: UUID) -> CheckReport:
    """Ask the platform whether the account works: credentials, rights, webhooks."""
    from bellwire.engine.checking import check_installation as ask

    found = ask(call.runtime.engine, call.key.tenant_id, installation_id)
    ok = all(one.ok for one in found)
    call.tenant.write(
        lambda connection: audit.note(
            connection, call.actor, "installation.checked", show("ins", installation_id), call.now, {"ok": ok}
        )
    )
    return CheckReport(ok=ok, checks=[Check(name=one.name, ok=one.ok, detail=one.detail) for one in found])


@routes.post(
    "/v1/installations/<ins:installation_id>/reconcile",
    scope=Scope.INSTALLATIONS_WRITE,
    status=202,
    audit="installation.reconcile_asked",
    problems=(409,),
)
def reconcile_installation(call: Call, installation_id: UUID) -> Installation:
    """Fetch what the platform has and we were not told, now and not when it is due."""
    from bellwire.store import links

    def ask(connection: TenantConnection) -> Installation:
        kept = installations.get(connection, call.tenant.vault, installation_id)
        if not links.ask_for_reconcile(connection.bare, connection.tenant_id, installation_id, call.now):
            raise Conflict("not_active", f"the installation is {kept.status}; switch it on first")
        audit.note(connection, call.actor, "installation.reconcile_asked", show("ins", installation_id), call.now)
        return show_installation(call, kept)

    made = call.write(ask)
    call.runtime.engine.wake_jobs()
    return made


def connector_of(call: Call, name: str) -> Connector:
    """An installed connector. Raises FieldInvalid."""
    connectors = call.runtime.plugins.connectors
    if name not in connectors:
        known = ", ".join(sorted(connectors)) or "none"
        raise FieldInvalid("connector", f"is not installed; there are {known}", "unknown_connector")
    return connectors[name]


def _places(body: InstallationRequest | InstallationChange) -> dict[str, str]:
    return {
        "country": country_code(body.country, "country") if body.country else "",
        "locale": body.locale or "",
        "timezone": check_zone(body.timezone) if body.timezone else "",
    }


def show_installation(call: Call, kept: Kept) -> Installation:
    """An installation as it is answered: no secret, ever."""
    connector = call.runtime.plugins.connectors.get(kept.connector)
    fields = connector.fields if connector else ()
    settings = _plain(kept.settings, connector.settings if connector else ())
    public_url = call.runtime.config.public_url
    return Installation(
        id=show("ins", kept.id),
        connector=kept.connector,
        name=kept.name,
        key=kept.key,
        webhook_url=f"{public_url}/hooks/{kept.connector}/{kept.key}" if public_url else None,
        account_ref=kept.account_ref,
        credentials=accounts.visible(kept.credentials, fields),
        credentials_set=accounts.hidden(kept.credentials, fields),
        settings=settings,
        status=InstallationState(kept.status),
        status_detail=kept.status_detail or None,
        country=kept.country or None,
        locale=kept.locale or None,
        timezone=kept.timezone or None,
        created_at=kept.created_at,
        updated_at=kept.updated_at,
    )


def _plain(settings: Any, fields: Any) -> dict[str, Any]:
    """The settings without those that their plugin declares to be secret."""
    secret = {field.name for field in fields if field.secret}
    return {name: value for name, value in settings.items() if name not in secret}
