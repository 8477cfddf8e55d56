"""Installing by OAuth, and the installation's check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from bellwire import (
    Installation,
    Installed,
    InstallStart,
    PayloadInvalid,
    PlatformRejected,
    PlatformUnauthorized,
    SignatureMismatch,
    StaleSignature,
    WebhookRequest,
)
from bellwire.testing import installation
from bellwire_connectors.shopify import connector
from bellwire_connectors.shopify.sdk import install_hmac
from bellwire_connectors.shopify.subscriptions import WANTED_SCOPES
from standins.installed import installed
from standins.link import MemoryLink, Vault
from standins.shopify import Fault, Shop

OpenLink = Callable[..., MemoryLink]
CALLBACK = "https://bellwire.example/install/shopify/callback"


def app(shop: Shop, **changes: Any) -> Installation:
    """The app's own installation: its id and secret, another shop's name."""
    made = installation(connector, secrets=(shop.client_secret,))
    credentials = {"shop": "dev.myshopify.com", "client_id": shop.client_id, "client_secret": shop.client_secret}
    return replace(made, account_ref="dev.myshopify.com", credentials=credentials, settings={"base_url": shop.url, **changes})


def request(query: list[tuple[str, str]], at: datetime | None = None) -> WebhookRequest:
    return WebhookRequest(method="GET", query=query, received_at=at or datetime.now(UTC))


def begin(asked: WebhookRequest, at: Installation, state: str = "s1") -> InstallStart:
    assert connector.begin_install is not None
    return connector.begin_install(asked, at, CALLBACK, state)


def finish(asked: WebhookRequest, at: Installation, link: MemoryLink, state: str = "s1") -> Installed:
    assert connector.finish_install is not None
    return connector.finish_install(asked, at, state, link)


def opened(at: Shop, **changes: str) -> list[tuple[str, str]]:
    """The query with which Shopify opens the app."""
    return at.signed_query({"shop": at.domain, "timestamp": str(int(at.now().timestamp())), "host": "YWRtaW4", **changes})


def test_shopify_s_own_example_has_its_hmac() -> None:
    query = [("code", "a94a110d86d2452eb3e2af4cfb8a3828"), ("shop", "some-shop.myshopify.com"), ("timestamp", "1337178173")]
    expected = "2cb1a277650a659f1b11e92a4a64275b128e037f2c3390e3c8fd2d8721dac9e2"
    assert install_hmac("hush", [*query, ("hmac", expected)]) == expected


UNSIGNED: dict[str, Callable[..., list[tuple[str, str]]]] = {
    "another shop, unsigned": lambda _: [("shop", "victim.myshopify.com")],
    "a wrong signature": lambda query: [*query[:-1], ("hmac", "0" * 64)],
    "an empty signature": lambda query: [*query[:-1], ("hmac", "")],
    "a parameter more": lambda query: [("x", "1"), *query],
    "a parameter less": lambda query: query[1:],
    "the shop twice": lambda query: [("shop", "victim.myshopify.com"), *query],
    "the shop twice, the other way": lambda query: [*query, ("shop", "victim.myshopify.com")],
    "base64 for hex": lambda query: [*query[:-1], ("hmac", "LLGid2UKZZ8bEekqSmQnWxKOA38sM5Djx/0uhyHayeI=")],
}


class TestBegin:
    def test_the_merchant_is_sent_to_grant_the_scopes(self, shop: Shop) -> None:
        start = begin(request(opened(shop)), replace(app(shop), settings={}))
        where = urlsplit(start.redirect)
        assert (where.scheme, where.netloc, where.path) == ("https", shop.domain, "/admin/oauth/authorize")
        assert dict(parse_qsl(where.query)) == {
            "client_id": shop.client_id,
            "scope": ",".join(WANTED_SCOPES),
            "redirect_uri": CALLBACK,
            "state": "s1",
        }
        assert start.account_ref == shop.domain

    def test_the_app_s_own_list_of_scopes_wins(self, shop: Shop) -> None:
        start = begin(request(opened(shop)), app(shop, scopes="read_orders, write_orders"))
        assert dict(parse_qsl(urlsplit(start.redirect).query))["scope"] == "read_orders,write_orders"

    def test_an_admin_begins_for_the_installation_s_own_shop(self, shop: Shop) -> None:
        for query in ([], [("shop", "dev.myshopify.com")]):
            assert begin(request(query), app(shop)).account_ref == "dev.myshopify.com"

    @pytest.mark.parametrize("bend", UNSIGNED.values(), ids=UNSIGNED)
    def test_what_shopify_did_not_sign_is_refused(self, shop: Shop, bend: Callable[..., list[tuple[str, str]]]) -> None:
        with pytest.raises(SignatureMismatch):
            begin(request(bend(opened(shop))), app(shop))

    @pytest.mark.parametrize(
        "name",
        [
            "evil.example",
            "example.myshopify.com.evil.example",
            "example.myshopify.com/x",
            "",
            "EXAMPLE.myshopify.com",
            "a\n.myshopify.com",
        ],
    )
    def test_a_signed_name_that_is_no_shop_s_is_refused(self, shop: Shop, name: str) -> None:
        with pytest.raises(PayloadInvalid) as caught:
            begin(request(opened(shop, shop=name)), app(shop))
        assert caught.value.field == "shop"

    @pytest.mark.parametrize(
        ("age", "good"),
        [
            (timedelta(hours=23, minutes=59), True),
            (timedelta(hours=24, minutes=1), False),
            (timedelta(minutes=-4), True),
            (timedelta(minutes=-6), False),
        ],
        ids=["a day old", "older", "a little ahead", "far ahead"],
    )
    def test_its_time_is_near(self, shop: Shop, age: timedelta, good: bool) -> None:
        asked = request(opened(shop), at=datetime.now(UTC) + age)
        if good:
            assert begin(asked, app(shop)).account_ref == shop.domain
        else:
            with pytest.raises(StaleSignature):
                begin(asked, app(shop))

    @pytest.mark.parametrize("timestamp", ["", "soon", "-1", "1e9", "9" * 30, "١٢٣"])
    def test_its_time_is_a_number(self, shop: Shop, timestamp: str) -> None:
        with pytest.raises(StaleSignature):
            begin(request(opened(shop, timestamp=timestamp)), app(shop))

    def test_the_old_secret_is_good_while_both_are(self, shop: Shop) -> None:
        both = replace(app(shop), secrets=("new", shop.client_secret))
        assert begin(request(opened(shop)), both).account_ref == shop.domain

    def test_without_a_client_id_it_says_what_is_missing(self, shop: Shop) -> None:
        with pytest.raises(PlatformRejected, match="client_id"):
            begin(request(opened(shop)), replace(app(shop), credentials={"client_secret": "x"}))

    def test_without_a_state_nothing_begins(self, shop: Shop) -> None:
        with pytest.raises(PayloadInvalid):
            begin(request(opened(shop)), app(shop), state="")


class TestFinish:
    @pytest.fixture
    def link(self, shop: Shop, open_link: OpenLink) -> MemoryLink:
        return open_link(Vault(app(shop)))

    def test_the_code_brings_an_expiring_token_and_what_renews_it(self, shop: Shop, link: MemoryLink) -> None:
        done = finish(request(shop.install_query("s1")), app(shop), link)
        assert shop.token_calls[0]["expiring"] == 1
        assert done.account_ref == shop.domain
        credentials = dict(done.credentials)
        assert credentials["access_token"] in shop.tokens
        assert credentials["refresh_token"] in shop.refresh_tokens
        assert (credentials["shop"], credentials["client_id"]) == (shop.domain, shop.client_id)
        assert credentials["client_secret"] == shop.client_secret
        assert credentials["scope"] == ",".join(shop.scopes)
        left = datetime.fromisoformat(credentials["access_token_expires_at"]) - datetime.now(UTC)
        assert timedelta(minutes=59) < left < timedelta(minutes=61)
        assert (done.settings, done.country, done.timezone) == ({"shop_name": "Example Store"}, "US", "America/New_York")
        assert credentials["access_token"] not in repr(done)

    def test_rights_that_were_not_granted_are_told(self, shop: Shop, link: MemoryLink) -> None:
        shop.scopes = ("write_orders", "read_customers")
        [note] = finish(request(shop.install_query("s1")), app(shop, scopes="read_orders,write_customers"), link).notes
        assert note.startswith("Not granted: write_customers.")

    def test_all_rights_granted_need_no_words(self, shop: Shop, link: MemoryLink) -> None:
        assert finish(request(shop.install_query("s1")), app(shop), link).notes == ()

    def test_what_the_app_s_shops_have_in_common_goes_with_it(self, shop: Shop, link: MemoryLink) -> None:
        own = app(shop, scopes="read_orders", api_version="2026-07", write_back_tag=True, shop_name="Dev store")
        settings = finish(request(shop.install_query("s1")), own, link).settings
        assert settings == {"scopes": "read_orders", "api_version": "2026-07", "shop_name": "Example Store"}

    @pytest.mark.parametrize("stored", ["2025-10", "unstable"])
    def test_a_version_that_is_no_longer_taken_costs_no_install(self, shop: Shop, link: MemoryLink, stored: str) -> None:
        settings = finish(request(shop.install_query("s1")), app(shop, api_version=stored), link).settings
        assert settings["api_version"] == "2026-10"

    def test_the_installed_app_works_and_renews(self, shop: Shop, link: MemoryLink, open_link: OpenLink) -> None:
        done = finish(request(shop.install_query("s1")), app(shop), link)
        shop.expire_tokens()
        granted = {name: value for name, value in done.credentials.items() if name not in {"shop", "client_secret"}}
        vault = Vault(installed(shop, **granted))
        assert connector.subscribe is not None
        connector.subscribe(open_link(vault))
        assert vault.renewals == 1
        assert shop.subscriptions

    def test_a_code_works_once(self, shop: Shop, link: MemoryLink) -> None:
        query = shop.install_query("s1")
        finish(request(query), app(shop), link)
        with pytest.raises(PlatformUnauthorized):
            finish(request(query), app(shop), link)

    @pytest.mark.parametrize("state", ["other", "", "s1 "])
    def test_another_state_is_refused_before_anything_is_sent(self, shop: Shop, link: MemoryLink, state: str) -> None:
        with pytest.raises(SignatureMismatch, match="state"):
            finish(request(shop.install_query(state)), app(shop), link)
        assert shop.token_calls == []

    def test_an_empty_state_of_ours_is_no_state(self, shop: Shop, link: MemoryLink) -> None:
        with pytest.raises(SignatureMismatch):
            finish(request(shop.install_query("")), app(shop), link, state="")

    def test_a_query_that_shopify_did_not_sign_is_refused(self, shop: Shop, link: MemoryLink) -> None:
        with pytest.raises(SignatureMismatch):
            finish(request([("code", "x"), *shop.install_query("s1")[1:]]), app(shop), link)
        assert shop.token_calls == []

    @pytest.mark.parametrize(("changes", "field"), [({"shop": "evil.example"}, "shop"), ({"code": ""}, "code")])
    def test_a_signed_query_must_still_make_sense(self, shop: Shop, link: MemoryLink, changes: dict[str, str], field: str) -> None:
        with pytest.raises(PayloadInvalid) as caught:
            finish(request(shop.install_query("s1", **changes)), app(shop), link)
        assert (caught.value.field, shop.token_calls) == (field, [])

    def test_not_knowing_the_shop_s_name_does_not_lose_the_token(self, shop: Shop, link: MemoryLink) -> None:
        shop.fail(Fault(500))
        done = finish(request(shop.install_query("s1")), app(shop), link)
        assert done.credentials["access_token"]
        assert (done.settings, done.country, done.timezone) == ({}, "", "")

    def test_a_wrong_client_secret_is_said_without_telling_it(self, shop: Shop, link: MemoryLink) -> None:
        wrong = app(shop)
        wrong = replace(wrong, credentials={**wrong.credentials, "client_secret": "not-the-one"})
        with pytest.raises(PlatformUnauthorized) as caught:
            finish(request(shop.install_query("s1")), wrong, link)
        assert "not-the-one" not in f"{caught.value!r}"


class TestCheck:
    @staticmethod
    def check(vault: Vault, open_link: OpenLink, **options: Any) -> dict[str, tuple[bool, str]]:
        assert connector.check is not None
        return {one.name: (one.ok, one.detail) for one in connector.check(open_link(vault, **options))}

    def test_all_is_well(self, shop: Shop, vault: Vault, open_link: OpenLink) -> None:
        shop.place_order()
        assert connector.subscribe is not None
        connector.subscribe(open_link(vault))
        found = self.check(vault, open_link)
        assert [name for name, (ok, _) in found.items() if not ok] == []
        assert set(found) == {"token", "shop", "scopes", "api_version", "subscriptions", "protected_data"}

    def test_a_refused_token_is_the_one_thing_to_say(self, shop: Shop, vault: Vault, open_link: OpenLink) -> None:
        shop.uninstall()
        found = self.check(vault, open_link)
        assert found == {"token": (False, "shopify Shop: the access token is refused; was the app removed?")}

    def test_a_shop_that_can_t_be_reached_is_said(self, vault: Vault, open_link: OpenLink) -> None:
        away = replace(vault.installation, settings={"base_url": "http://127.0.0.1:1"})
        assert self.check(Vault(away), open_link)["token"][0] is False

    def test_a_token_of_another_shop(self, shop: Shop, vault: Vault, open_link: OpenLink) -> None:
        shop.domain = "other.myshopify.com"
        ok, detail = self.check(vault, open_link)["shop"]
        assert not ok
        assert detail == "the token belongs to other.myshopify.com, credentials.shop is example.myshopify.com"

    def test_scopes_that_were_not_granted(self, shop: Shop, open_link: OpenLink) -> None:
        shop.scopes = ("write_orders", "read_customers", "an odd one")
        ok, detail = self.check(Vault(installed(shop)), open_link)["scopes"]
        assert not ok
        assert "read_orders" not in detail, "writing implies reading"
        assert "write_customers" in detail

    def test_subscriptions_that_are_missing_are_named_and_not_made(self, shop: Shop, vault: Vault, open_link: OpenLink) -> None:
        ok, detail = self.check(vault, open_link)["subscriptions"]
        assert not ok
        assert "orders/create" in detail
        assert shop.subscriptions == {}

    def test_without_a_public_url(self, vault: Vault, open_link: OpenLink) -> None:
        assert self.check(Vault(replace(vault.installation, webhook_url="")), open_link)["subscriptions"][0] is False

    def test_webhooks_of_another_version(self, shop: Shop, vault: Vault, open_link: OpenLink) -> None:
        shop.webhook_version = "2026-01"
        assert connector.subscribe is not None
        connector.subscribe(open_link(vault))
        ok, detail = self.check(vault, open_link)["webhook_version"]
        assert not ok
        assert detail == "webhooks come as 2026-01; set [webhooks] api_version in the app"

    def test_customers_that_shopify_hides_from_us(self, shop: Shop, vault: Vault, open_link: OpenLink) -> None:
        shop.place_order()
        shop.protected_data = False
        ok, detail = self.check(vault, open_link)["protected_data"]
        assert not ok
        assert "level 2" in detail

    def test_without_orders_nobody_can_say(self, vault: Vault, open_link: OpenLink) -> None:
        assert self.check(vault, open_link)["protected_data"] == (True, "no orders yet to see it by")

    @pytest.mark.parametrize(("days", "good"), [(30, True), (6, False), (-1, False)])
    def test_a_refresh_token_near_its_end(self, shop: Shop, open_link: OpenLink, days: int, good: bool) -> None:
        ends = (datetime.now(UTC) + timedelta(days=days)).isoformat()
        vault = Vault(installed(shop, **shop.expiring_tokens(), refresh_token_expires_at=ends))
        assert self.check(vault, open_link)["refresh_token"][0] is good
