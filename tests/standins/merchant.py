"""A merchant who installs an app in a browser, and what can be looked at afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import sqlalchemy as sa
from bellwire.ids import parse_id
from bellwire.store import schema
from bellwire.store.database import reading
from standins.shopify import Shop
from werkzeug.test import TestResponse

PUBLIC = "https://sms.example.com"
CALLBACK = f"{PUBLIC}/install/shopify/callback"


@dataclass
class Browser:
    """Somebody's browser, with its cookies."""

    world: Any
    client: Any

    def get(self, where: str, **more: Any) -> TestResponse:
        """Open a page of ours, by path or URL."""
        parts = urlsplit(where)
        answer: TestResponse = self.client.get(f"{parts.path}?{parts.query}", base_url=PUBLIC, **more)
        return answer

    def opens(self, shop: Shop, **changes: str) -> TestResponse:
        """Open the app from the shop's admin: Shopify signs the query."""
        at = {"shop": shop.domain, "timestamp": str(int(shop.now().timestamp())), "host": "YWRtaW4", **changes}
        return self.get(f"/install/shopify?{urlencode(shop.signed_query(at))}")

    def installs(self, shop: Shop) -> TestResponse:
        """The whole way."""
        return self.get(grants(self.opens(shop)))


def grants(away: TestResponse) -> str:
    """Click "Install" on the shop's page; where the shop sends the browser then."""
    assert away.status_code == 302, away.text
    there = urlsplit(away.location)
    connection = HTTPConnection(there.hostname or "", there.port or 80, timeout=5)
    try:
        connection.request("GET", f"{there.path}?{there.query}")
        answer = connection.getresponse()
        assert answer.status == 302
        return answer.headers["Location"]
    finally:
        connection.close()


def bent(url: str, **changes: str | None) -> str:
    """The URL with parameters replaced, or taken out, without a new signature."""
    parts = urlsplit(url)
    query = {name: value for name, value in {**dict(parse_qsl(parts.query)), **changes}.items() if value is not None}
    return f"{parts.path}?{urlencode(query)}"


def make(caller: Any, at: Shop, **changes: Any) -> str:
    """An installation of the app, made over the API; its id."""
    credentials = {"shop": "dev.myshopify.com", "client_id": at.client_id, "client_secret": at.client_secret, **changes}
    body = {"connector": "shopify", "name": "The app", "credentials": credentials, "settings": {"base_url": at.url}}
    made = caller.post("/v1/installations", body)
    assert made.status_code == 201, made.text
    return str(made.json["id"])


def installations(caller: Any) -> dict[str, Any]:
    """The caller's, by account."""
    return {one["account_ref"]: one for one in caller.get("/v1/installations").json["items"]}


def stored(world: Any) -> dict[str, int]:
    """How many rows there are of what an install could leave."""
    tables = (schema.installations, schema.audit, schema.events)
    with reading(world.store.engine) as connection:
        return {table.name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() for table in tables}


def row_of(world: Any, shown: str) -> Any:
    with reading(world.store.engine) as connection:
        i = schema.installations
        return connection.execute(sa.select(i).where(i.c.id == parse_id("ins", shown))).one()


def is_page(answer: TestResponse) -> bool:
    """A page under the strictest policy, without anything inline."""
    policy = answer.headers["Content-Security-Policy"]
    quiet = not any(word in answer.text for word in ("<script", "<style", "style=", "onclick", "javascript:"))
    return answer.mimetype == "text/html" and "default-src 'none'" in policy and "unsafe" not in policy and quiet


def signed(shop: Shop, changes: dict[str, str]) -> str:
    """A query with which Shopify opens the app, with other values."""
    at = {"shop": shop.domain, "timestamp": str(int(shop.now().timestamp())), **changes}
    own, shop.client_secret = shop.client_secret, at.pop("signed with", shop.client_secret)
    try:
        return urlencode(shop.signed_query(at))
    finally:
        shop.client_secret = own
