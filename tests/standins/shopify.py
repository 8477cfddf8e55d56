"""A shop that runs here: Shopify's Admin API, OAuth and webhooks, as strict as the documents, on a port of this machine.

    with Shop(client_secret="hush") as shop:
        shop.url                                   what an installation's `settings.base_url` is
        gid = shop.place_order(phone="+1202…")     an order in the shop; `order_webhook(gid)` is its webhook body
        shop.deliver("orders/create", shop.order_webhook(gid), to=webhook_url)
        shop.metafield(gid)                        what was written back

Operations are validated against `shopify_schema.graphql`, so that a field Shopify does not have fails. Needs graphql-core
and nothing of Bellwire. `fail` makes the next calls go wrong.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import socket
import threading
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from standins.shopify_graphql import Answering, Throttle
from standins.shopify_orders import checkout, customer, order, webhook_of

VERSIONS = ("2026-01", "2026-04", "2026-07", "2026-10")

SCOPES = (
    "write_orders",
    "write_customers",
    "read_fulfillments",
    "read_returns",
    "read_merchant_managed_fulfillment_orders",
)


@dataclass(frozen=True)
class Fault:
    """What goes wrong with a call. `cut`: "before" the request is looked at, or "after" it was done."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    cut: str = ""


@dataclass
class Grant:
    """An access token and until when it is good (None: for ever)."""

    ends: datetime | None
    scopes: tuple[str, ...]


@dataclass(frozen=True)
class Delivered:
    """What a receiver said to a webhook."""

    status: int
    body: bytes


