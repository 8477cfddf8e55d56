"""Routes, callbacks and the tenant's own settings over HTTP."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from bellwire.ids import new_id
from bellwire.store import schema

HOOK = {"url": "https://example.com/sms-events", "types": ["message.delivered", "reply.received"]}


@pytest.fixture
def accounts(world: Any) -> list[str]:
    """Two sandbox accounts of tenant A, in order of creation."""
    return [
        world.a.post("/v1/carrier-accounts", {"carrier": "sandbox", "name": name, "settings": {"sender_id": name}}).json["id"]
        for name in ("First", "Second")
    ]


# -- routes -------------------------------------------------------------------------------------------------------


def test_without_a_policy_accounts_go_by_their_creation(world: Any, accounts: list[str]) -> None:
    none = world.a.get("/v1/routes")
    assert (none.status_code, none.json["code"]) == (404, "not_found")
    assert none.json["detail"] == "there is no route policy yet: accounts are taken in the order of their creation"
    way = world.a.post("/v1/routes/simulate", {"to": "+998900000001"}).json
    assert (way["account"], way["carrier"], way["sender_id"], way["reason"]) == (accounts[0], "sandbox", "First", None)


def test_every_change_is_a_version_that_can_be_gone_back_to(world: Any, accounts: list[str]) -> None:
    first = world.a.put("/v1/routes", {"primary": [accounts[1]]})
    assert (first.status_code, first.json["version"], first.json["on_ambiguous"]) == (200, 1, "wait")
    rule = {"country": ["HR"], "primary": [accounts[0]], "on_ambiguous": "backup"}
    second = world.a.put("/v1/routes", {"primary": [accounts[1]], "backup": [accounts[0]], "rules": [rule]}).json
    assert (second["version"], second["rules"][0]["country"], second["rules"][0]["sender_id"]) == (2, ["HR"], None)
    assert world.a.post("/v1/routes/simulate", {"country": "UZ"}).json["account"] == accounts[1]
    assert world.a.post("/v1/routes/simulate", {"country": "HR"}).json["account"] == accounts[0]
    back = world.a.post("/v1/routes/rollback", {"version": 1})
    assert (back.status_code, back.json["version"], back.json["backup"]) == (200, 3, [])
    assert world.a.get("/v1/routes").json == back.json
    page = world.a.get("/v1/routes/versions?limit=2").json
    assert [one["version"] for one in page["items"]] == [3, 2]
    assert [one["version"] for one in world.a.get(f"/v1/routes/versions?cursor={page['next']}").json["items"]] == [1]


def test_another_policy_can_be_tried(world: Any, accounts: list[str]) -> None:
    way = world.a.post("/v1/routes/simulate", {"country": "UZ", "policy": {"primary": [accounts[1]]}}).json
    assert (way["account"], way["is_backup"]) == (accounts[1], False)
    none = world.a.post("/v1/routes/simulate", {"country": "UZ", "carrier": "twilio"}).json
    assert (none["account"], none["reason"]) == (None, "no_route")
    assert "not at twilio" in none["line"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"primary": []}, "primary"),
        ({"primary": ["acc_" + "0" * 32]}, "primary.0"),
        ({"primary": ["twilio"]}, "primary.0"),
        ({"backup": []}, "primary"),
        ({"primary": ["{0}"], "rules": [{"primary": ["{0}"]}]}, "rules.0"),
        ({"primary": ["{0}"], "rules": [{"country": ["XX"]}]}, "rules.0.country.0"),
        ({"primary": ["{0}"], "rules": [{"purpose": ["marketing"], "on_ambiguous": "backup"}]}, "rules.0.on_ambiguous"),
        ({"primary": ["{0}", "{0}"]}, "primary.1"),
    ],
)
def test_a_bad_policy_names_the_place(world: Any, accounts: list[str], body: dict[str, Any], field: str) -> None:

    answer = world.a.put("/v1/routes", json.loads(json.dumps(body).replace("{0}", accounts[0])))
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, field)
    assert world.a.get("/v1/routes/versions").json["items"] == []


def test_nobody_routes_by_another_tenants_account(world: Any, accounts: list[str]) -> None:
    answer = world.b.put("/v1/routes", {"primary": [accounts[0]]})
    assert (answer.status_code, answer.json["errors"][0]["code"]) == (422, "unknown_carrier_account")


@pytest.mark.parametrize("body", [{}, {"to": "+998900000001", "country": "UZ"}, {"to": "nobody"}])
def test_a_simulation_needs_one_place(world: Any, body: dict[str, Any]) -> None:
    assert world.a.post("/v1/routes/simulate", body).json["errors"][0]["field"] == "to"


# -- callbacks ----------------------------------------------------------------------------------------------------


def test_a_secret_is_shown_once(world: Any) -> None:
    made = world.a.post("/v1/callbacks", HOOK)
    assert made.status_code == 201
    secret = made.json["secret"]
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) >= 24
    shown = world.a.get(f"/v1/callbacks/{made.json['id']}")
    assert "secret" not in shown.json
    assert secret not in shown.text + world.a.get("/v1/callbacks").text
    other = world.b.post("/v1/callbacks", HOOK).json["secret"]
    assert other != secret


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"url": "http://example.com/"}, "url", "url_not_https"),
        ({"url": "https://127.0.0.1/"}, "url", "url_private"),
        ({"url": "https://me:pw@example.com/"}, "url", "url_credentials"),
        ({"types": []}, "types", "too_short"),
        ({"types": ["message.read"]}, "types.0", "not_one_of"),
        ({"types": ["message.sending"]}, "types.0", "not_one_of"),
    ],
)
def test_a_bad_callback_names_the_field(world: Any, change: dict[str, Any], field: str, code: str) -> None:
    answer = world.a.post("/v1/callbacks", {**HOOK, **change})
    assert (answer.status_code, answer.json["errors"][0]["field"], answer.json["errors"][0]["code"]) == (422, field, code)


def test_a_callback_is_changed_switched_and_deleted(world: Any) -> None:
    made = world.a.post("/v1/callbacks", HOOK).json
    changed = world.a.patch(f"/v1/callbacks/{made['id']}", {"status": "disabled", "types": ["consent.changed"]}).json
    assert (changed["status"], changed["types"], changed["url"]) == ("disabled", ["consent.changed"], HOOK["url"])
    assert world.a.patch(f"/v1/callbacks/{made['id']}", {"url": "https://10.0.0.1/"}).status_code == 422
    assert world.a.delete(f"/v1/callbacks/{made['id']}").status_code == 204
    assert world.a.get(f"/v1/callbacks/{made['id']}").status_code == 404


def test_what_failed_is_sent_again(world: Any) -> None:
    made = world.a.post("/v1/callbacks", HOOK).json
    endpoint, now = UUID(hex=made["id"][4:]), world.clock()

    def job(status: int, age: timedelta) -> dict[str, Any]:
        return {
            "id": new_id(),
            "endpoint_id": endpoint,
            "type": "message.delivered",
            "body": b"sealed",
            "created_at": now - age,
            "status": status,
            "attempts": 9,
            "due": now,
        }

    hour = timedelta(hours=1)
    rows = [
        job(schema.JOB_FAILED, hour),
        job(schema.JOB_DONE, hour),
        job(schema.JOB_FAILED, 5 * hour),
        job(schema.JOB_QUEUED, hour),
        {**job(schema.JOB_QUEUED, hour), "due": now + hour},  # it failed, and would be tried again in an hour
        {**job(schema.JOB_QUEUED, hour), "due": now + hour, "attempts": 0},  # it waits behind that one, untried
    ]
    world.write(lambda connection: connection.insert(schema.callbacks, rows))
    path = f"/v1/callbacks/{made['id']}/redeliver"
    assert world.a.post(path, {"since": "2026-03-02T07:00:00Z"}).json == {"count": 2}
    assert world.a.post(path, {"since": "2026-03-02T00:00:00Z", "all": True}).json == {"count": 2}
    with world.store.read() as connection:
        found = connection.execute(schema.callbacks.select()).all()
    assert {row.status for row in found} == {schema.JOB_QUEUED}
    assert [row.attempts for row in found if row.due > now] == [0]


# -- the tenant ---------------------------------------------------------------------------------------------------


def test_settings_are_merged_and_taken_out(world: Any) -> None:
    settings = {
        "countries": ["UZ", "kz"],
        "consent": {"transactional": "explicit"},
        "expires_in": {"otp": "5m"},
        "links": ["example.com"],
    }
    changed = world.a.patch("/v1/tenant", {"name": "Acme", "timezone": "Europe/Zagreb", "settings": settings})
    assert changed.status_code == 200, changed.text
    assert changed.json["settings"] == {**settings, "countries": ["KZ", "UZ"], "expires_in": {"otp": 300}}
    assert (changed.json["name"], changed.json["timezone"]) == ("Acme", "Europe/Zagreb")
    out = world.a.patch("/v1/tenant", {"settings": {"consent": None}}).json
    assert "consent" not in out["settings"]
    assert out["settings"]["countries"] == ["KZ", "UZ"]
    assert world.b.get("/v1/tenant").json["settings"] == {}


def test_settings_decide(world: Any, accounts: list[str]) -> None:
    world.a.patch("/v1/tenant", {"settings": {"countries": ["HR"]}})
    assert world.a.post("/v1/messages", {"to": "+998900000001", "body": "x"}).json["reason"] == "country_not_allowed"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"country": "XX"}, "country"),
        ({"timezone": "Mars"}, "timezone"),
        ({"settings": {"colour": 1}}, "settings.colour"),
        ({"settings": {"consent": {"transactional": "maybe"}}}, "settings.consent.transactional"),
        ({"settings": {"consent": {"double": True}}}, "settings.consent.double"),
        ({"settings": {"quiet_hours": "late"}}, "settings.quiet_hours"),
        ({"settings": {"countries": "UZ"}}, "settings.countries"),
        ({"settings": {"countries": ["ZZ"]}}, "settings.countries.0"),
        ({"settings": {"currency": "dollar"}}, "settings.currency"),
        ({"settings": {"links": ["https://example.com"]}}, "settings.links.0"),
        ({"settings": {"expires_in": {"otp": "30d"}}}, "settings.expires_in.otp"),
        ({"settings": {"expires_in": {"sms": "1h"}}}, "settings.expires_in.sms"),
        ({"settings": {"keywords": ["KIFAYA"]}}, "settings.keywords"),
        ({"settings": {"keywords": {"pause": ["KIFAYA"]}}}, "settings.keywords.pause"),
        ({"settings": {"keywords": {"stop": "KIFAYA"}}}, "settings.keywords.stop"),
        ({"settings": {"keywords": {"stop": ["KIFAYA", ""]}}}, "settings.keywords.stop.1"),
        ({"settings": {"keywords": {"stop": ["!!!"]}}}, "settings.keywords.stop.0"),
        ({"settings": {"keywords": {"stop": ["KIFAYA"], "help": ["kifaya!"]}}}, "settings.keywords."),
        ({"settings": {"keywords": {"start": ["Stop"]}}}, "settings.keywords.start.0"),
    ],
)
def test_a_bad_setting_names_the_place(world: Any, change: dict[str, Any], field: str) -> None:
    answer = world.a.patch("/v1/tenant", change)
    assert answer.status_code == 422, answer.text
    assert answer.json["errors"][0]["field"].startswith(field)
