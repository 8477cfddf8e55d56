"""GraphQL objects as the webhook bodies they would have come as, so that one reader serves both.

A field that GraphQL gave null stays null; what the readers make of it is their business.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from babel.numbers import get_currency_precision

from .delivery import number_of
from .shapes import plain

Node = Mapping[str, Any]

#: Order.displayFulfillmentStatus → the webhook's fulfillment_status; the states between are null there.
_FULFILLMENT = {"FULFILLED": "fulfilled", "PARTIALLY_FULFILLED": "partial", "RESTOCKED": "restocked"}
#: Fulfillment.displayStatus values that a webhook's shipment_status has, too; the others are null there.
_SHIPMENT = frozenset(
    {
        "ATTEMPTED_DELIVERY",
        "CONFIRMED",
        "DELIVERED",
        "FAILURE",
        "IN_TRANSIT",
        "LABEL_PRINTED",
        "LABEL_PURCHASED",
        "OUT_FOR_DELIVERY",
        "READY_FOR_PICKUP",
    }
)
_TOKEN = re.compile(r"/checkouts/(?:[a-z]{2}/)?([\w-]{16,128})(?:/|\?|$)", re.ASCII)
_DIGITS = re.compile(r"\d{1,18}", re.ASCII)


def encoded(body: Mapping[str, Any]) -> bytes:
    """The body as bytes, for a Delivery."""
    return json.dumps(body).encode()


def order_body(order: Node) -> dict[str, Any]:
    """An Order as `orders/*` sends it."""
    name = order.get("name")
    shipping_line = order.get("shippingLine")
    return {
        "id": _number(order),
        "admin_graphql_api_id": order.get("id"),
        "name": name,
        "order_number": order_number(name if isinstance(name, str) else ""),
        "test": order.get("test"),
        "created_at": order.get("createdAt"),
        "updated_at": order.get("updatedAt"),
        "cancelled_at": order.get("cancelledAt"),
        "cancel_reason": _lower(order.get("cancelReason")),
        "financial_status": _lower(order.get("displayFinancialStatus")),
        "fulfillment_status": _FULFILLMENT.get(str(order.get("displayFulfillmentStatus"))),
        "source_name": order.get("sourceName"),
        "tags": ", ".join(order.get("tags") or []),
        "phone": order.get("phone"),
        "email": order.get("email"),
        "customer_locale": order.get("customerLocale"),
        "order_status_url": order.get("statusPageUrl"),
        "payment_gateway_names": order.get("paymentGatewayNames"),
        "total_price_set": _money_set(order.get("totalPriceSet")),
        "customer": customer_body(order["customer"]) if order.get("customer") else None,
        "shipping_address": _address(order.get("shippingAddress")),
        "billing_address": _address(order.get("billingAddress")),
        "line_items": _nodes(order.get("lineItems")),
        "shipping_lines": [{"title": shipping_line.get("title")}] if isinstance(shipping_line, Mapping) else [],
        "fulfillments": [parcel_body(parcel) for parcel in order.get("fulfillments") or []],
    }


def parcel_body(parcel: Node) -> dict[str, Any]:
    """A Fulfillment as it stands inside an order."""
    tracking = [one for one in parcel.get("trackingInfo") or [] if isinstance(one, Mapping)]
    first: Mapping[str, Any] = tracking[0] if tracking else {}
    shown_as = parcel.get("displayStatus")
    return {
        "id": _number(parcel),
        "status": _lower(parcel.get("status")),
        "shipment_status": _lower(shown_as) if shown_as in _SHIPMENT else None,
        "created_at": parcel.get("createdAt"),
        "updated_at": parcel.get("updatedAt"),
        "tracking_company": first.get("company"),
        "tracking_number": first.get("number"),
        "tracking_numbers": [one.get("number") for one in tracking],
        "tracking_url": first.get("url"),
        "tracking_urls": [one.get("url") for one in tracking],
    }


def customer_body(customer: Node) -> dict[str, Any]:
    """A Customer as `customers/*` sends it."""
    email, phone = customer.get("defaultEmailAddress") or {}, customer.get("defaultPhoneNumber") or {}
    return {
        "id": _number(customer),
        "admin_graphql_api_id": customer.get("id"),
        "first_name": customer.get("firstName"),
        "last_name": customer.get("lastName"),
        "email": email.get("emailAddress"),
        "phone": phone.get("phoneNumber"),
        "state": _lower(customer.get("state")),
        "created_at": customer.get("createdAt"),
        "updated_at": customer.get("updatedAt"),
        "default_address": _address(customer.get("defaultAddress")),
    }


def consent_body(customer: Node) -> dict[str, Any]:
    """A Customer's SMS consent as `customers_marketing_consent/update` sends it."""
    phone = customer.get("defaultPhoneNumber") or {}
    return {
        "id": _number(customer),
        "phone": phone.get("phoneNumber"),
        "sms_marketing_consent": {
            "state": _lower(phone.get("marketingState")),
            "opt_in_level": _lower(phone.get("marketingOptInLevel")),
            "consent_updated_at": phone.get("marketingUpdatedAt"),
            "consent_collected_from": phone.get("marketingCollectedFrom"),
        },
    }


