"""Installing in the browser: what a merchant does at the stand-in shop."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from bellwire.engine.links import open_link
from bellwire.ids import parse_id
from bellwire_connectors.shopify import connector
from standins.merchant import CALLBACK, Browser, grants, installations, is_page, make, row_of
from standins.shopify import SCOPES, Shop


@pytest.mark.usefixtures("first")
class TestInstalling:
    def test_a_merchant_opens_the_app_grants_it_and_is_told_what_is_next(self, world: Any, shop: Shop, browser: Browser) -> None:
        away = browser.opens(shop)
        there = urlsplit(away.location)
        asked = dict(parse_qsl(there.query))
        assert (f"{there.scheme}://{there.netloc}", there.path) == (shop.url, "/admin/oauth/authorize")
        assert (asked["client_id"], asked["redirect_uri"]) == (shop.client_id, CALLBACK)
        assert len(asked["state"]) >= 22
        done = browser.get(grants(away))
        assert done.status_code == 200, done.text
        assert is_page(done)
        made = installations(world.a)["buyers.myshopify.com"]
        assert made["id"] in done.text
        assert "buyers.myshopify.com" in done.text
        assert (made["status"], made["name"], made["country"], made["timezone"]) == (
            "active",
            "Example Store",
            "US",
            "America/New_York",
        )
        assert set(made["credentials_set"]) == {"client_secret", "access_token", "refresh_token"}
        assert made["credentials"]["scope"] == ",".join(SCOPES)
        assert made["settings"] == installations(world.a)["dev.myshopify.com"]["settings"] | {"shop_name": "Example Store"}
        assert made["webhook_url"] != installations(world.a)["dev.myshopify.com"]["webhook_url"]
        assert shop.token_calls[-1]["expiring"] == 1
        for secret in (*shop.tokens, *shop.refresh_tokens, shop.client_secret):
            assert secret not in done.text

    def test_it_is_said_in_the_audit_trail_and_looked_at_soon(self, world: Any, shop: Shop, browser: Browser) -> None:
        browser.installs(shop)
        made = installations(world.a)["buyers.myshopify.com"]["id"]
        trail = [(one["actor"], one["action"]) for one in world.a.get(f"/v1/audit?object={made}").json["items"]]
        assert ("install", "installation.installed") in trail
        assert row_of(world, made).reconcile_due == world.clock()

    def test_the_shop_s_webhooks_are_taken_at_once(self, world: Any, shop: Shop, browser: Browser) -> None:
        browser.installs(shop)
        url = urlsplit(installations(world.a)["buyers.myshopify.com"]["webhook_url"]).path
        body = b'{"id":1,"myshopify_domain":"buyers.myshopify.com"}'
        taken = browser.client.post(url, data=body, headers=shop.headers("shop/update", body))
        assert (taken.status_code, len(taken.json["events"])) == (200, 1)

    def test_the_token_is_renewed_when_it_has_ended_and_the_subscriptions_lead_here(
        self, world: Any, shop: Shop, browser: Browser
    ) -> None:
        browser.installs(shop)
        made = installations(world.a)["buyers.myshopify.com"]
        world.clock.forward(hours=2)
        assert connector.subscribe is not None
        connector.subscribe(open_link(world.runtime.engine, world.a.tenant_id, parse_id("ins", made["id"])))
        assert [call.get("grant_type") for call in shop.token_calls] == [None, "refresh_token"]
        assert {one["uri"] for one in shop.subscriptions.values()} == {made["webhook_url"]}

    def test_the_cookie_is_for_the_callback_only(self, shop: Shop, browser: Browser) -> None:
        said = browser.opens(shop).headers["Set-Cookie"]
        parts = {part.strip().partition("=")[0].lower(): part.strip().partition("=")[2] for part in said.split(";")}
        assert {"secure", "httponly"} <= set(parts)
        assert (parts["samesite"], parts["path"], parts["max-age"]) == ("Lax", "/install/shopify/callback", "600")
        assert shop.client_secret not in said

    def test_the_app_is_installed_again_on_the_same_row(self, world: Any, shop: Shop, browser: Browser) -> None:
        browser.installs(shop)
        before = installations(world.a)["buyers.myshopify.com"]
        since = row_of(world, before["id"]).installed_at
        world.clock.forward(days=3)
        again = browser.installs(shop)
        assert (again.status_code, "reports again" in again.text) == (200, True)
        after = installations(world.a)["buyers.myshopify.com"]
        assert (after["id"], after["webhook_url"]) == (before["id"], before["webhook_url"])
        assert row_of(world, before["id"]).installed_at == since
        link = open_link(world.runtime.engine, world.a.tenant_id, parse_id("ins", after["id"]))
        assert link.installation.credentials["access_token"] == list(shop.tokens)[-1]

    def test_what_the_tenant_called_it_stays(self, world: Any, shop: Shop, browser: Browser) -> None:
        browser.installs(shop)
        made = installations(world.a)["buyers.myshopify.com"]["id"]
        world.a.patch(f"/v1/installations/{made}", {"name": "Buyers", "settings": {"write_back": "all"}})
        browser.installs(shop)
        after = installations(world.a)["buyers.myshopify.com"]
        assert (after["name"], after["settings"]["write_back"]) == ("Buyers", "all")

    def test_fewer_rights_than_asked_are_installed_and_said(self, world: Any, shop: Shop, browser: Browser) -> None:
        shop.scopes = ("write_orders", "read_customers")
        done = browser.installs(shop)
        assert done.status_code == 200
        for missing in ("write_customers", "read_fulfillments", "read_returns", "read_merchant_managed_fulfillment_orders"):
            assert missing in done.text
        assert "read_orders" not in done.text, "writing implies reading"
        assert "write_customers" in installations(world.a)["buyers.myshopify.com"]["status_detail"]

    def test_the_app_s_own_scopes_and_version_count_for_each_of_its_shops(
        self, world: Any, shop: Shop, first: str, browser: Browser
    ) -> None:
        settings = {"scopes": "read_orders,write_orders", "api_version": "2026-07", "write_back_tag": True}
        world.a.patch(f"/v1/installations/{first}", {"settings": settings})
        away = browser.opens(shop)
        assert dict(parse_qsl(urlsplit(away.location).query))["scope"] == "read_orders,write_orders"
        browser.get(grants(away))
        made = installations(world.a)["buyers.myshopify.com"]["settings"]
        assert (made["scopes"], made["api_version"]) == ("read_orders,write_orders", "2026-07")
        assert made["write_back_tag"] is False, "one shop's wish is not another's"

    def test_each_tenant_s_app_installs_for_its_own_tenant(self, world: Any, shop: Shop, browser: Browser) -> None:
        with Shop(
            domain="theirs.myshopify.com", client_id="client-2", client_secret="another app's secret", now=world.clock
        ) as other:
            make(world.b, other)
            assert browser.installs(other).status_code == 200
            assert browser.installs(shop).status_code == 200
        assert set(installations(world.a)) == {"dev.myshopify.com", "buyers.myshopify.com"}
        assert set(installations(world.b)) == {"dev.myshopify.com", "theirs.myshopify.com"}


@pytest.mark.usefixtures("first")
class TestLeavingAndComingBack:
    def leave(self, world: Any, shop: Shop, browser: Browser) -> dict[str, Any]:
        """Install, then take the app out of the shop."""
        browser.installs(shop)
        made: dict[str, Any] = installations(world.a)["buyers.myshopify.com"]
        shop.uninstall()
        body = b'{"id":1,"name":null,"myshopify_domain":null}'
        world.clock.forward(hours=1)
        told = browser.client.post(urlsplit(made["webhook_url"]).path, data=body, headers=shop.headers("app/uninstalled", body))
        assert told.status_code == 200
        assert "buyers.myshopify.com" not in installations(world.a)
        return made

    def test_the_account_has_its_row_and_its_url_again(self, world: Any, shop: Shop, browser: Browser) -> None:
        before = self.leave(world, shop, browser)
        world.clock.forward(days=1)
        assert browser.installs(shop).status_code == 200
        after = installations(world.a)["buyers.myshopify.com"]
        assert (after["id"], after["webhook_url"], after["status"]) == (before["id"], before["webhook_url"], "active")
        assert row_of(world, after["id"]).installed_at == world.clock(), "what happened meanwhile is none of ours"

    def test_what_was_removed_here_stays_removed_and_the_account_begins_anew(
        self, world: Any, shop: Shop, browser: Browser
    ) -> None:
        browser.installs(shop)
        before = installations(world.a)["buyers.myshopify.com"]
        assert world.a.delete(f"/v1/installations/{before['id']}").status_code == 204
        assert browser.installs(shop).status_code == 200
        after = installations(world.a)["buyers.myshopify.com"]
        assert after["id"] != before["id"]
        assert row_of(world, before["id"]).status == "removed"

    def test_what_the_tenant_switched_off_stays_off(self, world: Any, shop: Shop, browser: Browser) -> None:
        browser.installs(shop)
        made = installations(world.a)["buyers.myshopify.com"]["id"]
        away = grants(browser.opens(shop))
        world.a.patch(f"/v1/installations/{made}", {"status": "disabled"})
        for answer in (browser.opens(shop), browser.get(away)):
            assert answer.status_code == 409
            assert is_page(answer)
            assert "switched off" in answer.text
        assert installations(world.a)["buyers.myshopify.com"]["status"] == "disabled"


class TestAnAccountThatAnAdminMade:
    def test_an_admin_installs_by_a_link_that_names_the_installation(self, world: Any, shop: Shop, browser: Browser) -> None:
        own = make(world.a, shop, shop=shop.domain)
        done = browser.get(grants(browser.get(f"/install/shopify?installation={own}")))
        assert done.status_code == 200
        assert installations(world.a)[shop.domain]["id"] == own
        assert "access_token" in installations(world.a)[shop.domain]["credentials_set"]

    def test_an_admin_installs_by_the_shop_s_name(self, world: Any, shop: Shop, browser: Browser) -> None:
        own = make(world.a, shop, shop=shop.domain)
        assert browser.get(grants(browser.get(f"/install/shopify?shop={shop.domain}"))).status_code == 200
        assert list(installations(world.a)) == [shop.domain]
        assert installations(world.a)[shop.domain]["id"] == own

    def test_a_shop_that_two_tenants_know_goes_to_whose_app_signed(self, world: Any, shop: Shop, browser: Browser) -> None:
        make(world.a, shop, shop=shop.domain)
        with Shop(domain=shop.domain, client_id="client-2", client_secret="another app's secret", now=world.clock) as other:
            make(world.b, other, shop=shop.domain)
            assert browser.installs(other).status_code == 200
        assert "access_token" in installations(world.b)[shop.domain]["credentials_set"]
        assert "access_token" not in installations(world.a)[shop.domain]["credentials_set"]

    def test_a_first_installation_whose_app_was_taken_out_comes_back(self, world: Any, shop: Shop, browser: Browser) -> None:
        own = make(world.a, shop, shop=shop.domain)
        url = urlsplit(installations(world.a)[shop.domain]["webhook_url"]).path
        body = b'{"id":1}'
        world.clock.forward(hours=1)
        assert browser.client.post(url, data=body, headers=shop.headers("app/uninstalled", body)).status_code == 200
        assert browser.installs(shop).status_code == 200
        assert installations(world.a)[shop.domain]["id"] == own
