"""One order the whole way: webhook, text at the carrier, receipt, and the outcome in the order again (design §4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from simulated_carrier import Simulator
from standins.served import Tenant, until
from standins.shopify import Shop
from standins.way import Way, lay

MESSAGE = {
    "id", "status", "reason", "to", "text", "encoding", "segments", "purpose", "lane", "locale", "template", "template_version",
    "sender_id", "carrier", "carrier_account", "carrier_ref", "event", "trigger", "reference", "metadata", "price",
    "dlr_overdue", "created_at", "send_at", "expires_at", "updated_at", "why", "attempts", "write_backs",
}  # fmt: skip
ATTEMPT = {"carrier", "account", "started_at", "ended_at", "outcome", "error_class", "code", "http_status", "carrier_ref"}


@pytest.fixture(scope="module")
def way(tenant: Tenant, shop: Shop, carrier: Simulator) -> Way:
    return lay(tenant, shop, carrier.base_url)


@pytest.fixture
def silent(carrier: Simulator) -> Iterator[None]:
    """The carrier tells nothing by itself: the test does."""
    carrier.control(dlr="none")
    yield
    carrier.control(dlr="once")


def at_the_carrier(carrier: Simulator, to: str) -> list[tuple[str, str]]:
    """Sender and text of what a handset got."""
    return [(one["from"], one["text"]) for one in carrier.get("/received")["texts"] if one["to"] == to]


@pytest.mark.usefixtures("silent")
def test_an_order_becomes_a_text_and_its_outcome_stands_in_the_order(way: Way, carrier: Simulator) -> None:
    gid, message = way.texted(phone="+12025550142")
    got = until(lambda: at_the_carrier(carrier, "+12025550142"))
    assert got == [("+12025550177", f"Hi Ana, thanks for {way.shop.orders[gid]['name']}: 404.95 USD.")]
    assert way.report(message, "sent").status_code == 200
    assert way.report(message, "delivered", token="another token").status_code == 401
    assert way.tenant.message(message["id"])["status"] == "sent"
    assert way.shop.metafield(gid) is None, "delivered is never said before the receipt"
    assert way.report(message, "delivered").status_code == 200
    way.tenant.wait(message["id"], "delivered")
    written = until(lambda: way.shop.metafield(gid), "the outcome never came to the order")
    assert {name: written[name] for name in ("status", "message_id", "trigger", "msisdn_tail")} == {
        "status": "delivered",
        "message_id": message["id"],
        "trigger": "order placed",
        "msisdn_tail": "42",
    }
    done = until(lambda: [one for one in way.tenant.message(message["id"])["write_backs"] if one["status"] == "done"])
    assert [(one["platform"], one["target"]) for one in done] == [("shopify", f"order/{gid}")]


def test_the_carrier_s_own_receipt_does_the_same(way: Way) -> None:
    gid, event = way.place(phone="+12025550143")
    message = way.tenant.wait(event["decisions"][0]["message"], "delivered")
    assert until(lambda: way.shop.metafield(gid))["message_id"] == message["id"]
    assert way.shop.metafield(gid)["status"] == "delivered"


def test_the_objects_say_what_the_contract_says(way: Way) -> None:
    gid, event = way.place(phone="+12025550144")
    [decision] = event["decisions"]
    assert (event["type"], event["connector"], event["installation"], event["subject"]) == (
        "order.created",
        "shopify",
        way.installation["id"],
        f"order/{gid}",
    )
    assert (decision["trigger"], decision["outcome"], decision["reason"]) == ("order placed", "sent", None)
    message = way.tenant.wait(decision["message"], "delivered")
    assert set(message) >= MESSAGE
    assert set(message["attempts"][0]) >= ATTEMPT
    expected = {
        "event": event["id"],
        "to": "+12025550144",
        "encoding": "gsm7",
        "segments": 1,
        "purpose": "transactional",
        "lane": "transactional",
        "locale": "en",
        "template": "thanks",
        "template_version": 1,
        "sender_id": "+12025550177",
        "carrier": "twilio",
        "carrier_account": way.account["id"],
        "trigger": "order placed",
        "reason": None,
        "dlr_overdue": False,
    }
    assert {name: message[name] for name in expected} == expected
    assert message["attempts"][0]["http_status"] == 201
    assert message["why"], "every message tells why it was sent"
    assert all(one["at"].endswith("Z") for one in message["why"])
    assert way.tenant.get(f"/v1/status?message_id={message['id']}")["status"] == "delivered"
    assert [one["id"] for one in way.tenant.messages(event=event["id"])] == [message["id"]]
    assert event["id"] in [one["id"] for one in way.tenant.all("/v1/events?type=order.created")]


LOCALES = [
    ("the buyer's own language", "es", "+12025550145", "es", "Hola Ana, gracias por "),
    ("a country's form of it", "es-MX", "+12025550146", "es", "Hola Ana, gracias por "),
    ("one nobody wrote for", "fi", "+12025550147", "en", "Hi Ana, thanks for "),
]


@pytest.mark.parametrize(("locale", "phone", "chosen", "begins"), [row[1:] for row in LOCALES], ids=[row[0] for row in LOCALES])
def test_each_is_texted_in_their_language(way: Way, carrier: Simulator, locale: str, phone: str, chosen: str, begins: str) -> None:
    _, event = way.place(customerLocale=locale, phone=phone)
    message = way.tenant.wait(event["decisions"][0]["message"], "delivered")
    assert message["locale"] == chosen
    assert [text.startswith(begins) for _, text in at_the_carrier(carrier, phone)] == [True]


def nobody(**changes: Any) -> dict[str, Any]:
    """An order without any phone."""
    return {"phone": None, "customer": None, "shippingAddress": None, "billingAddress": None, **changes}


ENDS = [
    ("the handset can't be reached", {"phone": "+12025900003"}, "undelivered", None),
    ("the carrier knows no such number", {"phone": "+12025900004"}, "failed", None),
    ("nobody can be texted", nobody(), "refused", "no_recipient"),
    ("what was typed is no number", nobody(phone="+1 555"), "refused", "invalid_number"),
]


@pytest.mark.parametrize(("order", "status", "reason"), [row[1:] for row in ENDS], ids=[row[0] for row in ENDS])
def test_what_went_wrong_stands_in_the_order_too(way: Way, order: dict[str, Any], status: str, reason: str | None) -> None:
    gid, event = way.place(**order)
    [decision] = event["decisions"]
    message = way.tenant.wait(decision["message"], status)
    assert (message["reason"], decision["reason"]) == (reason, reason)
    written = until(lambda: way.shop.metafield(gid), "the outcome never came to the order")
    assert (written["status"], written.get("reason")) == (status, reason)