def checkout_body(checkout: Node) -> dict[str, Any]:
    """An AbandonedCheckout as `checkouts/*` sends it; "token" is "" where its URL does not tell it."""
    money = ((checkout.get("totalPriceSet") or {}).get("shopMoney")) or {}
    found = _TOKEN.search(str(checkout.get("abandonedCheckoutUrl") or ""))
    customer = checkout.get("customer")
    return {
        "token": found.group(1) if found else "",
        "created_at": checkout.get("createdAt"),
        "updated_at": checkout.get("updatedAt"),
        "completed_at": checkout.get("completedAt"),
        "abandoned_checkout_url": checkout.get("abandonedCheckoutUrl"),
        "currency": money.get("currencyCode"),
        "total_price": amount(money) if money else None,
        "customer": customer_body(customer) if customer else None,
        "shipping_address": _address(checkout.get("shippingAddress")),
        "billing_address": _address(checkout.get("billingAddress")),
        "line_items": _nodes(checkout.get("lineItems")),
    }


def refund_body(refund: Node, order: Node) -> dict[str, Any]:
    """A Refund as `refunds/create` sends it: one movement of its whole amount."""
    money = shown(refund.get("totalRefundedSet"))
    return {
        "id": _number(refund),
        "admin_graphql_api_id": refund.get("id"),
        "order_id": _number(order),
        "note": refund.get("note"),
        "created_at": refund.get("createdAt"),
        "transactions": [
            {
                "kind": "refund",
                "status": "success",
                "amount": amount(money),
                "currency": money.get("currencyCode"),
                "test": order.get("test"),
            }
        ],
    }


def shown(money_set: object) -> Mapping[str, Any]:
    """The buyer's amount of a MoneyBag, {} when there is none."""
    if not isinstance(money_set, Mapping):
        return {}
    found = money_set.get("presentmentMoney") or money_set.get("shopMoney")
    return found if isinstance(found, Mapping) else {}


def amount(money: Node) -> str | None:
    """The amount with its currency's decimals: GraphQL writes `20.0` where a webhook writes `20.00` (USD) or `20` (VND)."""
    given, currency = money.get("amount"), money.get("currencyCode")
    try:
        value = Decimal(str(given))
        rounded = value.quantize(Decimal(1).scaleb(-get_currency_precision(str(currency))))
    except InvalidOperation:
        return given if isinstance(given, str) else None
    return plain(rounded if rounded == value else value)


def order_number(name: str) -> int | None:
    """1001 of `#1001`; None where a shop's prefix or suffix has digits, too."""
    found = _DIGITS.findall(name)
    return int(found[0]) if len(found) == 1 else None


def _number(node: Node) -> int | None:
    digits = number_of(str(node.get("id") or ""))
    return int(digits) if digits else None


def _address(address: object) -> dict[str, Any] | None:
    if not isinstance(address, Mapping):
        return None
    return {
        "first_name": address.get("firstName"),
        "last_name": address.get("lastName"),
        "name": address.get("name"),
        "phone": address.get("phone"),
        "city": address.get("city"),
        "country_code": address.get("countryCodeV2"),
    }


def _money_set(money_set: object) -> dict[str, Any] | None:
    if not isinstance(money_set, Mapping):
        return None
    return {"presentment_money": _money(money_set.get("presentmentMoney")), "shop_money": _money(money_set.get("shopMoney"))}


def _money(money: object) -> dict[str, Any] | None:
    if not isinstance(money, Mapping):
        return None
    return {"amount": amount(money), "currency_code": money.get("currencyCode")}


def _nodes(connection: object) -> Sequence[Any]:
    return (connection.get("nodes") or []) if isinstance(connection, Mapping) else []


def _lower(value: object) -> str | None:
    return value.lower() if isinstance(value, str) else None
