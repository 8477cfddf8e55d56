"""Carrier accounts: where texts leave from. Nothing is called when one is made; `check` says whether it works."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from bellwire.domain.scopes import Scope
from bellwire.errors import FieldInvalid
from bellwire.ids import show
from bellwire.model import Capability, Carrier
from bellwire.store import accounts, audit, carrier_accounts
from bellwire.store.carrier_accounts import Kept
from pydantic import Field, JsonValue

from bellwire_web.api.installations import Check, CheckReport, Values
from bellwire_web.calls import Call
from bellwire_web.fields import AccountId, Answer, Model, Name, Page, PageQuery, Time, next_cursor
from bellwire_web.operations import Routes

routes = Routes("carriers", "Accounts at SMS carriers: where texts leave from.")


class AccountState(StrEnum):
    """A paused one keeps its messages waiting; a disabled one gets none, and they go elsewhere."""

    ACTIVE = "active"
    PAUSED = "paused"
    DISABLED = "disabled"


class CarrierAccountRequest(Model):
    """An account at a carrier. Which credentials and settings: see the carrier's page; `rate`, `prices` and the like go for all."""

    carrier: Annotated[str, Field(max_length=64, examples=["twilio"])]
    name: Name
    credentials: Values = {}  # noqa: RUF012  # pydantic copies
    settings: Values = {}  # noqa: RUF012  # pydantic copies


class CarrierAccountChange(Model):
    """What to change. Credentials and settings are merged; null takes one out. A replaced secret stays valid for a day."""

    name: Name | None = None
    credentials: Values | None = None
    settings: Values | None = None
    status: AccountState | None = None


class CarrierAccount(Answer):
    """A carrier account, without its secrets."""

    id: AccountId
    carrier: str
    name: str
    key: Annotated[str, Field(description="What its URLs hold; whoever knows it can knock.")]
    dlr_url: Annotated[str | None, Field(description="For delivery receipts; null while PUBLIC_URL is not set or there are none.")]
    mo_url: Annotated[str | None, Field(description="For replies; null while PUBLIC_URL is not set or there are none.")]
    credentials: Annotated[dict[str, JsonValue], Field(description="Those that are no secret.")]
    credentials_set: Annotated[list[str], Field(description="The names of the others.")]
    settings: dict[str, JsonValue]
    capabilities: list[Capability]
    status: AccountState
    status_detail: str | None
    created_at: Time
    updated_at: Time


class CarrierAccountPage(Page[CarrierAccount]):
    """Carrier accounts, newest first."""


class CarrierAccountQuery(PageQuery):
    """Which accounts."""

    carrier: Annotated[str | None, Field(max_length=64)] = None


_EXAMPLE = {
    "carrier": "twilio",
    "name": "Main account",
    "credentials": {"account_sid": "AC00000000000000000000000000000000", "auth_token": "…"},
    "settings": {"sender_id": "+15550100000", "rate": 50, "prices": {"default": "0.05"}, "currency": "USD"},
}


@routes.post("/v1/carrier-accounts", scope=Scope.CARRIERS_WRITE, audit="carrier_account.created", example=_EXAMPLE)
def create_carrier_account(call: Call, body: CarrierAccountRequest) -> CarrierAccount:
    """Connect an account at a carrier; the answer has the URLs for its receipts and replies."""
    carrier = carrier_of(call, body.carrier)
    return call.write(
        lambda connection: show_account(
            call,
            carrier_accounts.create(
                connection,
                call.tenant.vault,
                carrier,
                name=body.name,
                credentials=body.credentials,
                settings=body.settings,
                allow_private=call.runtime.config.allow_private_addresses,
                actor=call.actor,
                now=call.now,
            ),
        )
    )


@routes.get("/v1/carrier-accounts", scope=Scope.CARRIERS_READ)
def list_carrier_accounts(call: Call, query: CarrierAccountQuery) -> CarrierAccountPage:
    """List carrier accounts."""
    with call.reading() as connection:
        found = carrier_accounts.listed(
            connection, call.tenant.vault, limit=query.limit, before=query.before, carrier=query.carrier
        )
    return CarrierAccountPage(items=[show_account(call, one) for one in found.items], next=next_cursor(found.next))


