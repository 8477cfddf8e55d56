"""Installations and carrier accounts over HTTP: checked credentials, secrets that are never shown, overlap, URLs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from bellwire.store import carrier_accounts, installations, schema
from bellwire.store.vault import key_hash

SHOP: dict[str, Any] = {
    "connector": "shopify",
    "name": "Main",
    "credentials": {"shop": "example.myshopify.com", "client_secret": "s3cret-one", "access_token": "shpat_hidden"},
}
TWILIO: dict[str, Any] = {
    "carrier": "twilio",
    "name": "Main",
    "credentials": {"account_sid": "AC" + "0" * 32, "auth_token": "t0ken-one"},
    "settings": {"sender_id": "+15550100000", "rate": 50},
}
BOTH = [pytest.param("/v1/installations", SHOP, id="installation"), pytest.param("/v1/carrier-accounts", TWILIO, id="account")]


@pytest.mark.parametrize(("path", "body"), BOTH)
def test_secrets_never_come_back(world: Any, path: str, body: dict[str, Any]) -> None:
    made = world.a.post(path, body)
    assert made.status_code == 201, made.text
    shown = [made.text, world.a.get(path).text, world.a.get(f"{path}/{made.json['id']}").text]
    for secret in ("s3cret-one", "shpat_hidden", "t0ken-one"):
        assert not any(secret in text for text in shown)
    assert made.json["status"] == "active"


def test_the_addresses_to_give_to_the_other_side(world: Any) -> None:
    shop = world.a.post("/v1/installations", SHOP).json
    assert shop["webhook_url"] == f"https://sms.example.com/hooks/shopify/{shop['key']}"
    assert shop["account_ref"] == "example.myshopify.com"
    assert shop["credentials"]["shop"] == "example.myshopify.com"
    assert {"client_secret", "access_token"} <= set(shop["credentials_set"])
    account = world.a.post("/v1/carrier-accounts", TWILIO).json
    assert account["dlr_url"] == f"https://sms.example.com/dlr/twilio/{account['key']}"
    assert account["mo_url"] == f"https://sms.example.com/mo/twilio/{account['key']}"


def test_keys_are_found_by_their_hash(world: Any) -> None:
    shop = world.a.post("/v1/installations", SHOP).json
    with world.store.read() as connection:
        rows = connection.execute(schema.installations.select()).all()
    assert [bytes(row.key_hash) for row in rows] == [key_hash(shop["key"])]
    assert shop["key"].encode() not in bytes(rows[0].key_sealed)


def test_without_a_public_url_there_is_no_address(world: Any) -> None:
    world.runtime.config = type(world.runtime.config)()
    assert world.a.post("/v1/installations", SHOP).json["webhook_url"] is None
    account = world.a.post("/v1/carrier-accounts", TWILIO).json
    assert (account["dlr_url"], account["mo_url"]) == (None, None)


def edited(body: dict[str, Any], part: str, **changes: Any) -> dict[str, Any]:
    return {**body, part: {**body.get(part, {}), **changes}}


def shop(**settings: Any) -> dict[str, Any]:
    return edited(SHOP, "settings", **settings)


def twilio(**settings: Any) -> dict[str, Any]:
    return edited(TWILIO, "settings", **settings)


BAD = [
    ("a credential is missing", edited(SHOP, "credentials", shop=None), "credentials.shop", "required"),
    ("a credential is empty", edited(SHOP, "credentials", shop=""), "credentials.shop", "required"),
    ("an unknown credential", edited(SHOP, "credentials", store="x"), "credentials.store", "unknown_field"),
    ("a credential of the wrong kind", edited(SHOP, "credentials", shop=5), "credentials.shop", "wrong_type"),
    ("an unknown setting", shop(colour="x"), "settings.colour", "unknown_field"),
    ("a private base_url", shop(base_url="https://10.0.0.1"), "settings.base_url", "url_private"),
    ("plain http", shop(base_url="http://example.com"), "settings.base_url", "url_not_https"),
    ("a loopback base_url", twilio(base_url="https://[::1]/"), "settings.base_url", "url_private"),
    ("an overlap too long", shop(secret_overlap_s=10**9), "settings.secret_overlap_s", "out_of_range"),
    ("write_back is none of its words", shop(write_back="maybe"), "settings.write_back", "not_one_of"),
    ("a version that no API has", shop(api_version="2099-13"), "settings.api_version", None),
    ("a version that is emptied", shop(api_version=""), "settings.api_version", "required"),
    ("a connector that is not installed", {**SHOP, "connector": "shop"}, "connector", "unknown_connector"),
    ("a country that is none", {**SHOP, "country": "XX"}, "country", None),
    ("a zone that is none", {**SHOP, "timezone": "Mars/Olympus"}, "timezone", "not_one_of"),
    ("a carrier that is not installed", {**TWILIO, "carrier": "twillio"}, "carrier", "unknown_carrier"),
    ("a rate of nothing", twilio(rate=0), "settings.rate", None),
    ("a price that is none", twilio(prices={"UZ": "cheap"}), "settings.prices.UZ", None),
    ("a price for no country", twilio(prices={"ZZ": "1"}), "settings.prices.ZZ", None),
    ("countries that are no list", twilio(countries="UZ"), "settings.countries", "wrong_type"),
]


def test_a_number_is_taken_where_the_platform_writes_its_ids_as_numbers(world: Any) -> None:
    body = {"connector": "hubspot", "name": "CRM", "credentials": {"portal_id": 4711001, "client_secret": "s", "access_token": "t"}}
    made = world.a.post("/v1/installations", {**body, "settings": {"app_id": 314159}})
    assert made.status_code == 201, made.text
    assert (made.json["account_ref"], made.json["settings"]["app_id"]) == ("4711001", "314159")
    refused = world.a.post("/v1/installations", edited(body, "credentials", portal_id=True))
    assert [error["field"] for error in refused.json["errors"]] == ["credentials.portal_id"]


@pytest.mark.parametrize(("label", "body", "field", "code"), BAD, ids=[row[0] for row in BAD])
def test_a_bad_account_names_the_field(world: Any, label: str, body: dict[str, Any], field: str, code: str | None) -> None:
    answer = world.a.post("/v1/installations" if "connector" in body else "/v1/carrier-accounts", body)
    assert answer.status_code == 422, answer.text
    (error,) = answer.json["errors"]
    assert error["field"] == field
    assert code in (None, error["code"])
    assert "s3cret-one" not in answer.text
    assert "t0ken-one" not in answer.text


def test_a_bad_change_names_the_field_and_changes_nothing(world: Any) -> None:
    made = world.a.post("/v1/installations", SHOP).json
    answer = world.a.patch(f"/v1/installations/{made['id']}", {"settings": {"api_version": "unstable"}})
    assert answer.status_code == 422, answer.text
    (error,) = answer.json["errors"]
    assert error["field"] == "settings.api_version"
    assert "2026-10" in error["message"]
    assert world.a.get(f"/v1/installations/{made['id']}").json["settings"] == made["settings"]


def test_the_own_network_where_it_is_allowed(world: Any) -> None:
    world.runtime.config = type(world.runtime.config)(allow_private_addresses=True)
    answer = world.a.post("/v1/installations", edited(SHOP, "settings", base_url="http://127.0.0.1:9000/"))
    assert answer.json["settings"]["base_url"] == "http://127.0.0.1:9000"


KINDS = [
    pytest.param("/v1/installations", SHOP, "client_secret", "s3cret", installations, id="installation"),
    pytest.param("/v1/carrier-accounts", TWILIO, "auth_token", "t0ken", carrier_accounts, id="account"),
]


@pytest.mark.parametrize(("path", "body", "secret", "word", "store"), KINDS)
def test_a_replaced_secret_stays_valid_for_its_overlap(
    world: Any, path: str, body: dict[str, Any], secret: str, word: str, store: Any
) -> None:
    made = world.a.post(path, body).json
    row_id = UUID(hex=made["id"][4:])

    def old() -> list[tuple[str, timedelta]]:
        kept = world.read(lambda connection: store.get(connection, world.store.vault, row_id))
        return [(one["value"], datetime.fromisoformat(one["until"]) - world.clock()) for one in kept.secrets_old]

    world.a.patch(f"{path}/{made['id']}", {"credentials": {secret: f"{word}-two"}})
    assert old() == [(f"{word}-one", timedelta(days=1))]
    world.clock.forward(hours=1)
    world.a.patch(f"{path}/{made['id']}", {"credentials": {secret: f"{word}-three"}, "settings": {"secret_overlap_s": 60}})
    assert old() == [(f"{word}-two", timedelta(seconds=60)), (f"{word}-one", timedelta(hours=23))]
    world.clock.forward(minutes=2)
    world.a.patch(f"{path}/{made['id']}", {"credentials": {secret: f"{word}-one"}})
    assert old() == [(f"{word}-three", timedelta(seconds=60))], "the one that came back is no old one; the ended one is gone"
    world.a.patch(f"{path}/{made['id']}", {"credentials": {secret: f"{word}-four"}, "settings": {"secret_overlap_s": 0}})
    assert old() == [], "an overlap of 0 ends it at once, and what was replaced before it"


@pytest.mark.parametrize(("path", "body"), BOTH)
def test_credentials_and_settings_are_merged(world: Any, path: str, body: dict[str, Any]) -> None:
    made = world.a.post(path, body).json
    changed = world.a.patch(f"{path}/{made['id']}", {"settings": {"secret_overlap_s": 5}, "name": "Second", "status": "disabled"})
    assert changed.status_code == 200, changed.text
    assert (changed.json["name"], changed.json["status"]) == ("Second", "disabled")
    assert changed.json["settings"] == {**made["settings"], "secret_overlap_s": 5}
    assert changed.json["key"] == made["key"]
    back = world.a.patch(f"{path}/{made['id']}", {"settings": {"secret_overlap_s": None}})
    assert "secret_overlap_s" not in back.json["settings"]


@pytest.mark.parametrize(("path", "body"), BOTH)
def test_removing_ends_it_and_forgets_the_credentials(world: Any, path: str, body: dict[str, Any]) -> None:
    made = world.a.post(path, body).json
    assert world.a.delete(f"{path}/{made['id']}").status_code == 204
    assert world.a.get(f"{path}/{made['id']}").status_code == 404
    assert world.a.get(path).json["items"] == []
    with world.store.read() as connection:
        table = schema.installations if "installations" in path else schema.carrier_accounts
        (row,) = connection.execute(table.select()).all()
    column = f"{table.name}.credentials"
    assert (row.status, world.store.vault.open_json(row.credentials, row.tenant_id, column, row.id)) == ("removed", {})


def test_an_installation_of_nobodys_app_shares_with_nobody(world: Any) -> None:
    for caller in (world.a, world.b):
        caller.post("/v1/installations", SHOP)
    with world.store.read() as connection:
        ids = [row.client_id for row in connection.execute(schema.installations.select())]
    assert len(set(ids)) == 2
