"""Installing in the browser: whose app a request is for, where the browser goes, and what its return brings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain.addresses import check_url
from bellwire.engine.links import EngineLink
from bellwire.engine.runtime import Engine
from bellwire.errors import BellwireError, Conflict, FieldInvalid, NotFound, PlatformError, PluginBroken, SignatureMismatch
from bellwire.ids import show
from bellwire.logs import logger
from bellwire.model import Connector, Installation, WebhookRequest
from bellwire.store import installs, links, tenants
from bellwire.store.database import reading
from bellwire.store.installations import DISABLED, REMOVED
from bellwire.store.types import AnyRow

log = logger(__name__)

_OFF = "this account is switched off here; whoever runs Bellwire can switch it on"


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """Where the browser goes. `app`: the installation whose app is installed; `account_ref`: the account it must come back for."""

    redirect: str
    app: UUID
    account_ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What is installed now. `is_new`: the account was not here before; `notes`: sentences for whoever installed it."""

    installation: UUID
    account_ref: str
    name: str
    tenant: str
    is_new: bool
    notes: Sequence[str]


def begin(
    engine: Engine, connector: Connector, request: WebhookRequest, *, installation_id: UUID | None, redirect_uri: str, state: str
) -> Begun:
    """Find the app that a request is for. `installation_id`: named by an admin; otherwise the account in the query counts, and then
    the app whose secret signed it.

    Raises NotFound, SignatureMismatch, PayloadInvalid, PlatformError, Conflict (switched off), StoreUnavailable.
    """
    if connector.begin_install is None:
        raise NotFound("install", connector.name)
    with reading(engine.store.engine) as connection:
        rows = _candidates(connection, connector, request, installation_id)
    refused: list[BellwireError] = []
    for row in rows:
        app = engine.configs.reader.installation(row, engine.now()).value
        try:
            start = connector.begin_install(request, app, redirect_uri, state)
        except (SignatureMismatch, PlatformError) as e:
            refused.append(e)
            continue
        if row.status == DISABLED:
            raise Conflict("installation_disabled", _OFF)
        _check_redirect(start.redirect, app, start.account_ref, allow_private=engine.config.allow_private_addresses)
        return Begun(redirect=start.redirect, app=row.id, account_ref=start.account_ref)
    if not refused:
        raise NotFound("installation", f"of {connector.name}")
    raise next((e for e in refused if isinstance(e, PlatformError)), refused[0])


def _candidates(
    connection: sa.Connection, connector: Connector, request: WebhookRequest, installation_id: UUID | None
) -> Sequence[AnyRow]:
    if installation_id is not None:
        row = links.read(connection, installation_id)
        if row is None or row.connector != connector.name or row.status == REMOVED:
            raise NotFound("installation", show("ins", installation_id))
        return [row]
    account = dict(request.query).get(connector.account_field, "")
    own = installs.of_account(connection, connector.name, account) if account else []
    known = {row.id for row in own}
    return [*own, *(row for row in installs.first_of_apps(connection, connector.name) if row.id not in known)]


def _check_redirect(url: str, app: Installation, account_ref: str, *, allow_private: bool) -> None:
    """The browser goes to the platform and nowhere else: to `settings.base_url`, or to the account's own host where it has one.

    Raises PluginBroken: the connector made this URL.
    """
    try:
        check_url(url, "redirect", allow_private=allow_private)
    except FieldInvalid as e:
        raise PluginBroken(f"{app.connector}: the install page is not on the platform") from e
    base = str(app.settings.get("base_url") or "")
    where = urlsplit(url)
    if base:
        told = urlsplit(base)
        good = (where.scheme, where.netloc) == (told.scheme, told.netloc)
    else:
        good = "." not in account_ref or where.netloc == account_ref
    if not good:
        raise PluginBroken(f"{app.connector}: the install page is not on the platform")


def finish(engine: Engine, connector: Connector, request: WebhookRequest, *, app: UUID, account_ref: str, state: str) -> Finished:
    """Take what the browser brought back, once; stores the account with its credentials and has its webhooks subscribed soon.

    Raises SignatureMismatch (also for a state that was used), PayloadInvalid, PlatformError, NotFound, Conflict, StoreUnavailable.
    """
    if connector.finish_install is None:
        raise NotFound("install", connector.name)
    with reading(engine.store.engine) as connection:
        row = links.read(connection, app)
    if row is None or row.connector != connector.name:
        raise NotFound("installation", show("ins", app))
    if row.status == DISABLED:
        raise Conflict("installation_disabled", _OFF)
    if not engine.write(lambda connection: installs.spend(connection, state, app, engine.now())):
        raise SignatureMismatch(f"{connector.name} install: this return was used before")
    home = engine.configs.reader.installation(row, engine.now()).value
    installed = connector.finish_install(request, home, state, EngineLink(engine, home))
    if account_ref and installed.account_ref != account_ref:
        raise SignatureMismatch(f"{connector.name} install: it came back for another account than it began with")
    store = engine.store.for_tenant(row.tenant_id)
    kept, is_new = store.write(
        lambda connection: installs.keep(
            connection,
            engine.vault,
            connector,
            installed,
            app=app,
            allow_private=engine.config.allow_private_addresses,
            now=engine.now(),
        )
    )
    engine.wake_jobs()
    with store.reading() as scoped:
        tenant = tenants.get(scoped)
    log.info("install.finished", connector=connector.name, installation=show("ins", kept.id), outcome="new" if is_new else "again")
    return Finished(
        installation=kept.id,
        account_ref=kept.account_ref,
        name=str(kept.settings.get("shop_name") or kept.name),
        tenant=tenant.name,
        is_new=is_new,
        notes=tuple(installed.notes),
    )
