"""Triggers over HTTP: what is checked, from when they count, how they change."""

from __future__ import annotations

from typing import Any

import pytest
from bellwire.store import triggers

GOOD: dict[str, Any] = {
    "name": "Paid",
    "connector": "shopify",
    "event": "order.paid",
    "all": [{"field": "order.total", "op": ">", "value": "100.00"}],
    "any": [{"field": "customer.email", "op": "exists"}],
    "template": "order_paid",
    "delay": "15m",
    "max_age": 7200,
    "quiet_hours": "21:00-08:00",
    "cap": {"count": 1, "per": "1d"},
    "collapse": True,
}


@pytest.fixture
def ready(world: Any) -> Any:
    """A world with a template."""
    assert world.a.post("/v1/templates", {"name": "order_paid", "bodies": {"en": "Paid"}}).status_code == 201
    return world


def test_a_trigger_is_kept_as_decisions_read_it(ready: Any) -> None:
    made = ready.a.post("/v1/triggers", GOOD)
    assert made.status_code == 201, made.text
    assert (made.json["delay"], made.json["max_age"], made.json["cap"]) == (900, 7200, {"count": 1, "per": 86_400})
    assert (made.json["state"], made.json["active_from"], made.json["recipient"]) == ("off", None, "customer")
    assert made.json["any"] == [{"field": "customer.email", "op": "exists", "value": None}]
    stored = ready.read(lambda connection: triggers.listed(connection, limit=5))
    assert stored.items[0].definition == {
        "all": GOOD["all"],
        "any": GOOD["any"],
        "template": "order_paid",
        "recipient": "customer",
        "purpose": "transactional",
        "delay_s": 900,
        "quiet_hours": "21:00-08:00",
        "max_age_s": 7200,
        "collapse": True,
        "cap": {"count": 1, "window_s": 86_400},
    }


BAD = [
    ("an operator that is none", {"all": [{"field": "order.total", "op": "between", "value": 1}]}, "all.0.op", "not_one_of"),
    ("a value of the wrong kind", {"all": [{"field": "order.total", "op": ">", "value": "many"}]}, "all.0.value", None),
    ("a value that is missing", {"all": [{"field": "order.total", "op": "is"}]}, "all.0.value", None),
    ("a nested group", {"any": [{"field": "x", "op": "exists", "all": []}]}, "any.0.all", "unknown_field"),
    ("a template that is not there", {"template": "nothing"}, "template", "unknown_template"),
    ("a connector that is not installed", {"connector": "shopfy"}, "connector", "unknown_connector"),
    ("an event that it never reports", {"event": "order.payed"}, "event", "unknown_event"),
    ("an installation that is not there", {"installation": "ins_" + "0" * 32}, "installation", "unknown_installation"),
    ("a recipient that is no role", {"recipient": "boss"}, "recipient", "not_one_of"),
    ("a delay that is no time", {"delay": "soon"}, "delay", "wrong_type"),
    ("a negative delay", {"delay": -1}, "delay", "wrong_type"),
    ("a cap without a span", {"cap": {"count": 1}}, "cap.per", "required"),
    ("a cap in no time", {"cap": {"count": 1, "per": 0}}, "cap.per", "out_of_range"),
    ("quiet hours that are none", {"quiet_hours": "late"}, "quiet_hours", None),
    (
        "quiet hours that loosen the country's",
        {"quiet_hours": {"quiet": "22:00-07:00", "loosen": True}},
        "quiet_hours.loosen",
        None,
    ),
    ("a state that is none", {"state": "maybe"}, "state", "not_one_of"),
]


@pytest.mark.parametrize(("label", "change", "field", "code"), BAD, ids=[row[0] for row in BAD])
def test_a_bad_trigger_names_the_field(ready: Any, label: str, change: dict[str, Any], field: str, code: str | None) -> None:
    answer = ready.a.post("/v1/triggers", {**GOOD, **change})
    assert answer.status_code == 422, answer.text
    error = answer.json["errors"][0]
    assert error["field"] == field
    assert code in (None, error["code"])
    assert ready.a.get("/v1/triggers").json["items"] == []


