"""What platforms send, as deliveries to an account of ours: recorded bodies, read where they lie beside this checkout, and samples.

What a platform's deliveries need besides the body stands in its row.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bellwire import Connector, Installation, WebhookRequest
from bellwire.testing import NOW, HttpStandIn, StandIn, installation, sample, samples
from bellwire_connectors.asana import connector as asana
from bellwire_connectors.clockify import connector as clockify
from bellwire_connectors.hubspot import connector as hubspot
from bellwire_connectors.jira import connector as jira
from bellwire_connectors.monday import connector as monday
from bellwire_connectors.salesforce import connector as salesforce
from bellwire_connectors.shopify import connector as shopify
from bellwire_connectors.timecard import connector as timecard
from bellwire_connectors.toggl import connector as toggl
from bellwire_connectors.trello import connector as trello
from bellwire_connectors.zendesk import connector as zendesk
from standins.hubspot_certified import CertifiedPortal
from standins.salesforce_certified import CertifiedOrganization
from standins.shopify_certified import CertifiedShop
from standins.zendesk_certified import CertifiedDesk

FOLDER = Path(__file__).resolve().parents[2] / ".." / "shared" / "payloads"


def _nothing(_: Path) -> Mapping[str, str]:
    return {}


def _as_it_is(body: bytes, _: Installation) -> bytes:
    return body


class Silent(HttpStandIn):
    """An API that has nothing of what it is asked for."""

    def answer(self, *_: Any) -> tuple[int, Mapping[str, str], bytes]:
        return 404, {}, b"{}"


def _nothing(_: str) -> Mapping[str, str]:
    return {}


def _as_it_is(body: bytes, _: Installation) -> bytes:
    return body


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """One platform's deliveries. `files`: below its folder, but for `without`, which are none; `headers`: by the file's name,
    besides the signature; `body`: made to be about our account; `stand_in`: plays its API; `credentials`, `settings`: of an
    installation, `{}` stands for its number.
    """

    connector: Connector
    files: str = "*.json"
    folder: str = ""
    without: str = ""
    content_type: str = "application/json"
    headers: Callable[[str], Mapping[str, str]] = _nothing
    body: Callable[[bytes, Installation], bytes] = _as_it_is
    stand_in: Callable[[], StandIn] = Silent
    credentials: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    def recorded(self) -> list[Delivery]:
        """What lies beside this checkout, nothing where nothing does."""
        folder = FOLDER / (self.folder or self.connector.name)
        found = [path for path in sorted(folder.glob(self.files)) if not (self.without and re.match(self.without, path.name))]
        return [Delivery(self, str(path.relative_to(FOLDER)), path) for path in found]

    def documented(self) -> list[Delivery]:
        """The connector's own samples."""
        return [Delivery(self, f"{self.connector.name}/sample {name}", name) for name in samples(self.connector.samples)]

    def account(self, number: int, running: StandIn) -> Installation:
        """An account of ours at its stand-in. `number`: which, where one body is delivered to several."""
        at, lets_in = installation(self.connector), not isinstance(running, Silent)
        own = {name: value.format(number) for name, value in self.credentials.items()}
        credentials = {**at.credentials, **(running.credentials() if lets_in else {}), **own}
        secret = credentials.get(self.connector.secret_field, "")
        settings = {**at.settings, **(running.settings() if lets_in else {}), **self.settings, "base_url": running.url}
        return replace(
            at, credentials=credentials, settings=settings, secrets=tuple(secret) if isinstance(secret, list) else (secret,)
        )


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery: a recorded file, or a sample by its name."""

    platform: Platform
    label: str
    source: Path | str

    def to(self, at: Installation) -> WebhookRequest:
        """As the platform delivers it to this installation now, signed."""
        platform, sign = self.platform, self.platform.connector.sign
        given = sample(platform.connector.samples, self.source) if isinstance(self.source, str) else _read(platform, self.source)
        request = replace(given, url=at.webhook_url, body=platform.body(given.body, at), received_at=datetime.now(UTC))
        return request if given.method == "GET" or not given.body or sign is None else sign(request, at)


def _read(platform: Platform, path: Path) -> WebhookRequest:
    if path.suffix != ".txt":
        name = path.parent.name if path.parent.parent.name == platform.connector.name else path.stem
        headers = {"content-type": platform.content_type, **platform.headers(name)}
        return WebhookRequest(headers=headers, body=path.read_bytes(), received_at=NOW)
    first, header = path.read_text().splitlines()[:2]  # an exchange in words: its first request
    name, value = header.split(": ")
    return WebhookRequest(method=first.split()[0], headers={name.lower(): value}, received_at=NOW)


def _of_the_shop(body: bytes, at: Installation) -> bytes:
    """The compliance requests say in their body which shop is meant."""
    read = json.loads(body)
    return json.dumps({**read, "shop_domain": at.credentials["shop"]}).encode() if "shop_domain" in read else body


def _of_the_portal(body: bytes, at: Installation) -> bytes:
    return re.sub(rb'("portalId": ?)\d+', rb"\g<1>" + str(at.credentials["portal_id"]).encode(), body)


def _of_the_organization(body: bytes, at: Installation) -> bytes:
    return re.sub(rb"(<OrganizationId>)\w+", rb"\g<1>" + str(at.settings["organization_id"]).encode(), body)


def _wrapped(body: bytes, _: Installation) -> bytes:
    """The stored action alone; a delivery wraps it."""
    read = json.loads(body)
    return body if "action" in read else json.dumps({"action": read, "model": {"id": "54a17d76d4a5072e3931736b"}}).encode()


PLATFORMS = [
    Platform(
        connector=shopify,
        files="*/*.json",
        headers=lambda name: {"x-shopify-topic": name.replace("-", "/", 1), "x-shopify-shop-domain": "example.myshopify.com"},
        body=_of_the_shop,
        stand_in=CertifiedShop,
    ),
    Platform(
        connector=salesforce,
        files="outbound_message.*.xml",
        content_type="text/xml; charset=utf-8",
        body=_of_the_organization,
        stand_in=CertifiedOrganization,
    ),
    Platform(
        connector=hubspot,
        without=r"error\.",
        body=_of_the_portal,
        stand_in=CertifiedPortal,
        credentials={"client_id": "client-{}"},  # of two accounts of one app in one portal one would be told
        settings={"app_id": ""},
    ),
    Platform(
        connector=zendesk,
        without="headers",
        headers=lambda name: {"x-zendesk-webhook-invocation-id": f"invocation {name}"},
        stand_in=CertifiedDesk,
    ),
    Platform(connector=timecard, folder="timecard_canonical", files="*.*.json", content_type="application/cloudevents+json"),
    Platform(connector=clockify, headers=lambda name: {"clockify-webhook-event-type": name}),
    Platform(connector=toggl),
    Platform(connector=jira),
    Platform(connector=asana, files="*.txt"),
    Platform(connector=trello, body=_wrapped),
    Platform(connector=monday),
]