@routes.get("/v1/carrier-accounts/<acc:account_id>", scope=Scope.CARRIERS_READ)
def get_carrier_account(call: Call, account_id: UUID) -> CarrierAccount:
    """Show a carrier account."""
    with call.reading() as connection:
        return show_account(call, carrier_accounts.get(connection, call.tenant.vault, account_id))


@routes.patch(
    "/v1/carrier-accounts/<acc:account_id>",
    scope=Scope.CARRIERS_WRITE,
    audit="carrier_account.changed",
    example={"settings": {"rate": 10}, "status": "paused"},
)
def change_carrier_account(call: Call, account_id: UUID, body: CarrierAccountChange) -> CarrierAccount:
    """Change an account, replace a secret, pause it or switch it off."""
    with call.reading() as connection:
        stored = carrier_accounts.get(connection, call.tenant.vault, account_id)
    carrier = carrier_of(call, stored.carrier)
    return call.write(
        lambda connection: show_account(
            call,
            carrier_accounts.change(
                connection,
                call.tenant.vault,
                carrier,
                account_id,
                name=body.name,
                credentials=body.credentials,
                settings=body.settings,
                status=body.status,
                allow_private=call.runtime.config.allow_private_addresses,
                actor=call.actor,
                now=call.now,
            ),
        )
    )


@routes.delete(
    "/v1/carrier-accounts/<acc:account_id>", scope=Scope.CARRIERS_WRITE, audit="carrier_account.removed", problems=(409,)
)
def delete_carrier_account(call: Call, account_id: UUID) -> None:
    """Disconnect: nothing more is given to it, its credentials are gone; its messages stay."""
    call.write(
        lambda connection: carrier_accounts.remove(connection, call.tenant.vault, account_id, actor=call.actor, now=call.now)
    )


@routes.post(
    "/v1/carrier-accounts/<acc:account_id>/check",
    scope=Scope.CARRIERS_WRITE,
    status=200,
    audit="carrier_account.checked",
    keeps_answer=False,
)
def check_carrier_account(call: Call, account_id: UUID) -> CheckReport:
    """Ask the carrier whether the account works."""
    from bellwire.engine.checking import check_account

    found = check_account(call.runtime.engine, call.key.tenant_id, account_id)
    ok = all(one.ok for one in found)
    call.tenant.write(
        lambda connection: audit.note(
            connection, call.actor, "carrier_account.checked", show("acc", account_id), call.now, {"ok": ok}
        )
    )
    return CheckReport(ok=ok, checks=[Check(name=one.name, ok=one.ok, detail=one.detail) for one in found])


def carrier_of(call: Call, name: str) -> Carrier:
    """An installed carrier. Raises FieldInvalid."""
    carriers = call.runtime.plugins.carriers
    if name not in carriers:
        known = ", ".join(sorted(carriers)) or "none"
        raise FieldInvalid("carrier", f"is not installed; there are {known}", "unknown_carrier")
    return carriers[name]


def show_account(call: Call, kept: Kept) -> CarrierAccount:
    """An account as it is answered: no secret, ever."""
    carrier = call.runtime.plugins.carriers.get(kept.carrier)
    fields = carrier.fields if carrier else ()
    secret = {field.name for field in (carrier.settings if carrier else ()) if field.secret}
    public_url = call.runtime.config.public_url
    receipts = bool(public_url and carrier and carrier.read_dlrs)
    replies = bool(public_url and carrier and carrier.read_replies)
    return CarrierAccount(
        id=show("acc", kept.id),
        carrier=kept.carrier,
        name=kept.name,
        key=kept.key,
        dlr_url=f"{public_url}/dlr/{kept.carrier}/{kept.key}" if receipts else None,
        mo_url=f"{public_url}/mo/{kept.carrier}/{kept.key}" if replies else None,
        credentials=accounts.visible(kept.credentials, fields),
        credentials_set=accounts.hidden(kept.credentials, fields),
        settings={name: value for name, value in kept.settings.items() if name not in secret},
        capabilities=sorted(carrier.capabilities) if carrier else [],
        status=AccountState(kept.status),
        status_detail=kept.status_detail or None,
        created_at=kept.created_at,
        updated_at=kept.updated_at,
    )
