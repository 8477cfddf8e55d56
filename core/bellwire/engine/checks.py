"""An installation's check: what a person should know of it, told at once, also when the other side can't be reached."""

from __future__ import annotations

import logging
import threading
from uuid import UUID

import requests

from bellwire.engine.links import EngineLink, link_to
from bellwire.engine.runtime import Engine
from bellwire.errors import NotFound, PlatformError, StoreError
from bellwire.ids import show
from bellwire.masking import mask, name
from bellwire.model import CheckResult, Connector
from bellwire.store import links
from bellwire.store.database import reading

log = logging.getLogger(__name__)

WAIT_S = 20.0  # a request is being answered meanwhile


def check(engine: Engine, tenant_id: UUID, installation_id: UUID, *, wait_s: float = WAIT_S) -> list[CheckResult]:
    """Look at an installation and ask its platform, at most `wait_s` seconds. Raises NotFound, StoreUnavailable; nothing else.

    When all is well, what was said of it before is taken back, and waiting write-backs are tried at once.
    """
    with reading(engine.store.engine) as connection:
        row = links.read(connection, installation_id)
    if row is None or row.tenant_id != tenant_id or row.status == "removed":
        raise NotFound("installation", show("ins", installation_id))
    installation = engine.configs.reader.installation(row, engine.now()).value
    told = [
        CheckResult(name="status", ok=row.status == "active", detail="" if row.status == "active" else f"it is {row.status}"),
        CheckResult(
            name="public_url",
            ok=bool(installation.webhook_url),
            detail="" if installation.webhook_url else "PUBLIC_URL is not set: the platform can't reach us",
        ),
    ]
    connector = engine.plugins.connectors.get(installation.connector)
    if connector is None:
        return [
            *told,
            CheckResult(name="connector", ok=False, detail=f"{installation.connector} is not loaded; see `bellwire plugins`"),
        ]
    found = _asked(connector, link_to(engine, installation), wait_s)
    if found and all(one.ok for one in found):
        engine.write(lambda connection: links.mended(connection, installation_id, engine.now()))
        engine.wake_jobs()
    elif row.status_detail:
        told.append(CheckResult(name="last_error", ok=False, detail=row.status_detail))
    return [*told, *found]


def _asked(connector: Connector, link: EngineLink, wait_s: float) -> list[CheckResult]:
    """What the connector says; one line more when it can't."""
    if connector.check is None:
        return []
    ask, found = connector.check, list[CheckResult]()

    def run() -> None:
        try:
            found.extend(ask(link))
        except PlatformError as e:
            found.append(CheckResult(name="platform", ok=False, detail=mask(str(e))))
        except requests.RequestException as e:
            found.append(CheckResult(name="platform", ok=False, detail=f"no answer ({type(e).__name__}); is base_url right?"))
        except StoreError as e:
            found.append(CheckResult(name="platform", ok=False, detail=str(e)))
        except Exception as e:
            log.exception("a connector broke", extra={"job": "check"})
            found.append(CheckResult(name="platform", ok=False, detail=f"the connector broke ({name(e)})"))

    thread = threading.Thread(target=run, name="check", daemon=True)
    thread.start()
    thread.join(wait_s)
    if thread.is_alive():
        return [CheckResult(name="platform", ok=False, detail=f"no answer within {wait_s:g} s")]
    return found
