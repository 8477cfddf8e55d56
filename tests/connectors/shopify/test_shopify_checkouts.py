"""Checkouts and customers, read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bellwire import ConsentHint, ConsentState, PayloadInvalid, Purpose
from bellwire.testing import Case, sample
from bellwire_connectors.shopify import connector

CUSTOMER = "gid://shopify/Customer/6405506930370012"
TOKEN = "bf7d4c1f0cd6ac1b3e6bb7d4c1f0cd6a"


def put(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda body: body.update(changes)


def cut(*names: str) -> Callable[[dict[str, Any]], None]:
    return lambda body: [body.pop(name, None) for name in names] and None


CHECKOUTS = [
    Case(
        "an unfinished checkout: who, what, and the ticked SMS box",
        sample="checkout_abandoned",
        events=[
            {
                "type": "checkout.abandoned",
                "fact": f"checkout.abandoned:{TOKEN}:2026-01-05T08:50:00Z",
                "subject": f"checkout/{TOKEN}",
                "cancels": [],
                "customer.phones": ["+12025550142", "(202) 555-0142"],
                "customer.marketing_phones": ["+12025550142"],
                "customer.consents": [
                    ConsentHint(
                        purpose=Purpose.MARKETING,
                        state=ConsentState.OPTED_IN,
                        at=sample("bellwire_connectors.shopify", "cart_updated").received_at.replace(hour=8, minute=50),
                        source="shopify checkout",
                        proof=f"checkout/{TOKEN} buyer_accepts_sms_marketing",
                    )
                ],
                "data.checkout.token": TOKEN,
                "data.checkout.url": f"https://example.myshopify.com/1/checkouts/ac/{TOKEN}/recover?key=abcdefg",
                "data.checkout.total": "99.99",
                "data.checkout.currency": "USD",
                "data.checkout.item_count": 1,
                "data.customer.first_name": "Ana",
            }
        ],
    ),
    Case(
        "the first lines of one: no contact, an address that is `[]`",
        sample="checkout_abandoned_early",
        events=[{"customer.phones": [], "customer.consents": [], "customer.marketing_phones": []}],
    ),
    Case(
        "the box's own number comes first for marketing",
        sample="checkout_abandoned",
        edit=put(sms_marketing_phone="+12025550199"),
        events=[{"customer.marketing_phones": ["+12025550199", "+12025550142"]}],
    ),
    Case(
        "an empty box says nothing",
        sample="checkout_abandoned",
        edit=put(buyer_accepts_sms_marketing=False),
        events=[{"customer.consents": []}],
    ),
    Case(
        "a box without a number says nothing",
        sample="checkout_abandoned",
        edit=put(sms_marketing_phone=None),
        events=[{"customer.consents": []}],
    ),
    Case(
        "the e-mail box is no consent to texts",
        sample="checkout_abandoned",
        edit=put(buyer_accepts_sms_marketing=None, buyer_accepts_marketing=True),
        events=[{"customer.consents": []}],
    ),
    Case(
        "the total is in the shop's currency, whatever the buyer saw",
        sample="checkout_abandoned",
        edit=put(presentment_currency="EUR"),
        events=[{"data.checkout.currency": "USD"}],
    ),
    Case(
        "a finished one texts nobody and ends what waits",
        sample="checkout_completed",
        events=[
            {"type": "checkout.completed", "fact": f"checkout.completed:{TOKEN}", "cancels": [f"checkout/{TOKEN}"], "people": {}}
        ],
    ),
    Case(
        "a closed one, too",
        sample="checkout_abandoned",
        edit=put(closed_at="2026-01-05T03:59:54-05:00"),
        events=[{"type": "checkout.completed"}],
    ),
    Case(
        "a deleted one makes no event: it has no token",
        sample="checkout_abandoned",
        headers={"X-Shopify-Topic": "checkouts/delete"},
    ),
    Case("one without its token", sample="checkout_abandoned", edit=cut("token"), error=PayloadInvalid, names="token"),
    *(
        Case(
            f"a token that can't be one: {token!r}",
            sample="checkout_abandoned",
            edit=put(token=token),
            error=PayloadInvalid,
            names="token",
        )
        for token in ("", "a b", "a/b", "x" * 129, "é", "a\n")
    ),
]

CUSTOMERS = [
    Case(
        "a new account",
        sample="customer_created",
        events=[
            {
                "type": "customer.created",
                "fact": f"customer.created:{CUSTOMER}",
                "subject": f"customer/{CUSTOMER}",
                "customer.ref": CUSTOMER,
                "customer.name": "Ana Example",
                "customer.phones": ["+12025550142", "(202) 555-0142"],
                "customer.marketing_phones": ["+12025550142"],
                "customer.email": "ana@example.com",
                "customer.countries": ["US"],
                "data.customer.first_name": "Ana",
                "data.customer.last_name": "Example",
                "data.customer.tags": None,
            }
        ],
    ),
    Case(
        "an account of nulls",
        sample="customer_created",
        edit=put(phone=None, default_address=None, first_name=None, last_name=None, email=None),
        events=[{"customer.phones": [], "customer.name": ""}],
    ),
    Case(
        "tags, where the version still has them",
        sample="customer_updated",
        edit=put(tags="vip, vn"),
        events=[{"data.customer.tags": ["vip", "vn"]}],
    ),
    Case(
        "two accounts became one",
        sample="person_merged",
        events=[
            {
                "type": "person.merged",
                "fact": f"person.merged:{CUSTOMER}:gid://shopify/Customer/6405506930370013",
                "data.person.kept_ref": CUSTOMER,
                "data.person.lost_ref": "gid://shopify/Customer/6405506930370013",
            }
        ],
    ),
    *(
        Case(f"a merge that is {status} tells nothing", sample="person_merged", edit=put(status=status))
        for status in ("failed", "in_progress", None)
    ),
    Case(
        "a merge of something else",
        sample="person_merged",
        edit=put(admin_graphql_api_customer_kept_id="gid://shopify/Order/1"),
        error=PayloadInvalid,
        names="admin_graphql_api_customer_kept_id",
    ),
    *(
        Case(f"{topic} makes no event", sample="customer_created", headers={"X-Shopify-Topic": topic})
        for topic in (
            "customers/delete",
            "customers/disable",
            "customers/enable",
            "customer.tags_added",
            "customers_email_marketing_consent/update",
        )
    ),
]


@pytest.mark.parametrize("case", [*CHECKOUTS, *CUSTOMERS], ids=lambda case: case.label)
def test_read(case: Case) -> None:
    case.check(connector)
