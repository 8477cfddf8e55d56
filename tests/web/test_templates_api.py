"""Templates over HTTP: drafts, versions, four eyes, what blocks an approval, previews."""

from __future__ import annotations

from typing import Any

import pytest
from bellwire.domain.scopes import Scope

PAID = {"name": "order_paid", "bodies": {"en": "Order {{ order.name }} is paid.", "uz": "{{ order.name }} to'landi."}}


def made(world: Any, **more: Any) -> Any:
    answer = world.a.post("/v1/templates", {**PAID, **more})
    assert answer.status_code == 201, answer.text
    return answer.json


def version_of(world: Any) -> int:
    from bellwire.store import schema

    with world.store.read() as connection:
        tenant = schema.tenants.c
        return connection.execute(schema.tenants.select().where(tenant.id == world.a.tenant_id)).one().config_version


def test_version_1_is_a_draft(world: Any) -> None:
    template = made(world)
    assert (template["version"], template["state"], template["approved_version"]) == (1, "draft", None)
    assert template["versions"][0]["bodies"] == PAID["bodies"]
    assert template["versions"][0]["author"] == f"key_{world.a.key_id.hex}"
    assert world.a.get("/v1/templates/order_paid").json == template
    assert [one["name"] for one in world.a.get("/v1/templates").json["items"]] == ["order_paid"]


@pytest.mark.parametrize(
    ("label", "change", "field", "code"),
    [
        ("a body that is no Liquid", {"bodies": {"en": "Hi {{ name"}}, "bodies.en", "template_invalid"),
        ("an unknown filter", {"bodies": {"en": "{{ name | shout }}"}}, "bodies.en", "template_invalid"),
        ("no body", {"bodies": {}}, "bodies", "too_short"),
        ("a locale that is none", {"bodies": {"english please": "Hi"}}, "bodies.english please", "pattern"),
        ("one locale twice", {"bodies": {"en-US": "Hi", "en_us": "Hi"}}, "bodies.en_us", "locale_invalid"),
        ("a name with a slash", {"name": "a/b"}, "name", "pattern"),
        ("a name that stands for something else", {"name": "preview"}, "name", "reserved"),
        ("an unknown purpose", {"purpose": "news"}, "purpose", "not_one_of"),
        ("more than 4 kB", {"bodies": {"en": "x" * 4097}}, "bodies.en", "too_long"),
    ],
)
def test_a_bad_template_names_the_field(world: Any, label: str, change: dict[str, Any], field: str, code: str) -> None:
    answer = world.a.post("/v1/templates", {**PAID, **change})
    assert (answer.status_code, answer.json["errors"][0]["field"], answer.json["errors"][0]["code"]) == (422, field, code)


def test_a_parse_error_names_its_line(world: Any) -> None:
    answer = world.a.post("/v1/templates", {**PAID, "bodies": {"en": "one\ntwo {% if %}"}})
    assert answer.json["errors"][0]["message"].startswith("line 2: ")


def test_a_name_is_given_once_and_again_after_deletion(world: Any) -> None:
    made(world)
    assert world.a.post("/v1/templates", PAID).json["code"] == "already_exists"
    assert world.a.delete("/v1/templates/order_paid").status_code == 204
    assert world.a.get("/v1/templates/order_paid").status_code == 404
    assert made(world)["version"] == 2


def test_approving_makes_one_version_the_one_that_is_sent(world: Any) -> None:
    made(world)
    before = version_of(world)
    first = world.a.post("/v1/templates/order_paid/versions/1/approve")
    assert (first.status_code, first.json["state"]) == (200, "approved")
    assert version_of(world) > before
    second = world.a.post("/v1/templates/order_paid/versions", {"bodies": {"en": "Paid: {{ order.name }}"}})
    assert (second.status_code, second.json["number"], second.json["state"]) == (201, 2, "draft")
    world.a.post("/v1/templates/order_paid/versions/2/approve")
    states = {one["number"]: one["state"] for one in world.a.get("/v1/templates/order_paid").json["versions"]}
    assert states == {1: "retired", 2: "approved"}
    world.a.post("/v1/templates/order_paid/versions/1/approve")
    assert world.a.get("/v1/templates/order_paid").json["approved_version"] == 1


def test_retiring_the_last_approved_version_leaves_none(world: Any) -> None:
    made(world)
    world.a.post("/v1/templates/order_paid/versions/1/approve")
    assert world.a.post("/v1/templates/order_paid/versions/1/retire").json["state"] == "retired"
    assert world.a.get("/v1/templates/order_paid").json["approved_version"] is None


