"""What handsets and the carrier say over HTTP: signed, once, and STOP is honoured by the next order and in the shop."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from simulated_carrier import Simulator
from standins.served import Server, Tenant, until
from standins.shopify import Shop
from standins.way import Way, lay


@pytest.fixture(scope="module")
def way(tenant: Tenant, shop: Shop, carrier: Simulator) -> Way:
    return lay(tenant, shop, carrier.base_url)


@pytest.fixture
def silent(carrier: Simulator) -> Iterator[None]:
    """The carrier tells nothing by itself: the test does."""
    carrier.control(dlr="none")
    yield
    carrier.control(dlr="once")


def orders(way: Way, phone: str) -> dict[str, Any]:
    """Somebody orders; the decision."""
    _, event = way.place(phone=phone)
    [decision] = event["decisions"]
    return dict(decision)


def test_stop_is_honoured_from_the_next_order_on(way: Way) -> None:
    phone = "+12025550160"
    way.texted(phone=phone)
    assert way.reply(phone, "Stop").status_code == 200
    until(lambda: orders(way, phone)["reason"] == "opted_out", "an order still texts them")
    gid, event = way.place(phone=phone)
    message = way.tenant.message(event["decisions"][0]["message"])
    assert (message["status"], message["reason"]) == ("refused", "opted_out")
    assert until(lambda: way.shop.metafield(gid))["reason"] == "opted_out"
    assert way.reply(phone, "START").status_code == 200
    until(lambda: orders(way, phone)["outcome"] == "sent", "an order does not text them again")


def test_stop_reaches_the_shop_s_customer(way: Way) -> None:
    phone = "+12025550161"
    customer = {**way.shop.customers[way.shop.add_customer(phone=phone)]}
    gid = way.shop.place_order(phone=phone, customer=customer)
    told = way.shop.deliver("orders/create", way.shop.order_webhook(gid), to=way.installation["webhook_url"])
    assert told.status == 200
    assert way.reply(phone, "STOP").status_code == 200

    def marketing() -> bool:
        known = way.shop.customers[customer["id"]]["defaultPhoneNumber"]
        return bool(known["marketingState"] == "UNSUBSCRIBED")

    until(marketing, lambda: f"the shop was not told: {way.shop.operations()[-5:]}")


def test_a_text_that_waits_when_stop_comes_is_never_sent(way: Way, carrier: Simulator) -> None:
    phone = "+12025550162"
    at = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    waiting = [way.tenant.post("/v1/messages", {"to": phone, "body": f"later {n}", "send_at": at})["id"] for n in range(5)]
    assert way.reply(phone, "stop").status_code == 200
    for one in waiting:
        assert way.tenant.wait(one, "refused", "sent", "delivered")["reason"] == "opted_out"
    assert not [one for one in carrier.get("/received")["texts"] if one["to"] == phone and one["text"].startswith("later")]


def test_the_simulator_s_handsets_answer_too(way: Way, carrier: Simulator) -> None:
    phone = "+12025550163"
    way.tenant.wait(orders(way, phone)["message"], "delivered")
    sender = way.account["settings"]["sender_id"]
    said = carrier.post(
        "/replies", carrier="twilio", url=way.account["mo_url"], **{"from": phone, "to": sender, "text": "Thank you!"}
    )
    assert said["status"] == 200
    [reply] = until(lambda: [one for one in way.tenant.all("/v1/replies") if one["msisdn"] == phone])
    assert reply["text"] == "Thank you!"


def test_a_reply_that_is_told_again_counts_once(way: Way) -> None:
    phone = "+12025550164"
    for _ in range(5):
        assert way.reply(phone, "hello?", MessageSid="SM" + "6" * 32).status_code == 200
    assert len([one for one in way.tenant.all("/v1/replies") if one["msisdn"] == phone]) == 1


def test_a_reply_that_nobody_signed_opts_nobody_out(server: Server, way: Way) -> None:
    phone = "+12025550165"
    way.texted(phone=phone)
    before = server.rows(way.tenant)
    assert way.reply(phone, "STOP", token="another token").status_code == 401
    rows = server.rows(way.tenant)
    assert (rows["replies"], rows["consents"], rows["seen"]) == (before["replies"], before["consents"], before["seen"])
    assert orders(way, phone)["outcome"] == "sent"


@pytest.mark.usefixtures("silent")
class TestReceipts:
    def test_one_that_nobody_signed_changes_nothing(self, server: Server, way: Way) -> None:
        _, message = way.texted(phone="+12025550166")
        for status in ("delivered", "failed", "undelivered"):
            assert way.report(message, status, token="another token").status_code == 401
        assert way.tenant.message(message["id"])["status"] == "sent"
        own = bytes.fromhex(message["id"].partition("_")[2])  # others' receipts may come meanwhile
        kept = server.ask("SELECT * FROM dlrs WHERE message_id = ? OR carrier_ref = ?", own, message["carrier_ref"])
        assert kept == []

    def test_one_signed_for_another_message_changes_nothing(self, way: Way) -> None:
        _, first = way.texted(phone="+12025550167")
        _, second = way.texted(phone="+12025550168")
        way.report({**second, "carrier_ref": first["carrier_ref"]}, "failed")
        assert way.tenant.message(first["id"])["status"] == "sent"

    def test_told_twice_and_out_of_order_the_end_stays_the_end(self, way: Way) -> None:
        _, message = way.texted(phone="+12025550169")
        for status in ("delivered", "sent", "queued", "delivered"):
            assert way.report(message, status).status_code == 200
        assert way.tenant.wait(message["id"], "delivered")["status"] == "delivered"

    def test_at_an_unknown_key_nobody_listens(self, server: Server, way: Way) -> None:
        _, message = way.texted(phone="+12025550170")
        unknown = {**way.account, "dlr_url": f"{server.url}/dlr/twilio/{'A' * 43}", "mo_url": f"{server.url}/mo/twilio/{'A' * 43}"}
        stranger = Way(way.tenant, way.shop, way.installation, unknown, way.sid, way.token)
        assert stranger.report(message, "delivered").status_code == 404
        assert stranger.reply("+12025550170", "STOP").status_code == 404
