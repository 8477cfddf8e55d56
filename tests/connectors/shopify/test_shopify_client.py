"""The way out to Shopify: tokens, costs, and what each answer becomes."""

from __future__ import annotations

import builtins
import json
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bellwire import (
    PlatformError,
    PlatformRejected,
    PlatformThrottled,
    PlatformUnauthorized,
    PlatformUnavailable,
    PlatformUnreachable,
    Retry,
)
from bellwire_connectors.shopify import connector, sdk
from bellwire_connectors.shopify.answers import retry_after_s
from bellwire_connectors.shopify.client import Admin, rejection
from bellwire_connectors.shopify.operations import NOTE, SET_CONSENT, SHOP, SUBSCRIPTIONS, Operation
from bellwire_connectors.shopify.tokens import usable
from standins.installed import installed
from standins.link import MemoryLink, Vault
from standins.shopify import Fault, Shop
from standins.shopify_graphql import Throttle

OpenLink = Callable[..., MemoryLink]


class TestTheAddress:
    def test_is_the_shop_s_own_and_the_pinned_version_s(self, vault: Vault) -> None:
        own = replace(vault.installation, settings={})
        assert sdk.graphql_url(own) == "https://example.myshopify.com/admin/api/2026-10/graphql.json"
        assert sdk.token_url(own) == "https://example.myshopify.com/admin/oauth/access_token"

    def test_base_url_replaces_the_host_only(self, vault: Vault) -> None:
        there = replace(vault.installation, settings={"base_url": "http://127.0.0.1:9/", "api_version": "2026-07"})
        assert sdk.graphql_url(there) == "http://127.0.0.1:9/admin/api/2026-07/graphql.json"

    @pytest.mark.parametrize("version", ["2099-13", "2026-1", "garbage", "2026-10/../2020-01", " "])
    def test_a_version_that_can_t_be_one_is_refused(self, vault: Vault, version: str) -> None:
        with pytest.raises(PlatformRejected, match="api_version"):
            sdk.graphql_url(replace(vault.installation, settings={"api_version": version}))

    @pytest.mark.parametrize("typed", ["", "evil.example", "evil.example/example.myshopify.com", "a.b.myshopify.com"])
    def test_a_shop_that_can_t_be_one_is_refused(self, vault: Vault, typed: str) -> None:
        with pytest.raises(PlatformRejected, match=r"credentials\.shop"):
            sdk.graphql_url(replace(vault.installation, account_ref=typed, credentials={"shop": typed}))

    def test_an_unsupported_version_has_no_api(self, vault: Vault, open_link: OpenLink) -> None:
        old = replace(vault.installation, settings={**vault.installation.settings, "api_version": "2021-01"})
        with pytest.raises(PlatformRejected, match="no such shop or API version") as caught:
            Admin(open_link(Vault(old))).ask(SHOP)
        assert (caught.value.http_status, caught.value.retry) == (404, Retry.NEVER)

    def test_two_shops_at_once_stay_apart(self, vault: Vault) -> None:
        """The library keeps shop, key and secret in its classes; ours must not meet there."""
        other = replace(vault.installation, account_ref="other.myshopify.com", settings={})
        own = replace(vault.installation, settings={})
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(sdk.graphql_url, [own, other] * 50))
        assert {url.split("/")[2] for url in made[0::2]} == {"example.myshopify.com"}
        assert {url.split("/")[2] for url in made[1::2]} == {"other.myshopify.com"}

    def test_many_calls_leave_nothing_behind(self, link: MemoryLink) -> None:
        sdk.graphql_url(link.installation)
        before = len(sdk._shopify().Session.__subclasses__())
        for _ in range(50):
            sdk.graphql_url(link.installation)
        assert len(sdk._shopify().Session.__subclasses__()) <= before


class TestWithoutTheExtra:
    def test_a_call_names_the_extra(self, link: MemoryLink, monkeypatch: pytest.MonkeyPatch) -> None:
        real = builtins.__import__

        def without(name: str, *args: Any, **kwargs: Any) -> Any:
            if name.partition(".")[0] == "shopify":
                raise ImportError(name)
            return real(name, *args, **kwargs)

        monkeypatch.setattr(builtins, "__import__", without)
        for module in [name for name in sys.modules if name.partition(".")[0] == "shopify"]:
            monkeypatch.delitem(sys.modules, module)
        with pytest.raises(PlatformRejected, match=r"bellwire\[shopify\]") as caught:
            connector.subscribe(link)
        assert caught.value.code == "extra_missing"


