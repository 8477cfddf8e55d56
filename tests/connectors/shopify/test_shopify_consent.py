"""Consent both ways: what Shopify says of its customers, and what our ledger writes on them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bellwire import (
    ConsentChange,
    ConsentHint,
    ConsentState,
    Event,
    Msisdn,
    PlatformError,
    PlatformUnauthorized,
    Purpose,
    WebhookRequest,
)
from bellwire.certification.house import House
from bellwire.testing import NOW, Case, FixedClock, bend, sample
from bellwire_connectors.shopify import connector
from bellwire_connectors.shopify.bodies import consent_body
from standins.installed import installed
from standins.link import MemoryLink, Vault
from standins.shopify import Fault, Shop

AT = datetime(2026, 1, 5, 8, 59, tzinfo=UTC)
ANA = Msisdn("+12025550142")
CUSTOMER = "gid://shopify/Customer/6405506930370012"
OUT = ConsentHint(
    purpose=Purpose.MARKETING,
    state=ConsentState.OPTED_OUT,
    at=AT,
    source="shopify",
    proof=f"customer/{CUSTOMER} redacted single_opt_in",
)
OpenLink = Callable[..., MemoryLink]


def said(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda body: body["sms_marketing_consent"].update(changes)


CASES = [
    Case(
        "an opt-in of the account's own number",
        sample="customer_consent_changed",
        events=[
            {
                "type": "customer.consent_changed",
                "fact": f"customer.consent_changed:{CUSTOMER}:subscribed:2026-01-05T08:59:00Z",
                "subject": f"customer/{CUSTOMER}",
                "customer.ref": CUSTOMER,
                "customer.phones": [ANA],
                "customer.marketing_phones": [ANA],
                "customer.consents": [
                    ConsentHint(
                        purpose=Purpose.MARKETING,
                        state=ConsentState.OPTED_IN,
                        at=AT,
                        source="shopify",
                        proof=f"customer/{CUSTOMER} subscribed single_opt_in",
                    )
                ],
                "data.consent.purpose": "marketing",
                "data.consent.state": "subscribed",
                "data.consent.level": "single_opt_in",
                "data.consent.at": "2026-01-05T08:59:00Z",
                "data.consent.source": "shopify",
            }
        ],
    ),
    Case(
        "an opt-out",
        sample="customer_consent_changed_opt_out",
        events=[{"data.consent.state": "unsubscribed", "data.consent.source": "other"}],
    ),
    Case(
        "nobody was asked: no statement",
        sample="customer_consent_changed_nothing_said",
        events=[{"customer.consents": [], "customer.phones": [], "data.consent.state": None}],
    ),
    *(
        Case(f"{label} states nothing", sample="customer_consent_changed", edit=edit, events=[{"customer.consents": []}])
        for label, edit in [
            ("not subscribed", said(state="not_subscribed")),
            ("a double opt-in that waits", said(state="pending")),
            ("a state nobody knows", said(state="example string")),
            ("a state of e-mail consent", said(state="invalid")),
            ("an opt-in without a time", said(consent_updated_at=None)),
            ("a statement without a number", lambda body: body.update(phone=None)),
            ("no consent object at all", lambda body: body.update(sms_marketing_consent=None)),
        ]
    ),
    Case(
        "an opt-out without a number is about the numbers that the customer had",
        sample="customer_consent_changed_opt_out",
        edit=lambda body: body.update(phone=None),
        events=[{"customer.phones": [], "customer.marketing_phones": [], "data.consent.state": "unsubscribed"}],
    ),
    *(
        Case(
            label,
            sample="customer_consent_changed",
            edit=said(state=state, consent_updated_at=None),
            headers={"X-Shopify-Triggered-At": triggered},
            events=[
                {
                    "customer.consents": [
                        ConsentHint(
                            purpose=Purpose.MARKETING,
                            state=ConsentState.OPTED_OUT,
                            at=at,
                            source="shopify",
                            proof=f"customer/{CUSTOMER} {state} single_opt_in",
                        )
                    ],
                    "data.consent.state": state,
                    "data.consent.at": None,
                }
            ],
        )
        for label, state, triggered, at in [
            (
                "an opt-out without a time is of when it happened",
                "unsubscribed",
                "2026-01-05T08:59:58Z",
                AT + timedelta(seconds=58),
            ),
            ("an opt-out that nobody dates is of when it came", "unsubscribed", None, NOW),
            ("a time that is none dates nothing", "unsubscribed", "yesterday", NOW),
            ("an erased customer without a time", "redacted", "2026-01-05T08:59:58Z", AT + timedelta(seconds=58)),
        ]
    ),
    Case(
        "who is erased at Shopify is not opted in any more",
        sample="customer_consent_changed",
        edit=said(state="redacted"),
        events=[{"customer.consents": [OUT], "data.consent.state": "redacted"}],
    ),
    Case(
        "capitals, as GraphQL writes them",
        sample="customer_consent_changed",
        edit=said(state="UNSUBSCRIBED"),
        events=[{"data.consent.state": "unsubscribed"}],
    ),
    Case(
        "e-mail consent is none",
        sample="customer_consent_changed",
        headers={"X-Shopify-Topic": "customers_email_marketing_consent/update"},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_read(case: Case) -> None:
    case.check(connector)


class TestTheLedger:
    """What a number's marketing consent amounts to, as the statements come in."""

    @pytest.fixture
    def house(self, shop: Shop) -> House:
        return House(connector, installed(shop), FixedClock())

    def hears(self, house: House, state: str, at: datetime | None, triggered: datetime | None = None) -> str:
        """Shopify tells a state, dated or not; what the ledger says then."""
        dated = at.isoformat() if at else None
        request = bend(
            sample("bellwire_connectors.shopify", "customer_consent_changed"), said(state=state, consent_updated_at=dated)
        )
        house.clock.advance(1)
        now = house.clock.now()
        headers = {
            "X_Shopify_Webhook_Id": str(now.timestamp()),
            "X_Shopify_Triggered_At": triggered.isoformat() if triggered else "",
        }
        house.take(connector.read(replace(request, received_at=now).with_headers(**headers), house.installation))
        return house.marketing(ANA)

    @pytest.mark.parametrize("state", ["unsubscribed", "redacted"])
    @pytest.mark.parametrize("triggered", [NOW - timedelta(seconds=2), None], ids=["told when", "told by nobody when"])
    def test_an_undated_opt_out_ends_an_opt_in(self, house: House, state: str, triggered: datetime | None) -> None:
        assert self.hears(house, "subscribed", AT) == "opted_in"
        assert self.hears(house, state, None, triggered) == "opted_out"

    def test_each_of_two_undated_opt_outs_counts(self, house: House) -> None:
        assert self.hears(house, "subscribed", AT) == "opted_in"
        assert self.hears(house, "unsubscribed", None, NOW - timedelta(seconds=20)) == "opted_out"
        assert self.hears(house, "subscribed", NOW - timedelta(seconds=10)) == "opted_in"
        assert self.hears(house, "unsubscribed", None, NOW - timedelta(seconds=5)) == "opted_out"

    def test_an_undated_opt_out_that_came_late_leaves_a_newer_opt_in(self, house: House) -> None:
        assert self.hears(house, "subscribed", AT) == "opted_in"
        assert self.hears(house, "unsubscribed", None, AT - timedelta(hours=1)) == "opted_in"

    def test_an_undated_opt_in_lifts_nothing(self, house: House) -> None:
        assert self.hears(house, "unsubscribed", AT) == "opted_out"
        assert self.hears(house, "subscribed", None, NOW) == "opted_out"
        house.stop(ANA)
        assert self.hears(house, "subscribed", None, NOW + timedelta(hours=1)) == "opted_out"

    @pytest.mark.parametrize("state", ["pending", "not_subscribed", "invalid"])
    def test_what_states_nothing_changes_nothing(self, house: House, state: str) -> None:
        assert self.hears(house, "unsubscribed", AT) == "opted_out"
        assert self.hears(house, state, NOW) == "opted_out"
        assert self.hears(house, state, None, NOW) == "opted_out"


