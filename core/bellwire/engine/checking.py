"""Asks the other side whether an account works: a platform's own checks, a carrier's log-in. What is wrong there is an answer."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import requests

from bellwire.engine.http import Session
from bellwire.engine.links import open_link
from bellwire.engine.runtime import Engine
from bellwire.errors import BellwireError, PlatformError
from bellwire.model import CarrierAccount, CheckResult, HttpAnswer
from bellwire.store import carrier_accounts
from bellwire.store.tenancy import TenantConnection

BODY_MAX = 64 * 1024


def check_installation(engine: Engine, tenant_id: UUID, installation_id: UUID) -> Sequence[CheckResult]:
    """What a platform says of an installation. Raises NotFound."""
    link = open_link(engine, tenant_id, installation_id)
    name = link.installation.connector
    connector = engine.plugins.connectors.get(name)
    if connector is None:
        return [CheckResult(name="connector", ok=False, detail=f"{name} is not installed here any more")]
    found = []
    if not link.installation.webhook_url:
        found.append(CheckResult(name="public_url", ok=False, detail="PUBLIC_URL is not set: the platform can't reach us"))
    if connector.check is None:
        return [*found, CheckResult(name="connector", ok=True, detail=f"{name} has nothing to ask")]
    try:
        return [*found, *connector.check(link)]
    except (PlatformError, requests.RequestException) as e:
        return [*found, CheckResult(name="reachable", ok=False, detail=_plain(e))]


def check_account(engine: Engine, tenant_id: UUID, account_id: UUID) -> Sequence[CheckResult]:
    """What a carrier says of an account. Raises NotFound."""
    with engine.store.for_tenant(tenant_id).reading() as connection:
        account = _account(engine, connection, account_id)
    carrier = engine.plugins.carriers.get(account.carrier)
    if carrier is None:
        return [CheckResult(name="carrier", ok=False, detail=f"{account.carrier} is not installed here any more")]
    found = []
    if not engine.public_url and (carrier.read_dlrs or carrier.read_replies):
        found.append(CheckResult(name="public_url", ok=False, detail="PUBLIC_URL is not set: receipts and replies can't reach us"))
    if carrier.check is None or carrier.checked is None:
        return [*found, CheckResult(name="carrier", ok=True, detail=f"{account.carrier} has nothing to ask")]
    try:
        call = carrier.check(account)
        with engine.http.session() as session:
            answer = _answer(session, call.method, call.url, dict(call.headers), call.body)
    except (requests.RequestException, BellwireError) as e:
        return [*found, CheckResult(name="reachable", ok=False, detail=_plain(e))]
    wrong = carrier.checked(answer)
    return [*found, CheckResult(name="credentials", ok=not wrong, detail=wrong)]


def _account(engine: Engine, connection: TenantConnection, account_id: UUID) -> CarrierAccount:
    kept = carrier_accounts.get(connection, engine.vault, account_id)
    return CarrierAccount(
        id=kept.id,
        tenant_id=connection.tenant_id,
        carrier=kept.carrier,
        name=kept.name,
        credentials=kept.credentials,
        settings=kept.settings,
    )


def _answer(session: Session, method: str, url: str, headers: dict[str, str], body: bytes) -> HttpAnswer:
    response = session.request(method, url, headers=headers, data=body or None)
    return HttpAnswer(
        status=response.status_code,
        headers={name.lower(): value for name, value in response.headers.items()},
        body=response.content[:BODY_MAX],
    )


def _plain(error: Exception) -> str:
    """What went wrong, without addresses and credentials that a library's words may hold."""
    return str(error) if isinstance(error, BellwireError) else f"no answer ({type(error).__name__})"