class TestAToken:
    def test_that_lasts_is_used_as_it_is(self, shop: Shop, link: MemoryLink) -> None:
        assert Admin(link).ask(SHOP)["shop"]["name"] == "Example Store"
        assert shop.token_calls == []

    def test_that_is_about_to_end_is_renewed_before_it_is_used(self, shop: Shop, open_link: OpenLink) -> None:
        vault = Vault(installed(shop, **shop.expiring_tokens()))
        later = datetime.now(UTC) + timedelta(minutes=56)
        before = vault.installation.credentials
        assert Admin(open_link(vault, now=lambda: later)).ask(SHOP)
        after = vault.installation.credentials
        assert after["access_token"] != before["access_token"]
        assert after["refresh_token"] != before["refresh_token"]
        assert datetime.fromisoformat(after["access_token_expires_at"]) == later.replace(microsecond=later.microsecond) + timedelta(
            hours=1
        )
        assert datetime.fromisoformat(after["refresh_token_expires_at"]) - later == timedelta(days=90)
        assert after["scope"] == ",".join(shop.scopes)
        assert (after["client_id"], after["client_secret"]) == (shop.client_id, shop.client_secret)

    @pytest.mark.parametrize("left_min", [4, -1])
    def test_that_can_t_be_renewed_now_is_used_while_it_lasts(
        self, shop: Shop, open_link: OpenLink, monkeypatch: pytest.MonkeyPatch, left_min: int
    ) -> None:
        vault = Vault(installed(shop, **shop.expiring_tokens()))
        now = datetime.now(UTC) + timedelta(minutes=60 - left_min)
        monkeypatch.setattr(shop, "_exchange", lambda *_: (503, {}, b""))
        if left_min > 0:
            assert Admin(open_link(vault, now=lambda: now)).ask(SHOP)
        else:
            with pytest.raises(PlatformUnavailable):
                Admin(open_link(vault, now=lambda: now))

    def test_that_is_refused_is_renewed_once(self, shop: Shop, open_link: OpenLink) -> None:
        vault = Vault(installed(shop, **shop.expiring_tokens()))
        shop.expire_tokens()
        admin = Admin(open_link(vault))
        assert admin.ask(SHOP)
        assert admin.ask(NOTE, id="gid://shopify/Order/1") == {"order": None}
        assert vault.renewals == 1

    def test_of_eight_jobs_at_once_is_renewed_exactly_once(self, shop: Shop, open_link: OpenLink) -> None:
        vault = Vault(installed(shop, **shop.expiring_tokens()))
        shop.expire_tokens()
        links = [open_link(vault) for _ in range(8)]
        together = threading.Barrier(8)

        def job(link: MemoryLink) -> str:
            together.wait(5)
            return str(Admin(link).ask(SHOP)["shop"]["name"])

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(job, links)) == {"Example Store"}
        assert vault.renewals == 1
        assert [call["grant_type"] for call in shop.token_calls] == ["refresh_token"]

    def test_of_a_dev_dashboard_app_is_had_by_its_secret(self, shop: Shop, open_link: OpenLink) -> None:
        vault = Vault(installed(shop, client_id=shop.client_id))
        assert Admin(open_link(vault)).ask(SHOP)
        shop.expire_tokens()
        assert Admin(open_link(vault)).ask(SHOP)
        assert [call["grant_type"] for call in shop.token_calls] == ["client_credentials", "client_credentials"]
        assert "refresh_token" not in vault.installation.credentials

    def test_of_a_custom_app_can_t_be_renewed(self, shop: Shop, open_link: OpenLink) -> None:
        link = open_link(Vault(installed(shop, access_token="shpat_unknown")))
        with pytest.raises(PlatformUnauthorized) as caught:
            Admin(link).ask(SHOP)
        assert (caught.value.http_status, shop.token_calls) == (401, [])

    def test_that_is_not_there_is_missed_before_anything_is_sent(self, shop: Shop, open_link: OpenLink) -> None:
        with pytest.raises(PlatformUnauthorized, match="no access token"):
            Admin(open_link(Vault(installed(shop, access_token=""))))
        assert shop.calls == []

    def test_after_removal_of_the_app_is_nobody_s(self, shop: Shop, open_link: OpenLink) -> None:
        vault = Vault(installed(shop, **shop.expiring_tokens()))
        shop.uninstall()
        with pytest.raises(PlatformUnauthorized, match="install the app again") as caught:
            Admin(open_link(vault)).ask(SHOP)
        assert (caught.value.http_status, caught.value.code, caught.value.retry) == (400, "invalid_grant", Retry.NEVER)

    def test_refused_also_when_new_is_given_up(self, shop: Shop, open_link: OpenLink) -> None:
        vault = Vault(installed(shop, **shop.expiring_tokens()))
        shop.fail(Fault(401), Fault(401), Fault(401))
        with pytest.raises(PlatformUnauthorized, match="access token is refused"):
            Admin(open_link(vault)).ask(SHOP)
        assert vault.renewals == 1

    @pytest.mark.parametrize(("stored", "used"), [("soon", "soon"), (None, None), ("2026-13-01", "2026-13-01")])
    def test_with_an_unreadable_end_is_used_until_refused(self, shop: Shop, open_link: OpenLink, stored: Any, used: Any) -> None:
        vault = Vault(
            installed(shop, access_token=shop.custom_app_token(), client_id=shop.client_id, access_token_expires_at=stored)
        )
        assert usable(open_link(vault)).credentials["access_token_expires_at"] == used
        assert shop.token_calls == []


