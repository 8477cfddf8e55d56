"""Shopify's signature: the documented vector, rotation, forgeries (A4), other shops, the app-wide URL."""

from __future__ import annotations

import hmac
import json
from dataclasses import replace
from typing import Any

import pytest
from bellwire import SignatureMismatch, WebhookRequest
from bellwire.testing import NOW, OLD_SECRET, SECRET, installation, sample
from bellwire_connectors.shopify import connector
from forgeries import forgeries

PACKAGE = "bellwire_connectors.shopify"
SHOP = installation(connector)
HEADER = "x-shopify-hmac-sha256"


def signed(name: str = "order_created", **changes: Any) -> WebhookRequest:
    return connector.sign(sample(PACKAGE, name), replace(SHOP, **changes))


def test_a_known_body_has_the_known_signature() -> None:
    request = WebhookRequest(body='{"id":1,"name":"Ñandú #1001"}'.encode(), received_at=NOW)
    made = connector.sign(request, replace(SHOP, secrets=("hush",)))
    assert made.header(HEADER) == "MhLZ3HwUfoMOZbxeTKInD7VXeUwF0SNdG83jbTjbLIE="
    assert made.header("X-Shopify-Shop-Domain") == "example.myshopify.com"


@pytest.mark.parametrize(
    "name", ["order_created", "app_uninstalled", "person_erase_requested", "message_requested", "cart_updated"]
)
def test_every_kind_of_request_passes_when_signed(name: str) -> None:
    connector.verify(signed(name), SHOP, NOW)


@pytest.mark.parametrize("secret", [SECRET, OLD_SECRET])
def test_either_secret_is_good_while_both_are(secret: str) -> None:
    both = replace(SHOP, secrets=(SECRET, OLD_SECRET))
    connector.verify(signed(secrets=(secret,)), both, NOW)


def test_a_thousand_signed_alternately_during_a_rotation_all_pass() -> None:
    both = replace(SHOP, secrets=(SECRET, OLD_SECRET))
    old, new = signed(secrets=(OLD_SECRET,)), signed(secrets=(SECRET,))
    for number in range(1000):
        connector.verify(old if number % 2 else new, both, NOW)


def test_after_the_overlap_the_old_secret_is_not() -> None:
    with pytest.raises(SignatureMismatch):
        connector.verify(signed(secrets=(OLD_SECRET,)), SHOP, NOW)


def test_no_forgery_passes() -> None:
    made = list(forgeries(signed(), HEADER, meaning=lambda body: body, covers_url=False, flips=200))
    passed = []
    for label, request in made:
        try:
            connector.verify(request, SHOP, NOW)
        except SignatureMismatch:
            continue
        passed.append(label)
    assert len(made) >= 400
    assert passed == []


@pytest.mark.parametrize("secrets", [(), ("",)])
def test_an_installation_without_a_secret_takes_nothing(secrets: tuple[str, ...]) -> None:
    by_nobody = replace(signed(), headers={**signed().headers, HEADER: "MhLZ3HwUfoMOZbxeTKInD7VXeUwF0SNdG83jbTjbLIE="})
    for request in (signed(), by_nobody, connector.sign(signed(), replace(SHOP, secrets=("x",)))):
        with pytest.raises(SignatureMismatch):
            connector.verify(request, replace(SHOP, secrets=secrets), NOW)


def test_every_secret_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[Any, Any]] = []
    real = hmac.compare_digest

    def spy(a: Any, b: Any) -> bool:
        compared.append((a, b))
        return real(a, b)

    monkeypatch.setattr(hmac, "compare_digest", spy)
    with pytest.raises(SignatureMismatch):
        connector.verify(signed(secrets=("other",)), replace(SHOP, secrets=(SECRET, OLD_SECRET)), NOW)
    connector.verify(signed(), replace(SHOP, secrets=(SECRET, OLD_SECRET)), NOW)
    assert len(compared) >= 4


