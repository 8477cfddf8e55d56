"""Who is asked to take a reply, and in what order."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from bellwire.domain.conversations import DEFAULT_ORDER, Taker, in_order, order_of, serves_tickets
from bellwire.domain.tenant_settings import check
from bellwire.errors import FieldInvalid
from bellwire.ids import show

SHOP, DESK, YOUNG, CRM = (UUID(int=place) for place in range(1, 5))
TAKERS = (Taker(SHOP, "woo", False), Taker(DESK, "zendesk", True), Taker(CRM, "hubspot", False), Taker(YOUNG, "freshdesk", True))

ORDERS: list[tuple[str, tuple[str, ...], UUID | None, tuple[UUID, ...], tuple[UUID, ...]]] = [
    ("its own conversation, then the desks by age", DEFAULT_ORDER, SHOP, (), (SHOP, DESK, YOUNG)),
    ("a desk's own conversation before an older desk", DEFAULT_ORDER, YOUNG, (), (YOUNG, DESK)),
    ("the desks where nobody's text was answered", DEFAULT_ORDER, None, (), (DESK, YOUNG)),
    ("a conversation whose platform takes no replies", DEFAULT_ORDER, UUID(int=9), (), (DESK, YOUNG)),
    ("who refused it is not asked again", DEFAULT_ORDER, SHOP, (SHOP, DESK), (YOUNG,)),
    ("the tenant's own order", ("hubspot", "desks", "conversation"), SHOP, (), (CRM, DESK, YOUNG, SHOP)),
    ("one installation by its id", (show("ins", YOUNG),), SHOP, (), (YOUNG,)),
    ("nobody", (), SHOP, (), ()),
    ("a connector that is not there", ("intercom",), SHOP, (), ()),
]


@pytest.mark.parametrize(("order", "conversation", "tried", "asked"), [row[1:] for row in ORDERS], ids=[row[0] for row in ORDERS])
def test_in_order(order: tuple[str, ...], conversation: UUID | None, tried: tuple[UUID, ...], asked: tuple[UUID, ...]) -> None:
    assert in_order(order, conversation, TAKERS, tried) == asked


def test_a_support_desk_is_who_reports_tickets() -> None:
    assert serves_tickets(["customer.created", "ticket.created"])
    assert not serves_tickets(["order.created", "case.created"])


def test_the_setting_says_the_order() -> None:
    kept = check({"replies": {"order": ["zendesk", "conversation", "zendesk"]}})
    assert order_of(kept) == ("zendesk", "conversation")
    assert order_of({}) == order_of({"replies": None}) == order_of(check({"replies": {}})) == DEFAULT_ORDER
    assert order_of(check({"replies": {"order": []}})) == ()


WRONG: list[tuple[Any, str]] = [
    ("desks", "settings.replies"),
    ({"first": "zendesk"}, "settings.replies"),
    ({"order": "zendesk"}, "settings.replies.order"),
    ({"order": ["zendesk"] * 21}, "settings.replies.order"),
    ({"order": ["zendesk", "Zen desk"]}, "settings.replies.order.1"),
    ({"order": [7]}, "settings.replies.order.0"),
]


@pytest.mark.parametrize(("value", "field"), WRONG, ids=[str(row[0])[:40] for row in WRONG])
def test_a_wrong_setting_names_its_place(value: Any, field: str) -> None:
    with pytest.raises(FieldInvalid) as caught:
        check({"replies": value})
    assert caught.value.field == field