def test_the_author_approves_only_while_nobody_else_can(world: Any) -> None:
    made(world)
    other = world.caller([Scope.TEMPLATES_APPROVE])
    refused = world.a.post("/v1/templates/order_paid/versions/1/approve")
    assert (refused.status_code, refused.json["code"]) == (403, "four_eyes")
    approved = other.post("/v1/templates/order_paid/versions/1/approve")
    assert (approved.status_code, approved.json["approver"]) == (200, f"key_{other.key_id.hex}")


def test_a_revoked_approver_does_not_count(world: Any) -> None:
    made(world)
    other = world.caller([Scope.TEMPLATES_APPROVE])
    world.a.delete(f"/v1/keys/key_{other.key_id.hex}")
    assert world.a.post("/v1/templates/order_paid/versions/1/approve").status_code == 200


BLOCKED = [
    ("a misspelt order field", "transactional", "{{ order.nmae }}", "unknown_variable"),
    ("marketing without the way out", "marketing", "Sale at {{ shop.name }}", "opt_out_missing"),
]


@pytest.mark.parametrize(("label", "purpose", "body", "code"), BLOCKED, ids=[row[0] for row in BLOCKED])
def test_what_blocks_an_approval(world: Any, label: str, purpose: str, body: str, code: str) -> None:
    made(world, purpose=purpose, bodies={"en": body})
    answer = world.a.post("/v1/templates/order_paid/versions/1/approve")
    assert answer.status_code == 422
    assert (answer.json["errors"][0]["field"], answer.json["errors"][0]["code"]) == ("bodies.en", code)
    assert world.a.get("/v1/templates/order_paid").json["approved_version"] is None
    lint = world.a.get("/v1/templates/order_paid/versions/1/lint").json
    assert lint["blocks"] is True


PASSES = [
    ("a caller's own variable", "otp", "Your code is {{ code }}"),
    ("a documented field", "transactional", "{{ order.total }} {{ tracking.url }}"),
    ("marketing with the way out", "marketing", "Sale! Reply STOP to end, {{ shop.name }}"),
]


@pytest.mark.parametrize(("label", "purpose", "body"), PASSES, ids=[row[0] for row in PASSES])
def test_what_may_be_approved(world: Any, label: str, purpose: str, body: str) -> None:
    made(world, purpose=purpose, bodies={"en": body})
    answer = world.a.post("/v1/templates/order_paid/versions/1/approve")
    assert answer.status_code == 200, answer.text


def test_warnings_stand_beside_an_approval(world: Any) -> None:
    made(world, bodies={"en": "Order “{{ order.name }}” is paid"})
    findings = world.a.post("/v1/templates/order_paid/versions/1/approve").json["findings"]
    assert {"ucs2", "warning", "en"} <= {value for one in findings for value in one.values()}


def test_options_are_merged_and_taken_out(world: Any) -> None:
    made(world, max_segments=2, collection=True)
    changed = world.a.patch("/v1/templates/order_paid", {"max_segments": None, "transliterate": ["croatian"]}).json
    assert (changed["max_segments"], changed["collection"], changed["transliterate"]) == (None, True, ["croatian"])


def test_the_purpose_stays_while_a_version_is_approved(world: Any) -> None:
    made(world)
    assert world.a.patch("/v1/templates/order_paid", {"purpose": "otp"}).status_code == 200
    world.a.post("/v1/templates/order_paid/versions/1/approve")
    assert world.a.patch("/v1/templates/order_paid", {"purpose": "marketing"}).json["code"] == "template_approved"


def test_a_template_in_use_is_not_deleted(world: Any) -> None:
    made(world)
    trigger = {"name": "t", "connector": "shopify", "event": "order.paid", "template": "order_paid", "state": "shadow"}
    assert world.a.post("/v1/triggers", trigger).status_code == 201
    assert world.a.delete("/v1/templates/order_paid").json["code"] == "template_in_use"


# -- previews -----------------------------------------------------------------------------------------------------


def test_a_preview_tells_text_size_and_what_is_missing(world: Any) -> None:
    answer = world.a.post(
        "/v1/templates/preview", {"body": "Order {{ order.name }}: {{ tracking.url }}", "variables": {"order": {"name": "#7"}}}
    ).json
    assert answer["text"] == "Order #7: <tracking.url>"
    assert answer["unknown_variables"] == ["tracking.url"]
    assert (answer["encoding"], answer["segments"], answer["units"], answer["cost"]) == ("gsm7", 1, 24, None)