def test_a_misspelt_event_is_told_what_was_meant(ready: Any) -> None:
    (error,) = ready.a.post("/v1/triggers", {**GOOD, "event": "order.payed"}).json["errors"]
    assert "did you mean order.paid?" in error["message"]


def test_switching_on_counts_from_now(ready: Any) -> None:
    trigger = ready.a.post("/v1/triggers", GOOD).json
    ready.clock.forward(hours=3)
    switched = ready.a.patch(f"/v1/triggers/{trigger['id']}", {"state": "on"}).json
    assert (switched["state"], switched["active_from"]) == ("on", "2026-03-02T12:00:00Z")
    ready.clock.forward(hours=1)
    renamed = ready.a.patch(f"/v1/triggers/{trigger['id']}", {"name": "Other"}).json
    assert (renamed["name"], renamed["active_from"]) == ("Other", "2026-03-02T12:00:00Z")
    assert ready.a.patch(f"/v1/triggers/{trigger['id']}", {"state": "off"}).json["active_from"] is None


def test_on_at_creation_counts_from_then(ready: Any) -> None:
    assert ready.a.post("/v1/triggers", {**GOOD, "state": "on"}).json["active_from"] == "2026-03-02T09:00:00Z"


def test_an_idle_cart_waits_an_hour_unless_told_otherwise(ready: Any) -> None:
    cart = {key: value for key, value in GOOD.items() if key != "delay"} | {"event": "checkout.abandoned"}
    assert ready.a.post("/v1/triggers", cart).json["delay"] == 3600
    assert ready.a.post("/v1/triggers", {**cart, "delay": "30m"}).json["delay"] == 1800


def test_a_marketing_template_needs_a_marketing_trigger(ready: Any) -> None:
    ready.a.post("/v1/templates", {"name": "sale", "purpose": "marketing", "bodies": {"en": "Sale. STOP ends"}})
    (error,) = ready.a.post("/v1/triggers", {**GOOD, "template": "sale"}).json["errors"]
    assert (error["field"], error["code"]) == ("purpose", "purpose_mismatch")
    assert ready.a.post("/v1/triggers", {**GOOD, "template": "sale", "purpose": "marketing"}).status_code == 201


def test_put_replaces_and_patch_changes(ready: Any) -> None:
    trigger = ready.a.post("/v1/triggers", GOOD).json
    short = {key: GOOD[key] for key in ("name", "connector", "event", "template")}
    replaced = ready.a.put(f"/v1/triggers/{trigger['id']}", short).json
    assert (replaced["all"], replaced["delay"], replaced["cap"]) == ([], None, None)
    changed = ready.a.patch(f"/v1/triggers/{trigger['id']}", {"delay": "1h", "all": GOOD["all"]}).json
    assert (changed["delay"], len(changed["all"])) == (3600, 1)
    assert ready.a.patch(f"/v1/triggers/{trigger['id']}", {"delay": None}).json["delay"] is None
    assert ready.a.patch(f"/v1/triggers/{trigger['id']}", {"name": None}).status_code == 422


def test_lists_are_filtered(ready: Any) -> None:
    for event, state in (("order.paid", "on"), ("order.created", "off")):
        ready.a.post("/v1/triggers", {**GOOD, "event": event, "state": state})
    assert [one["event"] for one in ready.a.get("/v1/triggers?state=on").json["items"]] == ["order.paid"]
    assert [one["event"] for one in ready.a.get("/v1/triggers?event=order.created").json["items"]] == ["order.created"]
    assert ready.a.get("/v1/triggers?connector=hubspot").json["items"] == []


def test_deleting(ready: Any) -> None:
    trigger = ready.a.post("/v1/triggers", GOOD).json
    assert ready.a.delete(f"/v1/triggers/{trigger['id']}").status_code == 204
    assert ready.a.get(f"/v1/triggers/{trigger['id']}").status_code == 404
