"""What an installation is made of: one spelling of the shop's name, and what is missing named."""

from __future__ import annotations

from typing import Any

import pytest
from bellwire.errors import FieldInvalid
from bellwire.store.accounts import check_credentials, check_settings, visible
from bellwire_connectors.shopify import connector

GIVEN = {"shop": "example.myshopify.com", "client_secret": "hush", "access_token": "shpat_x"}


@pytest.mark.parametrize(
    "typed", ["example", "Example.myshopify.com", "https://example.myshopify.com/admin/orders", " example.myshopify.com\n"]
)
def test_a_shop_is_stored_in_one_spelling(typed: str) -> None:
    assert check_credentials({**GIVEN, "shop": typed}, connector.fields)["shop"] == "example.myshopify.com"


@pytest.mark.parametrize(
    "typed", ["shop.example.com", "example.myshopify.com.evil.example", "user@example.myshopify.com", "a b", "-"]
)
def test_what_is_no_shop_is_refused_with_the_cure(typed: str) -> None:
    with pytest.raises(FieldInvalid, match=r"example\.myshopify\.com") as caught:
        check_credentials({**GIVEN, "shop": typed}, connector.fields)
    assert caught.value.field == "credentials.shop"


@pytest.mark.parametrize("missing", ["shop", "client_secret"])
def test_what_is_missing_is_named(missing: str) -> None:
    with pytest.raises(FieldInvalid) as caught:
        check_credentials({name: value for name, value in GIVEN.items() if name != missing}, connector.fields)
    assert (caught.value.field, caught.value.code) == (f"credentials.{missing}", "required")


def test_an_app_may_be_stored_before_it_has_a_token() -> None:
    assert check_credentials({"shop": "example", "client_id": "1", "client_secret": "x"}, connector.fields)["client_id"] == "1"


def test_secrets_are_not_shown() -> None:
    stored: dict[str, Any] = {**GIVEN, "client_id": "1", "refresh_token": "shprt_x", "scope": "read_orders"}
    assert set(visible(stored, connector.fields)) == {"shop", "client_id", "scope"}


def test_settings_have_their_kinds() -> None:
    made = check_settings(
        {"write_back_tag": True, "base_url": "https://proxy.example"}, connector.settings, {"base_url"}, allow_private=False
    )
    assert (made["api_version"], made["write_back_tag"], made["write_back_note"]) == ("2026-10", True, False)
    with pytest.raises(FieldInvalid, match="write_back_tag"):
        check_settings({"write_back_tag": "sms:failed"}, connector.settings, (), allow_private=False)


def test_the_api_version_may_be_left_out() -> None:
    for given in ({}, {"api_version": None}):
        assert check_settings(given, connector.settings, (), allow_private=False)["api_version"] == "2026-10"


@pytest.mark.parametrize("typed", ["2026-01", "2026-10", "2027-01", " 2027-04\n"])
def test_an_api_version_is_stored_in_one_spelling(typed: str) -> None:
    made = check_settings({"api_version": typed}, connector.settings, (), allow_private=False)
    assert made["api_version"] == typed.strip()


@pytest.mark.parametrize(
    "typed",
    [
        "garbage",
        "2099-13",
        "2099-01",
        "2028-11",
        "2025-10",
        "2025-01",
        "2026-02",
        "2026-1",
        "2026-10-01",
        "unstable",
        "",
        " ",
        202610,
    ],
)
def test_what_is_no_api_version_of_ours_is_refused_with_the_cure(typed: Any) -> None:
    with pytest.raises(FieldInvalid, match="2026-10") as caught:
        check_settings({"api_version": typed}, connector.settings, (), allow_private=False)
    assert caught.value.field == "settings.api_version"
