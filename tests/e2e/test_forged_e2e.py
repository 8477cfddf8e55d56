"""Requests that nobody signed, over the wire: refused, and nothing of them is stored (promise A4)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from bellwire import WebhookRequest
from bellwire.testing import NOW
from forgeries import forgeries
from standins.served import Server, Tenant
from standins.shopify import Shop
from standins.wire import exchange

SIGNATURE, SHOP = "x-shopify-hmac-sha256", "x-shopify-shop-domain"

#: HTTP takes blanks around a value away (RFC 9110 5.5): what arrives is the signature itself.
SAME_ON_THE_WIRE = {"a space after it", "a space before it"}


@pytest.fixture(scope="module")
def url(tenant: Tenant, shop: Shop) -> str:
    tenant.template("told", en="Something happened.")
    tenant.trigger("order.created", "told", state="shadow")  # decides, and sends nothing that would go on meanwhile
    shop.scopes = ("read_locales",)  # it shows nobody its orders and customers: a look at it would bring those of these tests
    return str(tenant.shop(shop)["webhook_url"])


def signed(shop: Shop, **changes: Any) -> WebhookRequest:
    """An order as the shop would tell it."""
    body = json.dumps(shop.order_webhook(shop.place_order())).encode()
    headers = {name.lower(): value for name, value in shop.headers("orders/create", body, **changes).items()}
    return WebhookRequest(headers=headers, body=body, received_at=NOW)


def test_nothing_forged_is_taken(server: Server, tenant: Tenant, shop: Shop, url: str) -> None:
    real = signed(shop)
    before = server.rows(tenant)
    tried = [
        (label, exchange(url, list(one.headers.items()), one.body))
        for label, one in forgeries(real, SIGNATURE, meaning=bytes, covers_url=False)
        if label not in SAME_ON_THE_WIRE
    ]
    assert len(tried) >= 200
    wrong = [(label, one.status, one.body[:200]) for label, one in tried if not 400 <= one.status < 500]
    assert wrong == []
    assert Counter(one.status for _, one in tried)[401] >= 200
    assert [label for label, one in tried if one.took_s > 1.0] == []
    assert server.rows(tenant) == before
    good = exchange(url, list(real.headers.items()), real.body)
    assert (good.status, json.loads(good.body)["duplicate"]) == (200, False), "the real one is taken all the same"


def test_the_signature_with_blanks_around_it_is_the_signature(shop: Shop, url: str) -> None:
    for blank in (" {}", "{} ", "\t{}"):
        real = signed(shop)
        headers = {**real.headers, SIGNATURE: blank.format(real.headers[SIGNATURE])}
        assert exchange(url, list(headers.items()), real.body).status == 200


#: What is taken out of a real request's headers, what is put before them and behind them. `{}`: the real signature.
OTHERS: dict[str, tuple[set[str], Sequence[tuple[str, str]], Sequence[tuple[str, str]]]] = {
    "another shop": ({SHOP}, [], [(SHOP, "b.myshopify.com")]),
    "no shop": ({SHOP}, [], []),
    "two shops": (set(), [], [(SHOP, "b.myshopify.com")]),
    "two shops, the other way": (set(), [(SHOP, "b.myshopify.com")], []),
    "two signatures, the second wrong": (set(), [], [(SIGNATURE, "AAAA")]),
    "two signatures, the first wrong": (set(), [(SIGNATURE, "AAAA")], []),
    "the signature twice": (set(), [], [(SIGNATURE, "{}")]),
    "the signature in another header": ({SIGNATURE}, [], [("x-hub-signature-256", "{}")]),
}


@pytest.mark.parametrize(("out", "before", "behind"), OTHERS.values(), ids=OTHERS)
def test_headers_that_somebody_else_made_are_refused(
    server: Server,
    tenant: Tenant,
    shop: Shop,
    url: str,
    out: set[str],
    before: Sequence[tuple[str, str]],
    behind: Sequence[tuple[str, str]],
) -> None:
    real = signed(shop)
    own = [pair for pair in real.headers.items() if pair[0] not in out]
    headers = [(name, value.format(real.headers[SIGNATURE])) for name, value in [*before, *own, *behind]]
    is_refused(server, tenant, url, headers, real.body)


def test_another_app_s_secret_is_refused(server: Server, tenant: Tenant, shop: Shop, url: str) -> None:
    theirs = signed(shop, secret="another app's")
    is_refused(server, tenant, url, list(theirs.headers.items()), theirs.body)


def is_refused(server: Server, tenant: Tenant, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> None:
    rows = taken(server, tenant)
    said = exchange(url, headers, body)
    assert said.status == 401, said
    assert said.headers["content-type"] == "application/problem+json"
    assert json.loads(said.body)["code"] == "signature_mismatch"
    assert taken(server, tenant) == rows


def taken(server: Server, tenant: Tenant) -> dict[str, int]:
    """What a body that is taken leaves behind; an earlier text's own way goes on meanwhile."""
    tables = ("seen", "events", "decisions", "messages", "contacts", "consents", "privacy_requests")
    rows = server.rows(tenant)
    return {table: rows[table] for table in tables}


def test_a_signed_body_may_not_change_its_topic_for_a_worse_one(server: Server, tenant: Tenant, shop: Shop, url: str) -> None:
    """Topic headers are not signed: an order told again as an erasure erases nothing."""
    real = signed(shop)
    before = server.rows(tenant)
    for topic in ("customers/redact", "shop/redact", "customers/data_request"):
        bent = replace(real, headers={**real.headers, "x-shopify-topic": topic})
        said = exchange(url, list(bent.headers.items()), bent.body)
        assert said.status in {200, 400}
        if said.status == 200:
            assert json.loads(said.body)["events"] == []
    assert server.rows(tenant) == before
