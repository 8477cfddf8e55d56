"""Card numbers never reach the store; other numbers of that length do (H12)."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from typing import Any

import pytest
from bellwire.domain.cards import is_card, masked, masked_event, masked_text
from bellwire.engine.rows import pack_event
from bellwire.model import ConsentHint, ConsentState, Event, Person, Purpose
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 3, 1, tzinfo=UTC)
#: Numbers that issuers publish for tests.
VISA, AMEX, LONG = "4111111111111111", "378282246310005", "6304000000000000000"


def luhn(digits: str) -> str:
    """The digits with the one behind them that makes the sum right."""
    return next(digits + last for last in "0123456789" if is_card(digits + last))


def event(**more: Any) -> Event:
    return Event(**{"id": "1", "type": "order.created", "occurred_at": NOW, **more})


TEXTS = [
    ("alone", VISA, "****1111"),
    ("in a sentence", f"my card is {VISA}, thanks", "my card is ****1111, thanks"),
    ("in groups as on the card", "4111 1111 1111 1111", "****1111"),
    ("with hyphens", "4111-1111-1111-1111.", "****1111."),
    ("with no-break spaces", "4111\u00a01111\u00a01111\u00a01111", "****1111"),
    ("American Express's groups", "3782 822463 10005", "****0005"),
    ("of 19 digits in groups", f"{LONG[:4]} {LONG[4:8]} {LONG[8:12]} {LONG[12:16]} {LONG[16:]}", "****0000"),
    ("in full-width digits", "４１１１１１１１１１１１１１１１", "****1111"),
    ("two of them", f"{VISA} {AMEX}", "****1111 ****0005"),
    ("between letters", f"card{VISA}x", "card****1111x"),
    ("in a link's query", f"https://pay.example/?pan={VISA}", "https://pay.example/?pan=****1111"),
    ("a check digit that is wrong", "4111111111111112", None),
    ("twelve digits", "411111111111", None),
    ("twenty digits", VISA + "1111", None),
    ("a phone number", "+4111111111111111", None),
    ("an object's id in a link", f"gid://shopify/Order/{VISA}", None),
    ("a link's path", f"see https://shop.example/orders/{VISA} now", None),
    ("two dates", "2026-03-02 2026-03-09", None),
    ("nothing but zeros", "0000000000000000", None),
    ("groups of other lengths", "41 1111 1111 1111 11", None),
]


@pytest.mark.parametrize(("text", "after"), [row[1:] for row in TEXTS], ids=[row[0] for row in TEXTS])
def test_a_text(text: str, after: str | None) -> None:
    assert masked_text(text) == (text if after is None else after)


FIELDS = [
    ("an order's id", "order.id", VISA, False),
    ("its number", "order.number", int(VISA), False),
    ("a line's product", "order.product_id", int(VISA), False),
    ("an id in camel case", "order.productId", VISA, False),
    ("a parcel's number", "tracking.number", VISA, False),
    ("a status page", "order.status_url", VISA, False),
    ("a phone", "customer.phone", VISA, False),
    ("a number without a name that tells", "order.note", int(VISA), True),
    ("a number of a card", "payment.card_number", VISA, True),
    ("an id of a card", "card.id", VISA, True),
    ("a money amount", "order.total", "1234567890.50", False),
    ("true", "order.paid", True, False),
]


@pytest.mark.parametrize(("name", "value", "goes"), [row[1:] for row in FIELDS], ids=[row[0] for row in FIELDS])
def test_a_field(name: str, value: Any, goes: bool) -> None:
    after = masked({name: value})[name]
    assert (after == "****1111") if goes else (after == value)


def test_a_thousand_in_random_places_and_none_is_stored() -> None:
    """H12, with as many that only look alike and must stay."""
    pick = random.Random(4)
    cards, others = [], []
    while len(cards) < 1_000:
        digits = str(pick.randint(1, 9)) + "".join(pick.choices("0123456789", k=pick.randint(11, 17)))
        card = luhn(digits)
        cards.append(card)
        others.append(card[:-1] + str((int(card[-1]) + 1) % 10))
    stored, names = "", ("note", "title", "order.comment", "gateway", "attributes")
    for card, other in zip(cards, others, strict=True):
        place: Any = pick.choice(
            [
                card,
                int(card),
                f"pay with {card}!",
                [1, [card]],
                {"deep": {"er": [{"x": card}]}},
                {f"k {card}": 1},
                [{"name": "c", "value": int(card)}],
            ]
        )
        made = event(data={pick.choice(names): place, "order.remark": other, "order.number": card})
        packed = pack_event(masked_event(made))
        assert packed["data"].pop("order.number") == card
        assert packed["data"].pop("order.remark") == other
        stored += json.dumps(packed)
    assert [card for card in cards if card in stored] == []


def test_what_people_wrote_of_themselves_is_masked_and_their_phones_are_not() -> None:
    hint = ConsentHint(purpose=Purpose.MARKETING, state=ConsentState.OPTED_IN, at=NOW, source="till", proof=f"paid by {VISA}")
    person = Person(ref=VISA, name=f"Ana {VISA}", phones=[VISA], email=f"{VISA}@example.com", consents=(hint,))
    made = masked_event(event(people={"customer": person}, subject=f"order/{VISA}", fact=VISA))
    after = made.people["customer"]
    assert (after.name, after.email, after.consents[0].proof) == ("Ana ****1111", "****1111@example.com", "paid by ****1111")
    assert (after.ref, after.phones, made.subject, made.fact) == (VISA, [VISA], f"order/{VISA}", VISA)


def test_an_event_without_one_is_the_same_value() -> None:
    made = event(data={"order.name": "#1001", "order.total": "12.50", "order.items": [{"title": "Tea"}]})
    assert masked_event(made) is made


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=12,
    )
)
def test_masking_twice_changes_nothing_and_never_raises(value: Any) -> None:
    once = masked(value)
    assert masked(once) == once


@given(st.integers(min_value=10**12, max_value=10**19 - 1))
def test_one_digit_less_right_is_no_card(number: int) -> None:
    digits = str(number)
    assert sum(is_card(digits[:-1] + last) for last in "0123456789") == 1