SHOPS = [
    ("its own", "example.myshopify.com", True),
    ("its own in capitals", "Example.MyShopify.com", True),
    ("another shop of the app", "other.myshopify.com", False),
    ("none", "", False),
    ("half of its name", "example", False),
    ("a longer name", "example.myshopify.com.evil.example", False),
    ("a host that ends alike", "evil-example.myshopify.com", False),
    ("a path", "evil.example/example.myshopify.com", False),
    ("a user part", "x@example.myshopify.com", False),
    ("a line feed", "example.myshopify.com\nx", False),
    ("two shops", "example.myshopify.com, other.myshopify.com", False),
    ("look-alike letters", "ехаmple.myshopify.com", False),
]


@pytest.mark.parametrize(("label", "named", "good"), SHOPS, ids=[row[0] for row in SHOPS])
def test_the_shop_header(label: str, named: str, good: bool) -> None:
    request = replace(signed(), headers={**signed().headers, "x-shopify-shop-domain": named})
    if good:
        connector.verify(request, SHOP, NOW)
    else:
        with pytest.raises(SignatureMismatch, match="another shop"):
            connector.verify(request, SHOP, NOW)


@pytest.mark.parametrize(
    "typed", ["example", "EXAMPLE.myshopify.com", "https://example.myshopify.com/admin", " example.myshopify.com "]
)
def test_a_shop_may_be_typed_in_many_ways(typed: str) -> None:
    connector.verify(signed(), replace(SHOP, account_ref="", credentials={**SHOP.credentials, "shop": typed}), NOW)


@pytest.mark.parametrize("typed", ["", "example.com", "http://evil.example/example.myshopify.com", "-x.myshopify.com"])
def test_an_installation_without_a_real_shop_takes_nothing(typed: str) -> None:
    request = replace(signed(), headers={**signed().headers, "x-shopify-shop-domain": typed})
    with pytest.raises(SignatureMismatch):
        connector.verify(request, replace(SHOP, account_ref=typed, credentials={"shop": typed}), NOW)


class TestTheAppWideUrl:
    """Compliance topics and Flow: one URL for all shops of an app; the signed body names the shop, not the header."""

    @pytest.mark.parametrize(
        "name", ["person_export_requested", "person_erase_requested", "installation_erase_requested", "message_requested"]
    )
    def test_the_signed_body_names_the_shop(self, name: str) -> None:
        request = replace(signed(name), headers={**signed(name).headers, "x-shopify-shop-domain": "other.myshopify.com"})
        connector.verify(request, SHOP, NOW)
        assert connector.account_of is not None
        assert connector.account_of(request) == "example.myshopify.com"

    @pytest.mark.parametrize("name", ["order_created", "app_uninstalled", "cart_updated"])
    def test_any_other_request_is_for_its_own_installation(self, name: str) -> None:
        assert connector.account_of is not None
        assert connector.account_of(sample(PACKAGE, name)) == ""

    @pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"shop_domain": 7}', b'{"shop_domain": null}', b'{"a":' * 5000])
    def test_a_body_without_a_shop_is_nobody_s(self, body: bytes) -> None:
        assert connector.account_of is not None
        assert connector.account_of(replace(sample(PACKAGE, "person_erase_requested"), body=body)) == ""

    def test_a_shop_that_can_t_be_one_is_named_as_it_came(self) -> None:
        body = json.dumps({"shop_domain": "{shop}.myshopify.com"}).encode()
        assert connector.account_of is not None
        assert connector.account_of(replace(sample(PACKAGE, "installation_erase_requested"), body=body)) == "{shop}.myshopify.com"


class TestTheNextGeneration:
    """Headers without `X-` ("Events", a preview): checked the same way, and not served."""

    @staticmethod
    def request() -> WebhookRequest:
        old = signed("order_created")
        return replace(old, headers={name.removeprefix("x-"): value for name, value in old.headers.items()})

    def test_a_signed_one_is_taken_and_makes_no_event(self) -> None:
        connector.verify(self.request(), SHOP, NOW)
        assert connector.read(self.request(), SHOP) == []
        assert connector.account_of is not None
        assert connector.account_of(self.request()) == ""

    def test_one_of_another_shop_is_refused(self) -> None:
        with pytest.raises(SignatureMismatch):
            connector.verify(self.request().with_headers(shopify_shop_domain="other.myshopify.com"), SHOP, NOW)

    def test_an_unsigned_one_is_refused(self) -> None:
        with pytest.raises(SignatureMismatch):
            connector.verify(replace(self.request(), body=b"{}"), SHOP, NOW)
