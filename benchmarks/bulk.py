"""100 events in one POST, each making a text: Salesforce's notifications, HubSpot's changes: python benchmarks/bulk.py

A real server process on one side, one POST after another on the other. HubSpot tells ids only: its contacts are read from a
stand-in afterwards, and how long until their texts are stored is a figure of its own. COUNT (POSTs of each kind) and DATABASES
change the size.
"""

from __future__ import annotations

import asyncio
import copy
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any

import rig
import sqlalchemy as sa
from accept import post, raw_requests, serving
from bellwire.model import Installation, Purpose, WebhookRequest
from bellwire.store import installations, schema, templates, tenants, triggers
from bellwire.store.tenancy import TenantConnection

EVENTS = 100
COUNT = int(os.environ.get("COUNT", "200"))
PEOPLE = 5_000  # in the first fifty POSTs everybody is new, later everybody is known
WARM = 20
TEXT = "Hi {{ %s.first_name }}, thank you for your interest in {{ shop.name }}. Answer this text to reach us."
PHONE = "07700 900123"  # of Salesforce's sample


def main() -> None:
    for database in rig.DATABASES:
        with contacts_api() as api, rig.site(database) as site:
            made = furnish(site, api)
            with serving(site, "durable") as port:
                took, _ = measured(port, site, made["salesforce"], notifications)
                report(f"{database}: {EVENTS} Salesforce notifications in one POST", took)
                took, stored = measured(port, site, made["hubspot"], partial(changes, site, made["hubspot"]))
                report(f"{database}: {EVENTS} HubSpot events in one POST", took)
                rig.report(f"{database}: until HubSpot's texts are stored, p50", [percentile(stored, 0.5)], "ms")


def report(name: str, took: Sequence[float]) -> None:
    rig.report(f"{name}, p50", [percentile(took, 0.5)], "ms")
    rig.report(f"{name}, p99", [percentile(took, 0.99)], "ms", "<= 250")


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def measured(
    port: int, site: rig.Site, installation: Installation, make: Callable[[int], WebhookRequest]
) -> tuple[list[float], list[float]]:
    """Milliseconds of each POST until its answer, and until the texts of its events are stored; the first ones only warm up."""
    path, texts = installation.webhook_url.removeprefix(site.environ["BELLWIRE_PUBLIC_URL"]), stored_texts(site)

    async def run() -> list[tuple[float, float]]:
        pair, times = await asyncio.open_connection("127.0.0.1", port), []
        for place in range(WARM + COUNT):
            [raw] = raw_requests(port, path, [make(place)])  # made now: a signature holds for minutes only
            wanted, began = texts() + EVENTS, time.perf_counter()
            await post(*pair, raw)
            answered = time.perf_counter()
            while texts() < wanted:
                if time.perf_counter() > answered + 30:
                    raise RuntimeError("the texts of a POST are not there after 30 s")
                await asyncio.sleep(0.005)  # to look is work for the same database
            times.append(((answered - began) * 1000, (time.perf_counter() - began) * 1000))
        pair[1].close()
        return times[WARM:]

    times = asyncio.run(run())
    return [answered for answered, _ in times], [stored for _, stored in times]


def stored_texts(site: rig.Site) -> Callable[[], int]:
    """Counts the texts that are stored."""
    statement = sa.select(sa.func.count()).select_from(schema.messages)

    def count() -> int:
        with site.engine.store.engine.connect() as connection:
            return int(connection.execute(statement).scalar() or 0)

    return count


