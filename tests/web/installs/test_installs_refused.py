"""Installing in the browser: what is refused, before the browser leaves and when it comes back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import UUID

import pytest
from bellwire.config import Config
from bellwire.engine import installs as engine_installs
from bellwire.engine.runtime import Engine
from bellwire.errors import PluginBroken
from bellwire.ids import show
from bellwire.model import InstallStart, WebhookRequest
from bellwire_connectors.shopify import connector
from bellwire_web.installs import COOKIE
from standins.merchant import CALLBACK, PUBLIC, Browser, bent, grants, is_page, make, signed, stored
from standins.shopify import Shop

#: What is asked, the query that Shopify signed with it (None: nothing is signed), and the answer. `{first}`: the app's own.
BEGINNINGS: dict[str, tuple[str, dict[str, str] | None, int]] = {
    "an unknown platform": ("/install/nowhere", None, 404),
    "an installation that is none": (f"/install/shopify?installation={show('ins', UUID(int=7))}", None, 404),
    "something that is no id": ("/install/shopify?installation=ins_1%27--", None, 400),
    "another shop, unsigned": ("/install/shopify?shop=victim.myshopify.com", None, 401),
    "another shop, unsigned, for an installation": ("/install/shopify?installation={first}&shop=victim.myshopify.com", None, 401),
    "nothing at all": ("/install/shopify", None, 302),  # the app's own first shop: its admin begins
    "a wrong signature": ("/install/shopify", {"signed with": "another secret"}, 401),
    "no time": ("/install/shopify", {"timestamp": ""}, 401),
    "more than a day ago": ("/install/shopify", {"timestamp": "1"}, 401),
    "a host of somebody's": ("/install/shopify", {"shop": "evil.example"}, 400),
    "a shop's name in front": ("/install/shopify", {"shop": "a.myshopify.com.evil.example"}, 400),
    "a shop's name behind": ("/install/shopify", {"shop": "evil.example/a.myshopify.com"}, 400),
    "a user in front": ("/install/shopify", {"shop": "a.myshopify.com@evil.example"}, 400),
    "a line feed in it": ("/install/shopify", {"shop": "a.myshopify.com\r\nSet-Cookie: x"}, 400),
    "capital letters": ("/install/shopify", {"shop": "A.myshopify.com"}, 400),
    "no bytes of UTF-8": ("/install/shopify?shop=%ff%fe&hmac=%80", None, 401),
    "a NUL": ("/install/shopify?shop=%00&hmac=%00", None, 400),
}


class TestBeginning:
    @pytest.mark.parametrize(("path", "query", "status"), BEGINNINGS.values(), ids=BEGINNINGS)
    def test_what_is_asked_wrongly_is_refused_with_a_page(
        self, world: Any, shop: Shop, first: str, browser: Browser, path: str, query: dict[str, str] | None, status: int
    ) -> None:
        before = stored(world)
        answer = browser.get(path.format(first=first) if query is None else f"{path}?{signed(shop, query)}")
        assert answer.status_code == status, answer.text
        if status == 302:
            assert answer.location.startswith(f"{shop.url}/admin/oauth/authorize?")
        else:
            assert is_page(answer)
            assert "Set-Cookie" not in answer.headers
        assert stored(world) == before

    def test_without_any_app_there_is_nothing_to_install(self, shop: Shop, browser: Browser) -> None:
        assert browser.opens(shop).status_code == 404

    def test_an_app_without_a_client_id_says_so(self, world: Any, shop: Shop, browser: Browser) -> None:
        own = make(world.a, shop, shop=shop.domain, client_id=None)
        answer = browser.get(f"/install/shopify?installation={own}")
        assert (answer.status_code, "client_id" in answer.text) == (502, True)

    def test_an_account_that_is_removed_can_t_be_named(self, world: Any, shop: Shop, first: str, browser: Browser) -> None:
        world.a.delete(f"/v1/installations/{first}")
        assert browser.get(f"/install/shopify?installation={first}").status_code == 404
        assert browser.opens(shop).status_code == 404

    @pytest.mark.usefixtures("first")
    def test_without_a_public_url_nobody_could_come_back(self, world: Any, runtime: Any, shop: Shop) -> None:
        from bellwire_web.app import create_app

        runtime.config = Config(allow_private_addresses=True)
        answer = Browser(world, create_app(runtime).test_client()).opens(shop)
        assert (answer.status_code, "PUBLIC_URL" in answer.text) == (503, True)

    @pytest.mark.parametrize(
        ("redirect", "base"),
        [
            ("https://evil.example/admin/oauth/authorize", ""),
            ("https://buyers.myshopify.com.evil.example/", ""),
            ("https://buyers.myshopify.com@evil.example/", ""),
            ("https://evil.example/buyers.myshopify.com", ""),
            ("http://buyers.myshopify.com/admin", ""),
            ("https://buyers.myshopify.com:8443/admin", ""),
            ("//buyers.myshopify.com/admin", ""),
            ("javascript:alert(1)", ""),
            ("https://buyers.myshopify.com/\r\nSet-Cookie: a=b", ""),
            ("https://buyers.myshopify.com/admin", "https://proxy.example"),
            ("http://proxy.example/admin", "https://proxy.example"),
        ],
    )
    def test_the_browser_is_sent_to_the_platform_and_nowhere_else(self, world: Any, first: str, redirect: str, base: str) -> None:
        world.a.patch(f"/v1/installations/{first}", {"settings": {"base_url": base or None}})
        bad = replace(connector, begin_install=lambda *_: InstallStart(redirect=redirect, account_ref="buyers.myshopify.com"))
        request = WebhookRequest(method="GET", received_at=world.clock())
        strict = Engine(Config(public_url=PUBLIC), world.store, world.runtime.plugins, now=world.clock)
        with pytest.raises(PluginBroken):
            engine_installs.begin(strict, bad, request, installation_id=None, redirect_uri=CALLBACK, state="s")


#: What is done to the URL that the shop sends the browser back to: parameters replaced, something added, or all of it.
RETURNS: dict[str, tuple[dict[str, str | None] | str, int]] = {
    "another state": ({"state": "x" * 43}, 401),
    "no state": ({"state": None}, 401),
    "an empty state": ({"state": ""}, 401),
    "a wrong signature": ({"hmac": "0" * 64}, 401),
    "no signature": ({"hmac": None}, 401),
    "another code": ({"code": "stolen"}, 401),
    "another shop": ({"shop": "victim.myshopify.com"}, 401),
    "an evil shop": ({"shop": "evil.example"}, 401),
    "a parameter more": ("{url}&x=1", 401),
    "the shop twice": ("{url}&shop=victim.myshopify.com", 401),
    "for another platform": ("/install/nowhere/callback", 404),
    "nothing granted": ("/install/shopify/callback?error=access_denied", 400),
    "nothing granted, hostile words": ("/install/shopify/callback?error=<script>alert(1)</script>", 400),
}

#: What comes instead of our cookie; `{0}` is its first part, `{1}` its signature.
COOKIES: dict[str, str] = {
    "none": "",
    "not ours": "x",
    "a character more": "A{0}.{1}",
    "the signature cut": "{0}.{1:.20}",
    "the signature of nothing": ".{1}",
    "no signature": "{0}.",
    "twice": "{0}.{1}{0}.{1}",
    "not ASCII": "é{0}.{1}",
    "long": "A" * 3000,
}


@pytest.mark.usefixtures("first")
class TestComingBack:
    @pytest.mark.parametrize(("bend", "status"), RETURNS.values(), ids=RETURNS)
    def test_what_the_platform_did_not_send_installs_nothing(
        self, world: Any, shop: Shop, browser: Browser, bend: dict[str, str | None] | str, status: int
    ) -> None:
        back = grants(browser.opens(shop))
        before = stored(world)
        answer = browser.get(bend.format(url=back) if isinstance(bend, str) else bent(back, **bend))
        assert answer.status_code == status, answer.text
        assert is_page(answer)
        assert "alert(1)" not in answer.text
        assert (stored(world), shop.token_calls) == (before, [])

    @pytest.mark.parametrize("bent_cookie", COOKIES.values(), ids=COOKIES)
    def test_who_did_not_begin_here_can_t_end_here(self, world: Any, shop: Shop, browser: Browser, bent_cookie: str) -> None:
        away = browser.opens(shop)
        cookie = browser.client.get_cookie(COOKIE, domain="sms.example.com", path="/install/shopify/callback").value
        before = stored(world)
        foreign = Browser(world, world.app.test_client(use_cookies=False))
        head, _, tail = cookie.rpartition(".")
        headers = {"Cookie": f"{COOKIE}={bent_cookie.format(head, tail)}"} if bent_cookie else {}
        answer = foreign.get(grants(away), headers=headers)
        assert answer.status_code == 401
        assert (stored(world), shop.token_calls) == (before, [])

    def test_another_browser_s_return_is_refused(self, world: Any, shop: Shop, browser: Browser) -> None:
        victim = Browser(world, world.app.test_client())
        victim.opens(shop)
        lured = victim.get(grants(browser.opens(shop)))
        assert lured.status_code == 401
        assert shop.token_calls == []

    def test_a_return_counts_once(self, world: Any, shop: Shop, browser: Browser) -> None:
        away = browser.opens(shop)
        cookie = browser.client.get_cookie(COOKIE, domain="sms.example.com", path="/install/shopify/callback").value
        back = grants(away)
        assert browser.get(back).status_code == 200
        before = stored(world)
        again = browser.get(back)
        assert again.status_code == 401, "the cookie is gone"
        kept = Browser(world, world.app.test_client(use_cookies=False)).get(back, headers={"Cookie": f"{COOKIE}={cookie}"})
        assert (kept.status_code, "used before" in kept.text) == (401, True)
        assert len(shop.token_calls) == 1
        assert stored(world) == before

    def test_a_look_ahead_does_not_use_up_the_code(self, shop: Shop, browser: Browser) -> None:
        back = grants(browser.opens(shop))
        parts = urlsplit(back)
        assert browser.client.head(f"{parts.path}?{parts.query}", base_url=PUBLIC).status_code == 405
        assert browser.get(back).status_code == 200

    def test_it_may_take_ten_minutes(self, world: Any, shop: Shop, browser: Browser) -> None:
        back = grants(browser.opens(shop))
        world.clock.forward(minutes=9, seconds=59)
        assert browser.get(back).status_code == 200

    def test_it_may_not_take_longer(self, world: Any, shop: Shop, browser: Browser) -> None:
        back = grants(browser.opens(shop))
        world.clock.forward(minutes=10, seconds=2)
        late = browser.get(back)
        assert (late.status_code, "ten minutes" in late.text) == (401, True)
        assert shop.token_calls == []

    def test_it_comes_back_for_the_account_it_left_for(self, world: Any, shop: Shop, browser: Browser) -> None:
        state = dict(parse_qsl(urlsplit(browser.opens(shop).location).query))["state"]
        shop.domain = "another.myshopify.com"
        before = stored(world)
        answer = browser.get(f"/install/shopify/callback?{urlencode(shop.install_query(state))}")
        assert answer.status_code == 401
        assert stored(world) == before

    @pytest.mark.parametrize("changes", [{"code": ""}, {"shop": "evil.example"}], ids=["no code", "a host that is no shop's"])
    def test_a_signed_return_must_still_make_sense(self, shop: Shop, browser: Browser, changes: dict[str, str]) -> None:
        state = dict(parse_qsl(urlsplit(browser.opens(shop).location).query))["state"]
        answer = browser.get(f"/install/shopify/callback?{urlencode(shop.install_query(state, **changes))}")
        assert (answer.status_code, shop.token_calls) == (400, [])

    def test_a_code_that_the_platform_refuses(self, world: Any, shop: Shop, browser: Browser) -> None:
        back = grants(browser.opens(shop))
        shop.codes.clear()
        before = stored(world)
        answer = browser.get(back)
        assert answer.status_code == 502
        assert is_page(answer)
        assert stored(world) == before

    def test_a_platform_that_does_not_answer(self, world: Any, shop: Shop, first: str, browser: Browser) -> None:
        back = grants(browser.opens(shop))
        world.a.patch(f"/v1/installations/{first}", {"settings": {"base_url": "http://127.0.0.1:1"}})
        assert browser.get(back).status_code == 502

    def test_a_store_that_can_t_write(self, world: Any, shop: Shop, browser: Browser) -> None:
        back = grants(browser.opens(shop))
        world.store.writer.close()
        answer = browser.get(back)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert shop.token_calls == [], "the code is still good"