def statement(state: ConsentState = ConsentState.OPTED_OUT, **changes: Any) -> ConsentChange:
    given = {"msisdn": ANA, "purpose": Purpose.MARKETING, "at": AT, "source": "reply", "customer_ref": "", **changes}
    return ConsentChange(state=state, **given)


def write(link: MemoryLink, change: ConsentChange) -> None:
    assert connector.write_consent is not None
    connector.write_consent(change, link)


def consent(shop: Shop, customer: str) -> dict[str, Any]:
    return dict(shop.customers[customer]["defaultPhoneNumber"])


class TestOut:
    def test_a_stop_reaches_the_customer_with_its_own_time(self, shop: Shop, link: MemoryLink) -> None:
        customer = shop.add_customer(phone=ANA)
        write(link, statement())
        written = consent(shop, customer)
        assert (written["marketingState"], written["marketingUpdatedAt"]) == ("UNSUBSCRIBED", "2026-01-05T08:59:00Z")

    @pytest.mark.parametrize(("source", "level"), [("form", "SINGLE_OPT_IN"), ("double opt-in", "CONFIRMED_OPT_IN")])
    def test_an_opt_in_says_how_well_it_was_proven(self, shop: Shop, link: MemoryLink, source: str, level: str) -> None:
        customer = shop.add_customer(phone=ANA)
        write(link, statement(ConsentState.OPTED_IN, source=source))
        assert (consent(shop, customer)["marketingState"], consent(shop, customer)["marketingOptInLevel"]) == ("SUBSCRIBED", level)

    @pytest.mark.parametrize(
        "change",
        [
            statement(purpose=Purpose.TRANSACTIONAL),
            statement(purpose=Purpose.OTP),
            statement(ConsentState.IMPLIED),
        ],
        ids=["transactional", "otp", "implied"],
    )
    def test_what_shopify_can_t_hold_is_not_sent(self, shop: Shop, link: MemoryLink, change: ConsentChange) -> None:
        shop.add_customer(phone=ANA)
        write(link, change)
        assert shop.operations() == []

    def test_a_number_of_nobody_s_account_changes_nobody(self, shop: Shop, link: MemoryLink) -> None:
        other = shop.add_customer(phone="+12025550177")
        write(link, statement(customer_ref=other))
        assert consent(shop, other)["marketingState"] == "NOT_SUBSCRIBED"

    def test_a_known_customer_who_has_another_number_now_is_not_the_one(self, shop: Shop, link: MemoryLink) -> None:
        before, holder = shop.add_customer(phone="+12025550177"), shop.add_customer(phone=ANA)
        write(link, statement(customer_ref=before))
        assert [consent(shop, one)["marketingState"] for one in (before, holder)] == ["NOT_SUBSCRIBED", "UNSUBSCRIBED"]

    @pytest.mark.parametrize("ref", ["gid://shopify/Customer/404", "gid://shopify/Order/1", "42"])
    def test_a_ref_that_leads_nowhere_falls_back_to_the_number(self, shop: Shop, link: MemoryLink, ref: str) -> None:
        customer = shop.add_customer(phone=ANA)
        write(link, statement(customer_ref=ref))
        assert consent(shop, customer)["marketingState"] == "UNSUBSCRIBED"

    def test_the_newer_statement_wins_in_any_order(self, shop: Shop, link: MemoryLink) -> None:
        customer = shop.add_customer(phone=ANA)
        write(link, statement(ConsentState.OPTED_OUT, at=AT))
        write(link, statement(ConsentState.OPTED_IN, at=AT - timedelta(days=1)))
        assert consent(shop, customer)["marketingState"] == "UNSUBSCRIBED"

    def test_the_same_again_is_not_even_sent(self, shop: Shop, link: MemoryLink) -> None:
        shop.add_customer(phone=ANA)
        for _ in range(3):
            write(link, statement())
        assert shop.operations().count("SetConsent") == 1

    def test_a_clock_ahead_of_shopify_s_is_no_reason_to_lose_a_stop(self, shop: Shop, link: MemoryLink) -> None:
        customer = shop.add_customer(phone=ANA)
        write(link, statement(at=datetime.now(UTC) + timedelta(seconds=30)))
        assert consent(shop, customer)["marketingState"] == "UNSUBSCRIBED"

    @pytest.mark.parametrize("fault", [Fault(500), Fault(cut="after"), Fault(429, {"Retry-After": "99"})])
    def test_a_stop_that_failed_is_written_when_its_job_comes_again(self, shop: Shop, link: MemoryLink, fault: Fault) -> None:
        customer = shop.add_customer(phone=ANA)
        shop.fail(fault)
        with pytest.raises(PlatformError) as caught:
            write(link, statement())
        assert caught.value.retry == "later"
        write(link, statement())
        assert consent(shop, customer)["marketingState"] == "UNSUBSCRIBED"

    def test_a_missing_scope_is_said(self, shop: Shop, open_link: OpenLink) -> None:
        shop.scopes = ("read_customers",)
        link = open_link(Vault(installed(shop)))
        shop.add_customer(phone=ANA)
        with pytest.raises(PlatformUnauthorized):
            write(link, statement())


def test_what_we_wrote_comes_back_no_newer_than_our_own_statement(shop: Shop, link: MemoryLink) -> None:
    customer = shop.add_customer(phone=ANA)
    write(link, statement())
    event = told(shop, "customers_marketing_consent/update", consent_body(shop.customers[customer]))
    assert event.customer is not None
    [hint] = event.customer.consents
    assert (hint.state, hint.at) == (ConsentState.OPTED_OUT, AT)


def test_our_own_write_is_no_change_of_the_customer(shop: Shop, link: MemoryLink) -> None:
    from standins.shopify_orders import customer_webhook_of

    customer = shop.add_customer(phone=ANA)
    before = told(shop, "customers/update", customer_webhook_of(shop.customers[customer]))
    write(link, statement())
    after = told(shop, "customers/update", customer_webhook_of(shop.customers[customer]))
    assert after.fact == before.fact


def told(shop: Shop, topic: str, body: dict[str, Any]) -> Event:
    raw = json.dumps(body).encode()
    headers = {name.lower(): value for name, value in shop.headers(topic, raw).items()}
    [event] = connector.read(WebhookRequest(headers=headers, body=raw, received_at=AT), installed(shop))
    return event
