"""Trying triggers, judging events again, asking the other side: over HTTP, on events that really came in."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from bellwire import testing
from bellwire.store import schema

TO = "+998900000001"


@pytest.fixture
def shop(world: Any) -> Any:
    """A shop that is connected, with an approved template and the sandbox to send by."""
    connector = world.runtime.plugins.connectors["shopify"]
    made = testing.installation(connector)
    known = {field.name for field in connector.fields}
    credentials = {name: value for name, value in made.credentials.items() if name in known}
    body = {"connector": "shopify", "name": "Shop", "credentials": credentials}
    installed = world.a.post("/v1/installations", body)
    assert installed.status_code == 201, installed.text
    world.a.post("/v1/carrier-accounts", {"carrier": "sandbox", "name": "s", "settings": {"sender_id": "Acme", "price": "0.01"}})
    world.a.post("/v1/templates", {"name": "paid", "bodies": {"en": "Order {{ order.name }}: {{ order.total }}"}})
    assert world.a.post("/v1/templates/paid/versions/1/approve").status_code == 200
    return Shop(world, connector, made, installed.json)


class Shop:
    """Posts signed samples as the shop would."""

    def __init__(self, world: Any, connector: Any, made: Any, installed: Any) -> None:
        self.world, self.connector, self.made, self.installed = world, connector, made, installed

    def report(self, sample: str) -> str:
        """The id of the event that a sample made."""
        request = self.connector.sign(testing.sample(self.connector.samples, sample), self.made)
        path = self.installed["webhook_url"].removeprefix("https://sms.example.com")
        answer = self.world.app.test_client().post(path, data=request.body, headers=dict(request.headers))
        assert answer.status_code == 200, answer.text
        event: str = answer.json["events"][0]
        return event

    def trigger(self, **more: Any) -> Any:
        body = {"name": "Paid", "connector": "shopify", "event": "order.paid", "template": "paid", **more}
        answer = self.world.a.post("/v1/triggers", body)
        assert answer.status_code == 201, answer.text
        return answer.json


def messages(world: Any) -> int:
    with world.store.read() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(schema.messages)).scalar_one())


def test_a_real_event_tells_why_a_text_was_sent(world: Any, shop: Shop) -> None:
    trigger = shop.trigger(state="on", all=[{"field": "order.total", "op": ">", "value": "1"}])
    event = world.a.get(f"/v1/events/{shop.report('order_paid')}").json
    (decision,) = event["decisions"]
    assert (decision["trigger"], decision["trigger_id"], decision["outcome"]) == ("Paid", trigger["id"], "sent")
    message = world.a.get(f"/v1/messages/{decision['message']}").json
    assert (message["event"], message["trigger"], message["trigger_id"]) == (event["id"], "Paid", trigger["id"])
    assert message["text"] == f"Order {event['data']['order.name']}: {event['data']['order.total']}"
    assert message["why"][0]["outcome"] == "sent"
    assert "order.total" in message["why"][0]["detail"]
    assert [one["id"] for one in world.a.get(f"/v1/messages?trigger={trigger['id']}").json["items"]] == [message["id"]]
    assert [one["id"] for one in world.a.get("/v1/messages?trigger=Paid").json["items"]] == [message["id"]]
    assert [one["id"] for one in world.a.get(f"/v1/messages?event={event['id']}").json["items"]] == [message["id"]]


def test_a_text_keeps_the_name_of_the_trigger_that_made_it(world: Any, shop: Shop) -> None:
    trigger = shop.trigger(state="on")
    event = world.a.get(f"/v1/events/{shop.report('order_paid')}").json
    assert world.a.delete(f"/v1/triggers/{trigger['id']}").status_code == 204
    message = world.a.get(f"/v1/messages/{event['decisions'][0]['message']}").json
    assert (message["trigger"], message["trigger_id"]) == ("Paid", trigger["id"])


# -- trying a trigger ---------------------------------------------------------------------------------------------


def test_a_trigger_is_tried_on_a_past_event_and_sends_nothing(world: Any, shop: Shop) -> None:
    event = shop.report("order_paid")
    trigger = shop.trigger(all=[{"field": "order.total", "op": ">", "value": "1"}], delay="1h")
    world.clock.forward(hours=5)
    before = messages(world)
    tried = world.a.post(f"/v1/triggers/{trigger['id']}/test", {"event": event})
    assert tried.status_code == 200, tried.text
    shown = tried.json
    assert (shown["event"], shown["outcome"], shown["reason"], shown["sender_id"]) == (event, "sent", None, "Acme")
    assert [(one["place"], one["matched"]) for one in shown["conditions"]] == [("all.0", True)]
    assert shown["text"].startswith("Order ")
    assert (shown["segments"], shown["encoding"], shown["send_at"]) == (1, "gsm7", "2026-03-02T15:00:00Z")
    assert messages(world) == before
    newest = world.a.post(f"/v1/triggers/{trigger['id']}/test").json
    assert newest["event"] == event


def test_a_trigger_that_does_not_match_says_which_line(world: Any, shop: Shop) -> None:
    trigger = shop.trigger(
        all=[{"field": "order.total", "op": ">", "value": "1"}, {"field": "order.currency", "op": "is", "value": "XXX"}]
    )
    shown = world.a.post(f"/v1/triggers/{trigger['id']}/test", {"sample": "order_paid"}).json
    assert (shown["event"], shown["outcome"], shown["text"]) == (None, "not_matched", None)
    assert [one["matched"] for one in shown["conditions"]] == [True, False]
    assert shown["line"].startswith("all.1: order.currency is")


def test_a_trial_knows_consent(world: Any, shop: Shop) -> None:
    trigger = shop.trigger()
    number = world.a.post(f"/v1/triggers/{trigger['id']}/test", {"sample": "order_paid"}).json["to"]
    world.a.put(f"/v1/consents/{number}", {"state": "opted_out", "source": "reply"})
    shown = world.a.post(f"/v1/triggers/{trigger['id']}/test", {"sample": "order_paid"}).json
    assert (shown["outcome"], shown["reason"]) == ("refused", "opted_out")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"event": "evt_" + "0" * 32}, "event"),
        ({"event": "evt_" + "0" * 32, "sample": "order_paid"}, "event"),
        ({"sample": "nothing"}, "sample"),
        ({"sample": "customer_created"}, "sample"),
        ({}, "event"),
    ],
)
def test_a_trial_of_what_is_not_there(world: Any, shop: Shop, body: dict[str, str], field: str) -> None:
    answer = world.a.post(f"/v1/triggers/{shop.trigger()['id']}/test", body)
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, field)


def test_a_trial_of_an_event_it_does_not_listen_to(world: Any, shop: Shop) -> None:
    event = shop.report("order_created")
    answer = world.a.post(f"/v1/triggers/{shop.trigger()['id']}/test", {"event": event})
    assert (answer.status_code, answer.json["errors"][0]["code"]) == (422, "other_event")


# -- the past -----------------------------------------------------------------------------------------------------


def test_a_change_is_judged_on_the_tenants_own_past(world: Any, shop: Shop) -> None:
    event = shop.report("order_paid")
    shop.report("order_created")
    trigger = shop.trigger(all=[{"field": "order.total", "op": ">", "value": "1"}])
    before = messages(world)
    plain = world.a.post(f"/v1/triggers/{trigger['id']}/backtest").json
    assert (plain["events"], plain["truncated"], plain["changed"], plain["differences"]) == (1, False, None, [])
    assert (plain["live"]["texts"], plain["live"]["segments"]) == (1, 1)
    assert plain["live"]["outcomes"] == [{"outcome": "sent", "count": 1}]
    assert [one["event"] for one in plain["texts"]] == [event]
    changes = {"all": [{"field": "order.total", "op": ">", "value": "1000000"}]}
    other = world.a.post(f"/v1/triggers/{trigger['id']}/backtest", {"since": "2026-03-01T00:00:00Z", "changes": changes}).json
    assert other["changed"]["outcomes"] == [{"outcome": "not_matched", "count": 1}]
    assert [(one["event"], one["live"], one["changed"]) for one in other["differences"]] == [(event, "sent", "not_matched")]
    assert other["texts"] == []
    assert messages(world) == before
    assert world.a.get(f"/v1/triggers/{trigger['id']}").json["all"][0]["value"] == "1"


def test_a_backtest_counts_reasons_and_costs(world: Any, shop: Shop) -> None:
    event = shop.report("order_paid")
    account = world.a.get("/v1/carrier-accounts").json["items"][0]["id"]
    world.a.patch(f"/v1/carrier-accounts/{account}", {"settings": {"prices": {"default": "0.05"}, "currency": "EUR"}})
    trigger = shop.trigger()
    assert world.a.post(f"/v1/triggers/{trigger['id']}/backtest").json["live"]["costs"] == [{"amount": "0.05", "currency": "EUR"}]
    number = world.a.post(f"/v1/triggers/{trigger['id']}/test", {"event": event}).json["to"]
    world.a.put(f"/v1/consents/{number}", {"state": "opted_out", "source": "reply"})
    refused = world.a.post(f"/v1/triggers/{trigger['id']}/backtest").json["live"]
    assert (refused["texts"], refused["reasons"]) == (0, [{"reason": "opted_out", "count": 1}])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"event": "order.created"}, "changes.event"),
        ({"all": [{"field": "x", "op": "~"}]}, "changes.all.0.op"),
        ({"name": None}, "name"),
    ],
)
def test_a_change_that_can_not_be(world: Any, shop: Shop, changes: dict[str, Any], field: str) -> None:
    answer = world.a.post(f"/v1/triggers/{shop.trigger()['id']}/backtest", {"changes": changes})
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, field)


# -- events again -------------------------------------------------------------------------------------------------


def test_an_event_is_judged_again_without_sending(world: Any, shop: Shop) -> None:
    event = shop.report("order_paid")
    assert [one["outcome"] for one in world.a.get(f"/v1/events/{event}").json["decisions"]] == ["no_trigger"]
    shop.trigger(state="on")
    before = messages(world)
    again = world.a.post(f"/v1/events/{event}/replay")
    assert (again.status_code, again.json["dry_run"]) == (200, True)
    assert [(one["trigger"], one["outcome"]) for one in again.json["decisions"]] == [("Paid", "sent")]
    assert messages(world) == before


def test_only_a_dead_event_is_tried_again(world: Any, shop: Shop) -> None:
    event = shop.report("order_paid")
    answer = world.a.post(f"/v1/events/{event}/replay", {"dry_run": False})
    assert (answer.status_code, answer.json["code"]) == (409, "not_dead")
    e = schema.events
    dead = sa.update(e).where(e.c.id == UUID(hex=event[4:])).values(status=schema.EVENT_DEAD, attempts=5, error="x")
    world.store.write(lambda connection: connection.execute(dead).rowcount)
    assert world.a.post(f"/v1/events/{event}/replay", {"dry_run": False}).status_code == 200
    assert world.a.get(f"/v1/events/{event}").json["status"] == "pending"


# -- the other side -----------------------------------------------------------------------------------------------


def test_a_check_reports_that_the_other_side_is_not_there(world: Any, shop: Shop) -> None:
    report = world.a.post(f"/v1/installations/{shop.installed['id']}/check")
    assert (report.status_code, report.json["ok"]) == (200, False)
    assert all(one["detail"] for one in report.json["checks"] if not one["ok"])
    credentials = {"account_sid": "AC" + "0" * 32, "auth_token": "t0ken"}
    twilio = {"carrier": "twilio", "name": "t", "credentials": credentials, "settings": {"sender_id": "+15550100000"}}
    account = world.a.post("/v1/carrier-accounts", twilio).json["id"]
    answer = world.a.post(f"/v1/carrier-accounts/{account}/check")
    assert (answer.status_code, answer.json["ok"]) == (200, False)
    assert "t0ken" not in answer.text


def test_a_reconcile_is_asked_for(world: Any, shop: Shop) -> None:
    path = f"/v1/installations/{shop.installed['id']}"
    assert world.a.post(f"{path}/reconcile").status_code == 202
    world.a.patch(path, {"status": "disabled"})
    answer = world.a.post(f"{path}/reconcile")
    assert (answer.status_code, answer.json["code"]) == (409, "not_active")


# -- people -------------------------------------------------------------------------------------------------------


def test_a_person_is_handed_out_and_erased(world: Any, shop: Shop) -> None:
    shop.trigger(state="on")
    event = shop.report("order_paid")
    message = world.a.get("/v1/messages").json["items"][0]
    number = message["to"]
    exported = world.a.post(f"/v1/people/{number}/export")
    assert exported.status_code == 200, exported.text
    assert exported.json["person"]["phones"] == [number]
    assert message["text"] in exported.text
    assert world.a.delete(f"/v1/people/{number}").status_code == 204
    gone = world.a.get(f"/v1/messages/{message['id']}").json
    assert (gone["to"], gone["text"], gone["metadata"]) == (None, None, None)
    assert world.a.get(f"/v1/events/{event}").json["data"] is None
    assert world.a.get(f"/v1/consents/{number}").json["marketing"]["may_text"] is False
    assert world.a.post(f"/v1/triggers/{shop.trigger()['id']}/test", {"event": event}).json["errors"][0]["code"] == "erased"


def test_nobody_is_handed_out(world: Any) -> None:
    assert world.a.post("/v1/people/998900000009/export").status_code == 404