def furnish(site: rig.Site, api: str) -> dict[str, Installation]:
    """An organization and a portal, each with a trigger that waits for a day: no carrier is part of the figure."""
    store, plugins, now = site.engine.store, site.engine.plugins, datetime.now(UTC)
    secrets = {"hubspot": {"client_id": "bench", "client_secret": "bench-secret", "access_token": "bench-token"}}
    settings = {"hubspot": {"base_url": api}}

    def make(connection: sa.Connection) -> None:
        scoped = TenantConnection(connection, site.tenant_id)
        common = {"allow_private": True, "actor": "bench", "now": now}
        for name, event in (("salesforce", "lead.created"), ("hubspot", "contact.created")):
            given = sample(name, "_installation")
            installations.create(
                scoped,
                store.vault,
                plugins.connectors[name],
                name=name,
                credentials=given["credentials"] | secrets.get(name, {}),
                settings=given["settings"] | settings.get(name, {}),
                **common,
            )
            bodies = {"en": TEXT % event.partition(".")[0]}
            templates.create(scoped, name=name, purpose=Purpose.TRANSACTIONAL, bodies=bodies, options={}, actor="bench", now=now)
            templates.approve(scoped, name, 1, actor="bench", now=now)
            definition = {"all": [], "any": [], "template": name, "recipient": "customer", "purpose": "transactional"}
            draft = triggers.Draft(
                name=name,
                connector=name,
                installation_id=None,
                event=event,
                definition=definition | {"delay_s": 86_400},
                state="on",
            )
            triggers.create(scoped, draft, actor="bench", now=now)
        tenants.bump(scoped)

    store.write(make, wait_s=10)
    with store.engine.connect() as connection:
        held = site.engine.configs.get(connection, site.tenant_id, now)
    if held is None:
        raise RuntimeError("the bench tenant is not there")
    return {one.value.connector: one.value for one in held.config.installations.values()}


def sample(connector: str, name: str) -> dict[str, Any]:
    found = resources.files(f"bellwire_connectors.{connector}").joinpath(f"samples/{name}.json").read_text("utf-8")
    return dict(json.loads(found))


def phone(number: int) -> str:
    return f"+1202{2_000_000 + number % PEOPLE:07d}"


def notifications(place: int) -> WebhookRequest:
    """An outbound message that tells of so many new leads."""
    given = sample("salesforce", "lead_created")
    head, _, rest = given["body"].partition("<Notification>")
    one, _, tail = rest.partition("</Notification>")
    leads = "".join(
        "<Notification>"
        + one.replace("04lxx0000000000AAA", f"04lxx{number:010d}")
        .replace("00Qxx0000001LdAEAU", f"00Qxx{number:010d}")
        # the state of each record is its own
        .replace(PHONE, phone(number))
        .replace(">Lee<", f">Lee {number}<")
        + "</Notification>"
        for number in range(place * EVENTS, (place + 1) * EVENTS)
    )
    return WebhookRequest(headers=lower(given["headers"]), body=f"{head}{leads}{tail}".encode(), received_at=datetime.now(UTC))


def changes(site: rig.Site, installation: Installation, place: int) -> WebhookRequest:
    """A signed batch that tells of so many new contacts."""
    given, now = sample("hubspot", "contact_created"), datetime.now(UTC)
    batch = []
    for number in range(place * EVENTS, (place + 1) * EVENTS):
        change = copy.deepcopy(given["body"][0])
        change |= {"eventId": 10**6 + number, "objectId": 10**7 + number, "occurredAt": int(now.timestamp() * 1000)}
        batch.append(change)
    request = WebhookRequest(
        method="POST",
        url=installation.webhook_url,
        headers=lower(given["headers"]),
        body=json.dumps(batch).encode(),
        received_at=now,
    )
    return site.engine.plugins.connectors["hubspot"].sign(request, installation)


def lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@contextmanager
def contacts_api() -> Iterator[str]:
    """HubSpot's batch read of contacts, on loopback; its URL."""

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            found = [
                {"id": one["id"], "properties": contact(int(one["id"]))} for one in asked.get("inputs", ())
            ]  # none in a search
            body = json.dumps({"status": "COMPLETE", "results": found}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


def contact(number: int) -> dict[str, str]:
    return {"firstname": f"Lee {number}", "lastname": "Sample", "email": "lee@example.com", "mobilephone": phone(number)}


if __name__ == "__main__":
    main()