@pytest.mark.parametrize(("field", "value"), [("country", "ZZ"), ("timezone", "Mars/Olympus")])
def test_a_preview_for_no_place_on_earth(world: Any, field: str, value: str) -> None:
    answer = world.a.post("/v1/templates/preview", {"body": "Hi", field: value})
    assert (answer.status_code, [error["field"] for error in answer.json["errors"]]) == (422, [field])


def test_a_preview_names_the_guilty_and_shows_both(world: Any) -> None:
    answer = world.a.post("/v1/templates/preview", {"body": "It’s here"}).json
    assert (answer["encoding"], answer["units"]) == ("ucs2", 9)
    assert [one["codepoint"] for one in answer["guilty"]] == ["U+2019"]
    short = world.a.post("/v1/templates/preview", {"body": "It’s here, and it is long enough to need two segments" + "!" * 30}).json
    assert (short["segments"], short["smart"]["segments"], short["smart"]["encoding"]) == (2, 1, "gsm7")


def test_a_preview_of_a_stored_template_in_another_language(world: Any) -> None:
    made(world)
    body = {"template": "order_paid", "locale": "uz-Latn-UZ", "variables": {"order.name": "#7"}}
    answer = world.a.post("/v1/templates/preview", body).json
    assert (answer["text"], answer["locale"]) == ("#7 to'landi.", "uz")


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 422, "body"),
        ({"body": "x", "template": "y"}, 422, "body"),
        ({"body": "{{ x"}, 422, "body"),
        ({"body": "x", "event": "evt_" + "0" * 32}, 422, "event"),
        ({"template": "nothing"}, 404, None),
    ],
)
def test_a_preview_that_can_not_be(world: Any, body: dict[str, Any], status: int, field: str | None) -> None:
    answer = world.a.post("/v1/templates/preview", body)
    assert answer.status_code == status
    assert [one["field"] for one in answer.json["errors"]] == ([field] if field else [])


def test_a_preview_costs_by_the_routes_price_list(world: Any) -> None:
    account = {"carrier": "sandbox", "name": "s", "settings": {"sender_id": "Acme", "prices": {"UZ": "0.012"}, "currency": "USD"}}
    assert world.a.post("/v1/carrier-accounts", account).status_code == 201
    answer = world.a.post("/v1/templates/preview", {"body": "x" * 200}).json
    assert (answer["segments"], answer["cost"], answer["currency"]) == (2, "0.024", "USD")


# -- the names of languages ---------------------------------------------------------------------------------------


WRITTEN = [
    ("es-CO", "es-CO"),
    ("es_co", "es-CO"),
    ("uz_latn_uz", "uz-Latn-UZ"),
    ("ZH-hans", "zh-Hans"),
    ("hr", "hr"),
    ("en_US.UTF-8", "en-US"),
]
NO_LOCALES = ["spanish", "e", "es-", "es-CO-", "es CO", "es-Colombia-", "en-foo", "", "x" * 36, "es\x00"]


@pytest.mark.parametrize(("written", "proper"), WRITTEN)
def test_a_locale_is_kept_by_its_proper_name_wherever_it_is_given(world: Any, written: str, proper: str) -> None:
    assert world.a.patch("/v1/tenant", {"locale": written}).json["locale"] == proper
    template = world.a.post("/v1/templates", {**PAID, "bodies": {written: "Hi"}}).json
    assert list(template["versions"][0]["bodies"]) == [proper]
    shown = world.a.post("/v1/templates/preview", {"body": "Hi", "locale": written})
    assert (shown.status_code, shown.json["locale"]) == (200, proper)


@pytest.mark.parametrize("written", NO_LOCALES)
def test_what_is_no_locale_is_refused_with_an_example(world: Any, written: str) -> None:
    for answer, field in (
        (world.a.patch("/v1/tenant", {"locale": written}), "locale"),
        (world.a.post("/v1/templates", {**PAID, "bodies": {written: "Hi"}}), f"bodies.{written}"),
        (world.a.post("/v1/messages", {"to": "+998901234567", "body": "Hi", "locale": written}), "locale"),
    ):
        [error] = answer.json["errors"]
        assert (answer.status_code, error["field"], error["code"]) == (422, field, "pattern")
        assert "es-CO" in error["message"]