class Shop:
    """One shop with one app installed. Everything in it may be read and changed by a test."""

    def __init__(
        self,
        *,
        domain: str = "example.myshopify.com",
        client_id: str = "client-1",
        client_secret: str = "hush",  # noqa: S107  # a stand-in's
        scopes: tuple[str, ...] = SCOPES,
        token_life_s: int = 3600,
        bucket: float = 2000,
        restore_rate: float = 100,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self.domain, self.client_id, self.client_secret = domain, client_id, client_secret
        self.scopes, self.token_life_s = scopes, token_life_s
        self.now = now or (lambda: datetime.now(UTC))
        self.throttle = Throttle(bucket, restore_rate)
        self.name, self.timezone, self.country = "Example Store", "America/New_York", "US"
        self.orders: dict[str, dict[str, Any]] = {}
        self.customers: dict[str, dict[str, Any]] = {}
        self.checkouts: dict[str, dict[str, Any]] = {}
        self.fulfillment_orders: dict[str, dict[str, Any]] = {}
        self.returns: dict[str, dict[str, Any]] = {}
        self.metafields: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.subscriptions: dict[str, dict[str, Any]] = {}
        self.webhook_version = "2026-10"
        self.tokens: dict[str, Grant] = {}
        self.refresh_tokens: dict[str, bool] = {}  # token → still good
        self.codes: set[str] = set()
        self.redirect_urls: set[str] = set()  # where the app may send merchants back to; empty: anywhere
        self.calls: list[tuple[str, dict[str, Any]]] = []  # operation name, variables
        self.token_calls: list[dict[str, Any]] = []
        self.protected_data = True  # False: as for an app without approval
        self._faults: list[Fault] = []
        self._lock = threading.RLock()
        self._answering = Answering(self)
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    # -- running ------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Shop:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Where it listens: an installation's `settings.base_url`."""
        return f"http://127.0.0.1:{self._server.server_port}"

    # -- what a merchant does -----------------------------------------------------------------------------------------

    def place_order(self, **changes: Any) -> str:
        """An order; `changes` are fields of the GraphQL object. Its gid."""
        made = order(len(self.orders) + 1, self.now(), **changes)
        with self._lock:
            self.orders[made["id"]] = made
            if made["customer"]:
                self.customers.setdefault(made["customer"]["id"], made["customer"])
        return str(made["id"])

    def add_customer(self, **changes: Any) -> str:
        """A customer; its gid."""
        made = customer(len(self.customers) + 100, self.now(), **changes)
        self.customers[made["id"]] = made
        return str(made["id"])

    def abandon_checkout(self, **changes: Any) -> str:
        """A checkout that nobody finished; its gid."""
        made = checkout(len(self.checkouts) + 1, self.now(), **changes)
        self.checkouts[made["id"]] = made
        return str(made["id"])

    def order_webhook(self, gid: str, **changes: Any) -> dict[str, Any]:
        """The order as `orders/*` would send it."""
        return {**webhook_of(self.orders[gid]), **changes}

    def uninstall(self) -> None:
        """The merchant removes the app: tokens and subscriptions die at once."""
        with self._lock:
            self.tokens.clear()
            self.refresh_tokens.clear()
            self.subscriptions.clear()

    # -- tokens -------------------------------------------------------------------------------------------------------

    def custom_app_token(self) -> str:
        """A token that does not end, as an app made in the shop's own admin has."""
        token = f"shpat_{secrets.token_hex(16)}"
        self.tokens[token] = Grant(None, self.scopes)
        return token

    def expiring_tokens(self) -> dict[str, str]:
        """An expiring access token and its refresh token, as an OAuth install stores them."""
        granted = self._grant(refresh=True)
        ends = self.now() + timedelta(seconds=self.token_life_s)
        return {
            "client_id": self.client_id,
            "access_token": granted["access_token"],
            "access_token_expires_at": ends.isoformat(),
            "refresh_token": granted["refresh_token"],
        }

    def expire_tokens(self) -> None:
        """Every access token given out so far is over."""
        with self._lock:
            for grant in self.tokens.values():
                grant.ends = self.now() - timedelta(seconds=1)

    def install_query(self, state: str, **changes: str) -> list[tuple[str, str]]:
        """The query of an OAuth callback, signed by this shop."""
        code = secrets.token_hex(16)
        self.codes.add(code)
        params = {"code": code, "shop": self.domain, "state": state, "timestamp": str(int(self.now().timestamp())), **changes}
        return self.signed_query(params)

    def granting(self, query: str) -> str:
        """Where the merchant is sent who clicks "Install" on `/admin/oauth/authorize?query`; "" for a page that says no."""
        asked = dict(parse_qsl(query))
        where = asked.get("redirect_uri", "")
        if asked.get("client_id") != self.client_id or (self.redirect_urls and where not in self.redirect_urls):
            return ""
        return f"{where}?{urlencode(self.install_query(asked.get('state', '')))}"

    def signed_query(self, params: Mapping[str, str]) -> list[tuple[str, str]]:
        """The parameters with their HMAC (shopify.dev, "Authorization code grant", step 1)."""
        message = "&".join(sorted(f"{name}={value}" for name, value in params.items()))
        made = hmac.new(self.client_secret.encode(), message.encode(), hashlib.sha256).hexdigest()
        return [*params.items(), ("hmac", made)]

    def _grant(self, *, refresh: bool) -> dict[str, Any]:
        with self._lock:
            token = f"shpat_{secrets.token_hex(16)}"
            self.tokens[token] = Grant(self.now() + timedelta(seconds=self.token_life_s), self.scopes)
            granted: dict[str, Any] = {"access_token": token, "scope": ",".join(self.scopes), "expires_in": self.token_life_s}
            if refresh:
                renewal = f"shprt_{secrets.token_hex(16)}"
                self.refresh_tokens[renewal] = True
                granted |= {"refresh_token": renewal, "refresh_token_expires_in": 90 * 86400}
            return granted

    # -- webhooks -----------------------------------------------------------------------------------------------------

    def headers(self, topic: str, body: bytes, **changes: str | None) -> dict[str, str]:
        """The headers of a delivery. `changes`: `webhook_id`, `shop`, `secret`, `triggered_at`, `event_id`."""
        signature = hmac.digest((changes.get("secret") or self.client_secret).encode(), body, "sha256")
        return {
            "Content-Type": "application/json",
            "X-Shopify-Topic": topic,
            "X-Shopify-Hmac-Sha256": base64.b64encode(signature).decode(),
            "X-Shopify-Shop-Domain": changes.get("shop") or self.domain,
            "X-Shopify-API-Version": self.webhook_version,
            "X-Shopify-Webhook-Id": changes.get("webhook_id") or str(uuid.uuid4()),
            "X-Shopify-Event-Id": changes.get("event_id") or str(uuid.uuid4()),
            "X-Shopify-Triggered-At": changes.get("triggered_at") or self.now().isoformat(),
        }

    def deliver(self, topic: str, body: Mapping[str, Any], *, to: str, **changes: str | None) -> Delivered:
        """Sign and post one webhook, as Shopify would: one second to connect, five in all."""
        raw = json.dumps(body, ensure_ascii=False).encode()
        where = urlsplit(to)
        connection = HTTPConnection(where.hostname or "", where.port or 80, timeout=5)
        try:
            connection.request("POST", where.path, raw, self.headers(topic, raw, **changes))
            answer = connection.getresponse()
            return Delivered(answer.status, answer.read())
        finally:
            connection.close()

    def announce(self, topic: str, body: Mapping[str, Any], **changes: str | None) -> list[Delivered]:
        """Deliver to whoever has subscribed to the topic."""
        wanted = topic.upper().replace("/", "_").replace(".", "_")
        urls = [one["uri"] for one in list(self.subscriptions.values()) if one["topic"] == wanted]
        return [self.deliver(topic, body, to=url, **changes) for url in urls]

    def drop_subscriptions(self, *topics: str) -> int:
        """What Shopify does after eight failed deliveries; all topics when none is named. How many are gone."""
        wanted = {topic.upper().replace("/", "_") for topic in topics}
        with self._lock:
            gone = [key for key, one in self.subscriptions.items() if not wanted or one["topic"] in wanted]
            for key in gone:
                del self.subscriptions[key]
            return len(gone)

    # -- what a test looks at and breaks ------------------------------------------------------------------------------

    def metafield(self, owner: str, namespace: str = "$app:sms", key: str = "status") -> Any:
        """The JSON value of a metafield, None when it is not set."""
        found = self.metafields.get((owner, namespace, key))
        return json.loads(found["value"]) if found else None

    def fail(self, *faults: Fault) -> None:
        """The next calls of the Admin API go wrong, one after the other."""
        with self._lock:
            self._faults.extend(faults)

    def operations(self) -> list[str]:
        """The names of the operations that were answered, in order."""
        return [name for name, _ in self.calls]

    # -- requests -----------------------------------------------------------------------------------------------------

    def _answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        if path == "/admin/oauth/access_token" and method == "POST":
            return self._exchange(headers, body)
        steps = path.split("/")
        if method != "POST" or len(steps) != 5 or steps[1:3] != ["admin", "api"] or steps[4] != "graphql.json":
            return 404, {}, b'{"errors":"Not Found"}'
        if steps[3] not in VERSIONS and steps[3] != "unstable":
            return 404, {}, b'{"errors":"Not Found"}'
        with self._lock:
            grant = self.tokens.get(headers.get("x-shopify-access-token", ""))
            if grant is None or (grant.ends is not None and grant.ends <= self.now()):
                message = "[API] Invalid API key or access token (unrecognized login or wrong password)"
                return 401, {}, json.dumps({"errors": message}).encode()
            return 200, {}, json.dumps(self._answering.answer(json.loads(body), grant.scopes)).encode()

    def _exchange(self, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        is_form = "urlencoded" in headers.get("content-type", "")
        asked: dict[str, Any] = dict(parse_qsl(body.decode())) if is_form else json.loads(body)
        with self._lock:
            self.token_calls.append(asked)
            if (asked.get("client_id"), asked.get("client_secret")) != (self.client_id, self.client_secret):
                return 400, {}, b'{"error":"application_cannot_be_found"}'
            if asked.get("grant_type") == "refresh_token":
                if not self.refresh_tokens.get(asked.get("refresh_token", "")):
                    return 400, {}, b'{"error":"invalid_grant"}'
                self.refresh_tokens[asked["refresh_token"]] = False  # it works once
                return 200, {}, json.dumps(self._grant(refresh=True)).encode()
            if asked.get("grant_type") == "client_credentials":
                return 200, {}, json.dumps(self._grant(refresh=False)).encode()
            if asked.get("code") not in self.codes:
                return 400, {}, b'{"error":"invalid_request"}'
            self.codes.discard(asked["code"])
            # without `expiring` a public app gets a token that Shopify refuses later
            return 200, {}, json.dumps(self._grant(refresh=str(asked.get("expiring")) == "1")).encode()

    def _next_fault(self) -> Fault | None:
        with self._lock:
            return self._faults.pop(0) if self._faults else None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # five, the default, makes the sixth of many callers wait a second


def _handler(shop: Shop) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            self._serve()

        def do_GET(self) -> None:
            self._serve()

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = urlsplit(self.path).path
            if path == "/admin/oauth/authorize":
                back = shop.granting(urlsplit(self.path).query)
                return self._reply(302, {"Location": back}, b"") if back else self._reply(400, {}, b"{}")
            fault = shop._next_fault() if path.startswith("/admin/api/") else None
            if fault and fault.cut == "before":
                return self._cut()
            if fault and not fault.cut:
                return self._reply(fault.status, fault.headers, fault.body)
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, more, answer = shop._answer(self.command, path, headers, body)
            if fault:
                return self._cut()
            return self._reply(status, more, answer)

        def _reply(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def _cut(self) -> None:
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
