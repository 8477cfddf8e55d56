"""Consent out: a marketing opt-in or opt-out of our ledger, written on the Shopify customer who has that number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bellwire import ConsentChange, ConsentState, Link, Purpose

from .answers import time_of
from .client import Admin
from .delivery import number_of, stamp
from .operations import CUSTOMER, CUSTOMER_BY_PHONE, SET_CONSENT

#: Ours → CustomerSmsMarketingState. An implied consent is no statement about marketing.
STATES = {ConsentState.OPTED_IN: "SUBSCRIBED", ConsentState.OPTED_OUT: "UNSUBSCRIBED"}


def write_consent(change: ConsentChange, link: Link) -> None:
    """Write the statement with its own time: at Shopify the newest one wins, so an old one repeated changes nothing.

    Nothing is written for other purposes than marketing, nor when no customer's account has the number: Shopify keeps
    SMS consent for that number only. Raises PlatformError.
    """
    state = STATES.get(change.state)
    if change.purpose is not Purpose.MARKETING or state is None:
        return
    admin = Admin(link)
    customer = _holder(admin, change)
    if customer is None:
        return
    phone = customer.get("defaultPhoneNumber") or {}
    at = stamp(min(change.at, link.now()))  # a clock ahead of Shopify's would be refused
    if phone.get("marketingState") == state and stamp(time_of(phone.get("marketingUpdatedAt"))) >= at:
        return
    consent: dict[str, Any] = {"marketingState": state, "consentUpdatedAt": at}
    if state == "SUBSCRIBED":
        consent["marketingOptInLevel"] = "CONFIRMED_OPT_IN" if "double" in change.source else "SINGLE_OPT_IN"
    admin.change(SET_CONSENT, input={"customerId": customer["id"], "smsMarketingConsent": consent})


def _holder(admin: Admin, change: ConsentChange) -> Mapping[str, Any] | None:
    """The customer whose account has the number: the one we know, else the one that Shopify finds by it."""
    if change.customer_ref.startswith("gid://shopify/Customer/") and number_of(change.customer_ref):
        known = admin.ask(CUSTOMER, id=change.customer_ref).get("customer")
        if _has(known, change.msisdn):
            return known
    found = admin.ask(CUSTOMER_BY_PHONE, phone=change.msisdn).get("customerByIdentifier")
    return found if _has(found, change.msisdn) else None


def _has(customer: Any, msisdn: str) -> bool:
    if not isinstance(customer, Mapping):
        return False
    return bool((customer.get("defaultPhoneNumber") or {}).get("phoneNumber") == msisdn)