class TestTheTokenEndpoint:
    @pytest.mark.parametrize(
        ("reply", "error", "retry"),
        [
            ((429, {"Retry-After": "3.0"}, b"{}"), PlatformThrottled, Retry.LATER),
            ((500, {}, b"oops"), PlatformUnavailable, Retry.LATER),
            ((400, {}, b'{"error":"invalid_grant"}'), PlatformUnauthorized, Retry.NEVER),
            ((401, {}, b"no"), PlatformUnauthorized, Retry.NEVER),
            ((200, {}, b"<html>"), PlatformRejected, Retry.NEVER),
            ((200, {}, b'{"access_token": 7}'), PlatformRejected, Retry.NEVER),
            ((302, {"Location": "https://evil.example/"}, b""), PlatformRejected, Retry.NEVER),
        ],
        ids=["throttled", "down", "invalid grant", "unauthorized", "a page", "no token", "led elsewhere"],
    )
    def test_answers(
        self, shop: Shop, open_link: OpenLink, monkeypatch: pytest.MonkeyPatch, reply: Any, error: type[PlatformError], retry: Retry
    ) -> None:
        vault = Vault(installed(shop, **shop.expiring_tokens()))
        shop.expire_tokens()
        monkeypatch.setattr(shop, "_exchange", lambda *_: reply)
        with pytest.raises(error) as caught:
            Admin(open_link(vault)).ask(SHOP)
        assert caught.value.retry is retry
        assert shop.client_secret not in str(caught.value)

    def test_that_is_not_reached_loses_no_token(self, shop: Shop, open_link: OpenLink) -> None:
        vault = Vault(installed(shop, settings={"base_url": "http://127.0.0.1:1"}, **shop.expiring_tokens()))
        later = datetime.now(UTC) + timedelta(hours=2)
        before = vault.installation
        with pytest.raises(PlatformUnreachable):
            Admin(open_link(vault, now=lambda: later))
        assert vault.installation == before


def coded(code: str) -> Fault:
    return Fault(200, body=json.dumps({"data": {}, "errors": [{"message": "x", "extensions": {"code": code}}]}).encode())


STATUSES = [
    ("a wrong request", Fault(400), PlatformRejected, Retry.NEVER, None),
    ("a frozen shop", Fault(402), PlatformUnavailable, Retry.LATER, None),
    ("a forbidden call", Fault(403), PlatformUnauthorized, Retry.NEVER, None),
    ("no such shop", Fault(404), PlatformRejected, Retry.NEVER, None),
    ("a locked shop", Fault(423), PlatformUnavailable, Retry.LATER, None),
    ("a suspicious call", Fault(430), PlatformThrottled, Retry.LATER, None),
    ("a redirect", Fault(302, {"Location": "https://evil.example/"}), PlatformRejected, Retry.NEVER, None),
    ("Shopify's own error", Fault(500), PlatformUnavailable, Retry.LATER, None),
    ("a gateway's error that says when", Fault(503, {"Retry-After": "12.5"}), PlatformUnavailable, Retry.LATER, 12.5),
    ("a limit that lasts", Fault(429, {"Retry-After": "60.0"}), PlatformThrottled, Retry.LATER, 60.0),
    ("a page instead of JSON", Fault(200, body=b"<html>log in</html>"), PlatformUnavailable, Retry.LATER, None),
    ("a list instead of an object", Fault(200, body=b"[]"), PlatformUnavailable, Retry.LATER, None),
    ("no data", Fault(200, body=b'{"data": null}'), PlatformUnavailable, Retry.LATER, None),
    ("an error without a code", Fault(200, body=b'{"errors": [{"message": "x"}]}'), PlatformRejected, Retry.NEVER, None),
    ("an error as text", Fault(200, body=b'{"errors": "Not Found"}'), PlatformRejected, Retry.NEVER, None),
    ("an error inside Shopify", coded("INTERNAL_SERVER_ERROR"), PlatformUnavailable, Retry.LATER, None),
    ("a missing scope", coded("ACCESS_DENIED"), PlatformUnauthorized, Retry.NEVER, None),
    ("a cut before it was looked at", Fault(cut="before"), PlatformUnreachable, Retry.LATER, None),
    ("a cut after it was done", Fault(cut="after"), PlatformUnreachable, Retry.LATER, None),
]


