"""Statuses on the order: what is written, once, whatever the shop answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bellwire import PlatformError, PlatformRejected, PlatformUnauthorized, Status, StatusChange, WebhookRequest
from bellwire_connectors.shopify import connector
from standins.installed import installed
from standins.link import MemoryLink, Vault
from standins.shopify import Fault, Shop

AT = datetime(2026, 1, 5, 9, 0, 1, tzinfo=UTC)
OpenLink = Callable[..., MemoryLink]


def change(subject: str, status: Status = Status.DELIVERED, **more: Any) -> StatusChange:
    given = {"message_id": "msg_0192", "at": AT, "trigger": "order placed", "msisdn_tail": "42", **more}
    return StatusChange(subject=subject, status=status, **given)


def write(link: MemoryLink, *changes: StatusChange) -> None:
    assert connector.write_back is not None
    connector.write_back(changes, link)


def test_the_order_says_what_became_of_the_text(shop: Shop, link: MemoryLink) -> None:
    order = shop.place_order()
    write(link, change(f"order/{order}"))
    assert shop.metafield(order) == {
        "status": "delivered",
        "message_id": "msg_0192",
        "at": "2026-01-05T09:00:01Z",
        "trigger": "order placed",
        "msisdn_tail": "42",
    }
    assert shop.orders[order]["tags"] == ["vip"]
    assert shop.orders[order]["note"] is None


@pytest.mark.parametrize("status", list(Status))
def test_every_status_is_written_in_our_word(shop: Shop, link: MemoryLink, status: Status) -> None:
    order = shop.place_order()
    write(link, change(f"order/{order}", status, reason="opted_out" if status is Status.REFUSED else ""))
    assert shop.metafield(order)["status"] == status.value
    assert ("reason" in shop.metafield(order)) == (status is Status.REFUSED)


def test_the_text_stands_there_only_when_it_was_given(shop: Shop, link: MemoryLink) -> None:
    order = shop.place_order()
    write(link, change(f"order/{order}", text="Ваш заказ едет"))
    assert shop.metafield(order)["text"] == "Ваш заказ едет"


def test_the_same_again_changes_nothing(shop: Shop, link: MemoryLink) -> None:
    order = shop.place_order()
    write(link, change(f"order/{order}"))
    before = shop.metafield(order)
    write(link, change(f"order/{order}"))
    assert shop.metafield(order) == before
    assert len(shop.metafields) == 1


def test_the_newest_of_one_order_wins_in_any_order(shop: Shop, link: MemoryLink) -> None:
    order = shop.place_order()
    sent, delivered = change(f"order/{order}", Status.SENT), change(f"order/{order}", at=AT + timedelta(seconds=5))
    write(link, delivered, sent)
    assert shop.metafield(order)["status"] == "delivered"
    assert shop.operations() == ["SetMetafields"]


def test_of_one_second_the_final_status_wins(shop: Shop, link: MemoryLink) -> None:
    order = shop.place_order()
    write(link, change(f"order/{order}", Status.FAILED), change(f"order/{order}", Status.SENT))
    assert shop.metafield(order)["status"] == "failed"


def test_many_orders_go_in_calls_of_twenty_five(shop: Shop, link: MemoryLink) -> None:
    orders = [shop.place_order() for _ in range(60)]
    write(link, *(change(f"order/{order}") for order in orders))
    assert all(shop.metafield(order) for order in orders)
    assert shop.operations() == ["SetMetafields"] * 3


def test_one_refused_order_does_not_keep_the_others(shop: Shop, link: MemoryLink) -> None:
    good = [shop.place_order() for _ in range(3)]
    gone = "gid://shopify/Order/404"
    with pytest.raises(PlatformRejected, match=r"ownerId.*does not exist"):
        write(link, *(change(f"order/{order}") for order in [good[0], gone, *good[1:]]))
    assert all(shop.metafield(order) for order in good)


@pytest.mark.parametrize(
    ("subject", "customer_ref", "written"),
    [
        ("order/{order}", "{customer}", "order"),
        ("customer/{customer}", "", "customer"),
        ("checkout/bf7d4c1f0cd6ac1b3e6bb7d4c1f0cd6a", "{customer}", "customer"),
        ("", "{customer}", "customer"),
    ],
)
def test_where_there_is_no_order_the_customer_says_it(
    shop: Shop, link: MemoryLink, subject: str, customer_ref: str, written: str
) -> None:
    known = {"order": shop.place_order(), "customer": shop.add_customer()}
    write(link, change(subject.format(**known), customer_ref=customer_ref.format(**known)))
    assert [owner for owner, *_ in shop.metafields] == [known[written]]


@pytest.mark.parametrize(
    "subject", ["", "checkout/bf7d4c1f", "order/42", "order/gid://shopify/Product/1", "shop/example.myshopify.com"]
)
def test_without_either_nothing_is_written_and_it_is_said(shop: Shop, link: MemoryLink, subject: str) -> None:
    with pytest.raises(PlatformRejected, match="neither an order nor a customer") as caught:
        write(link, change(subject))
    assert (caught.value.code, shop.metafields) == ("no_target", {})


class TestTheTag:
    @pytest.fixture
    def tagging(self, shop: Shop, open_link: OpenLink) -> MemoryLink:
        return open_link(Vault(installed(shop, settings={"write_back_tag": True})))

    @pytest.mark.parametrize("status", [Status.UNDELIVERED, Status.FAILED, Status.EXPIRED])
    def test_is_set_when_nothing_arrived(self, shop: Shop, tagging: MemoryLink, status: Status) -> None:
        order = shop.place_order()
        write(tagging, change(f"order/{order}", status))
        write(tagging, change(f"order/{order}", status))
        assert shop.orders[order]["tags"] == ["vip", "sms:failed"]

    def test_is_taken_off_when_a_later_text_arrives(self, shop: Shop, tagging: MemoryLink) -> None:
        order = shop.place_order(tags=["vip", "sms:failed"])
        write(tagging, change(f"order/{order}", Status.DELIVERED))
        assert shop.orders[order]["tags"] == ["vip"]

    @pytest.mark.parametrize("status", [Status.SENT, Status.REFUSED, Status.CANCELED, Status.UNKNOWN])
    def test_is_left_alone_otherwise(self, shop: Shop, tagging: MemoryLink, status: Status) -> None:
        order = shop.place_order(tags=["sms:failed"])
        write(tagging, change(f"order/{order}", status))
        assert shop.operations() == ["SetMetafields"]

    def test_never_makes_the_order_look_changed(self, shop: Shop, tagging: MemoryLink) -> None:
        """Shopify tells our own tag back as orders/updated: that must be the fact we know already (G6)."""
        order = shop.place_order()
        before = read_update(shop, order)
        write(tagging, change(f"order/{order}", Status.FAILED))
        after = read_update(shop, order)
        assert shop.orders[order]["tags"] == ["vip", "sms:failed"]
        assert after == before


class TestTheNote:
    @pytest.fixture
    def noting(self, shop: Shop, open_link: OpenLink) -> MemoryLink:
        return open_link(Vault(installed(shop, settings={"write_back_note": True})))

    def test_gets_one_line_after_the_merchant_s_own(self, shop: Shop, noting: MemoryLink) -> None:
        order = shop.place_order(note="gift wrap")
        for _ in range(2):
            write(noting, change(f"order/{order}"))
        assert shop.orders[order]["note"] == "gift wrap\nSMS delivered 2026-01-05T09:00:01Z (msg_0192)"

    def test_is_begun_when_there_is_none(self, shop: Shop, noting: MemoryLink) -> None:
        order = shop.place_order()
        write(noting, change(f"order/{order}", Status.FAILED))
        assert shop.orders[order]["note"] == "SMS failed 2026-01-05T09:00:01Z (msg_0192)"

    def test_is_for_the_end_of_a_text_only(self, shop: Shop, noting: MemoryLink) -> None:
        order = shop.place_order()
        write(noting, change(f"order/{order}", Status.SENT))
        assert shop.orders[order]["note"] is None

    def test_never_makes_the_order_look_changed(self, shop: Shop, noting: MemoryLink) -> None:
        order = shop.place_order()
        before = read_update(shop, order)
        write(noting, change(f"order/{order}"))
        assert read_update(shop, order) == before


def read_update(shop: Shop, order: str) -> str:
    body = json.dumps(shop.order_webhook(order)).encode()
    headers = {name.lower(): value for name, value in shop.headers("orders/updated", body).items()}
    [event] = connector.read(WebhookRequest(headers=headers, body=body, received_at=AT), installed(shop))
    return event.fact


ONCE = [
    ("a refused token", [Fault(401)]),
    ("a short limit", [Fault(429, {"Retry-After": "0.01"})]),
    ("a limit that says nothing of time, thrice", [Fault(429, {"Retry-After": "0.02"})] * 3),
]


@pytest.mark.parametrize(("label", "faults"), ONCE, ids=[row[0] for row in ONCE])
def test_written_once_through(shop: Shop, open_link: OpenLink, label: str, faults: list[Fault]) -> None:
    order = shop.place_order()
    vault = Vault(installed(shop, **shop.expiring_tokens()))
    shop.fail(*faults)
    write(open_link(vault), change(f"order/{order}"))
    assert shop.operations() == ["SetMetafields"]
    assert shop.metafield(order)["status"] == "delivered"


AGAIN = [
    ("Shopify's own error", Fault(500)),
    ("a gateway's", Fault(503, {"Retry-After": "1"})),
    ("a limit that lasts", Fault(429, {"Retry-After": "100"})),
    ("a cut before it was looked at", Fault(cut="before")),
    ("a cut after it was done", Fault(cut="after")),
]


@pytest.mark.parametrize(("label", "fault"), AGAIN, ids=[row[0] for row in AGAIN])
def test_tried_again_by_its_job_and_the_same_in_the_end(shop: Shop, link: MemoryLink, label: str, fault: Fault) -> None:
    order = shop.place_order()
    shop.fail(fault)
    with pytest.raises(PlatformError) as caught:
        write(link, change(f"order/{order}"))
    assert caught.value.retry == "later"
    write(link, change(f"order/{order}"))
    assert len(shop.metafields) == 1
    assert shop.metafield(order)["message_id"] == "msg_0192"


@pytest.mark.parametrize(
    ("fault", "error"), [(Fault(403), PlatformUnauthorized), (Fault(404), PlatformRejected), (Fault(422), PlatformRejected)]
)
def test_given_up_when_trying_again_changes_nothing(shop: Shop, link: MemoryLink, fault: Fault, error: type[PlatformError]) -> None:
    order = shop.place_order()
    shop.fail(fault)
    with pytest.raises(error) as caught:
        write(link, change(f"order/{order}"))
    assert caught.value.retry == "never"


def test_a_token_refused_for_ever_is_a_person_s_business(shop: Shop, link: MemoryLink) -> None:
    order = shop.place_order()
    shop.uninstall()
    for _ in range(2):
        with pytest.raises(PlatformUnauthorized):
            write(link, change(f"order/{order}"))
    assert shop.metafields == {}


def test_a_missing_scope_is_one_too(shop: Shop, open_link: OpenLink) -> None:
    shop.scopes = ("read_orders",)
    link = open_link(Vault(installed(shop, settings={"write_back_note": True})))
    order = shop.place_order()
    with pytest.raises(PlatformUnauthorized) as caught:
        write(link, change(f"order/{order}"))
    assert caught.value.code == "ACCESS_DENIED"