@pytest.mark.parametrize(("label", "fault", "error", "retry", "retry_after_s"), STATUSES, ids=[row[0] for row in STATUSES])
def test_an_answer(
    shop: Shop, link: MemoryLink, label: str, fault: Fault, error: type[PlatformError], retry: Retry, retry_after_s: float | None
) -> None:
    shop.fail(fault)
    with pytest.raises(PlatformError) as caught:
        Admin(link).ask(SHOP)
    assert type(caught.value) is error
    assert (caught.value.retry, caught.value.retry_after_s) == (retry, retry_after_s)
    token = link.installation.credentials["access_token"]
    assert token not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_our_own_mistake_is_seen_as_one(shop: Shop, link: MemoryLink) -> None:
    with pytest.raises(PlatformRejected, match="undefinedField"):
        Admin(link).ask(Operation("shop", "query Wrong { shop { nonsense } }"))


class TestCost:
    def test_a_throttled_call_waits_as_long_as_the_bucket_says(self, shop: Shop, link: MemoryLink) -> None:
        shop.throttle = Throttle(110, 1000)
        admin = Admin(link)
        started = time.monotonic()
        for _ in range(3):
            admin.ask(SUBSCRIPTIONS)  # 102 points each
        waited = time.monotonic() - started
        assert 0.18 < waited < 2
        assert shop.operations() == ["Subscriptions"] * 3

    def test_a_page_like_the_one_before_waits_before_it_is_refused(self, shop: Shop, link: MemoryLink) -> None:
        shop.throttle = Throttle(110, 1000)
        admin = Admin(link)
        for _ in range(3):
            admin.ask(SUBSCRIPTIONS)
        assert shop.throttle.refused == 0

    def test_another_job_s_use_is_learned_from_the_refusal(
        self, shop: Shop, link: MemoryLink, open_link: OpenLink, vault: Vault
    ) -> None:
        shop.throttle = Throttle(110, 1000)
        Admin(open_link(vault)).ask(SUBSCRIPTIONS)
        Admin(link).ask(SUBSCRIPTIONS)
        assert shop.throttle.refused == 1

    def test_a_long_wait_gives_the_job_back(self, shop: Shop, link: MemoryLink) -> None:
        shop.throttle = Throttle(110, 1)
        Admin(link).ask(SUBSCRIPTIONS)
        started = time.monotonic()
        with pytest.raises(PlatformThrottled) as caught:
            Admin(link).ask(SUBSCRIPTIONS)
        assert caught.value.retry_after_s is not None
        assert 85 < caught.value.retry_after_s < 95
        assert time.monotonic() - started < 5

    def test_a_short_429_is_waited_for(self, shop: Shop, link: MemoryLink) -> None:
        shop.fail(Fault(429, {"Retry-After": "0.01"}), Fault(429, {"Retry-After": "0.01"}))
        assert Admin(link).ask(SHOP)

    def test_a_429_that_does_not_end_is_given_up(self, shop: Shop, link: MemoryLink) -> None:
        shop.fail(*[Fault(429, {"Retry-After": "0.01"})] * 6)
        with pytest.raises(PlatformThrottled):
            Admin(link).ask(SHOP)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("2.0", 2.0), ("0", 0.0), ("-5", 0.0), ("1e9", 3600.0), ("nan", None), ("inf", None), ("soon", None), ("", None)],
)
def test_retry_after_has_fractions_at_shopify(value: str, seconds: float | None) -> None:
    assert retry_after_s({"Retry-After": value}) == seconds


def test_user_errors_name_field_and_code_and_no_number() -> None:

    told = [{"field": ["input", "phone"], "message": "+998 90 000 00 12 is taken", "code": "TAKEN"}]
    made = rejection(SET_CONSENT, told)
    assert str(made) == "shopify SetConsent: input.phone: TAKEN …12 is taken"
    assert (made.code, made.retry) == ("TAKEN", Retry.NEVER)


@pytest.mark.parametrize("errors", ["x", [], [{}], [{"field": None, "message": None}]])
def test_user_errors_of_any_shape_are_a_rejection(errors: Any) -> None:

    assert rejection(SHOP, errors).code == "user_error"
