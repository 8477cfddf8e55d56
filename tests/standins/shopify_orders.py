"""Objects of the stand-in shop: orders, customers and checkouts in GraphQL's shape, and an order's webhook body."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any


def money(amount: str, currency: str = "USD", shop_amount: str = "", shop_currency: str = "USD") -> dict[str, Any]:
    """A MoneyBag; the shop's own amount only where it differs."""
    own = {"amount": shop_amount or amount, "currencyCode": shop_currency if shop_amount else currency}
    return {"presentmentMoney": {"amount": amount, "currencyCode": currency}, "shopMoney": own}


def address(
    first: str = "Ana", last: str = "Example", phone: str | None = None, country: str = "US", city: str = "Springfield"
) -> dict[str, Any]:
    """A MailingAddress."""
    names = {"firstName": first, "lastName": last, "name": f"{first} {last}"}
    return {**names, "phone": phone, "city": city, "countryCodeV2": country}


def customer(number: int, now: datetime, *, phone: str | None = "+12025550142", **changes: Any) -> dict[str, Any]:
    """A Customer."""
    made: dict[str, Any] = {
        "id": f"gid://shopify/Customer/{6405506930370000 + number}",
        "firstName": "Ana",
        "lastName": "Example",
        "state": "DISABLED",
        "tags": [],
        "createdAt": now.isoformat(),
        "updatedAt": now.isoformat(),
        "defaultEmailAddress": {"emailAddress": "ana@example.com"},
        "defaultPhoneNumber": {
            "phoneNumber": phone,
            "marketingState": "NOT_SUBSCRIBED",
            "marketingOptInLevel": None,
            "marketingUpdatedAt": None,
            "marketingCollectedFrom": None,
        }
        if phone
        else None,
        "defaultAddress": address(),
    }
    return {**made, **changes}


def parcel(number: int, now: datetime, *, tracking: str | None = "1Z0000000000000012", **changes: Any) -> dict[str, Any]:
    """A Fulfillment."""
    info = [{"number": tracking, "url": f"https://tracking.example/{tracking}", "company": "UPS"}] if tracking else []
    made: dict[str, Any] = {
        "id": f"gid://shopify/Fulfillment/{255858046000 + number}",
        "status": "SUCCESS",
        "displayStatus": "FULFILLED",
        "createdAt": now.isoformat(),
        "updatedAt": now.isoformat(),
        "deliveredAt": None,
        "inTransitAt": None,
        "trackingInfo": lambda _, first=None: info[:first],
        "_tracking": info,
    }
    return {**made, **changes}


def refund(
    number: int, now: datetime, amount: str = "89.99", currency: str = "USD", note: str = "arrived broken"
) -> dict[str, Any]:
    """A Refund."""
    number_at = f"gid://shopify/Refund/{890088186047000 + number}"
    return {"id": number_at, "createdAt": now.isoformat(), "note": "arrived broken", "totalRefundedSet": money(amount, currency)}


def order(number: int, now: datetime, **changes: Any) -> dict[str, Any]:
    """An Order. `changes`: its fields, and `lines`, `parcels`, `refunded`, `payments` (lists of their objects)."""
    lines = changes.pop("lines", [{"title": "Aviator sunglasses", "quantity": 1}, {"title": "Lens case", "quantity": 2}])
    parcels, refunded, payments = changes.pop("parcels", []), changes.pop("refunded", []), changes.pop("payments", [])
    made: dict[str, Any] = {
        "id": f"gid://shopify/Order/{5820982911946150000 + number}",
        "name": f"#{1000 + number}",
        "createdAt": now.isoformat(),
        "updatedAt": now.isoformat(),
        "processedAt": now.isoformat(),
        "cancelledAt": None,
        "cancelReason": None,
        "displayFinancialStatus": "PENDING",
        "displayFulfillmentStatus": "UNFULFILLED",
        "email": "ana@example.com",
        "phone": "+12025550142",
        "customerLocale": "en-US",
        "statusPageUrl": f"https://example.myshopify.com/1/orders/{number}/authenticate?key=abcdefg",
        "sourceName": "web",
        "tags": ["vip"],
        "test": False,
        "note": None,
        "paymentGatewayNames": ["bogus"],
        "totalPriceSet": money("404.95"),
        "currentTotalPriceSet": money("404.95"),
        "customer": customer(number, now),
        "shippingAddress": address(phone="(202) 555-0142"),
        "billingAddress": address(phone="(202) 555-0142"),
        "shippingLine": {"title": "Standard shipping"},
        "lineItems": lambda _, first=None, **__: _connection(lines[:first]),
        "fulfillments": lambda _, first=None: parcels[:first],
        "refunds": lambda _, first=None: refunded[:first],
        "transactions": lambda _, first=None: payments[:first],
        "_lines": lines,
        "_parcels": parcels,
        "_refunds": refunded,
    }
    return {**made, **changes}


def checkout(number: int, now: datetime, *, token: str = "", **changes: Any) -> dict[str, Any]:
    """An AbandonedCheckout."""
    token = token or f"bf7d4c1f0cd6ac1b3e6bb7d4c1f{number:05d}"
    lines = changes.pop("lines", [{"title": "Aviator sunglasses", "quantity": 1}])
    made: dict[str, Any] = {
        "id": f"gid://shopify/AbandonedCheckout/{98182007925500 + number}",
        "abandonedCheckoutUrl": f"https://example.myshopify.com/1/checkouts/ac/{token}/recover?key=abcdefg",
        "createdAt": now.isoformat(),
        "updatedAt": now.isoformat(),
        "completedAt": None,
        "totalPriceSet": money("99.99"),
        "customer": customer(number, now),
        "shippingAddress": address(phone="(202) 555-0142"),
        "billingAddress": None,
        "lineItems": lambda _, first=None, **__: _connection(lines[:first]),
    }
    return {**made, **changes}


def webhook_of(found: Mapping[str, Any]) -> dict[str, Any]:
    """An order as `orders/*` sends it (Admin API webhook reference)."""
    number = int(found["id"].rpartition("/")[2])
    fulfillment = {"FULFILLED": "fulfilled", "PARTIALLY_FULFILLED": "partial"}.get(found["displayFulfillmentStatus"])
    return {
        "id": number,
        "admin_graphql_api_id": found["id"],
        "name": found["name"],
        "order_number": int(found["name"].lstrip("#")),
        "test": found["test"],
        "created_at": found["createdAt"],
        "updated_at": found["updatedAt"],
        "cancelled_at": found["cancelledAt"],
        "cancel_reason": (found["cancelReason"] or "").lower() or None,
        "financial_status": found["displayFinancialStatus"].lower(),
        "fulfillment_status": fulfillment,
        "source_name": found["sourceName"],
        "tags": ", ".join(found["tags"]),
        "note": found["note"],
        "note_attributes": [],
        "phone": found["phone"],
        "email": found["email"],
        "customer_locale": found["customerLocale"],
        "order_status_url": found["statusPageUrl"],
        "payment_gateway_names": found["paymentGatewayNames"],
        "currency": found["totalPriceSet"]["shopMoney"]["currencyCode"],
        "total_price": found["totalPriceSet"]["shopMoney"]["amount"],
        "total_price_set": {
            "shop_money": _money(found["totalPriceSet"]["shopMoney"]),
            "presentment_money": _money(found["totalPriceSet"]["presentmentMoney"]),
        },
        "customer": customer_webhook_of(found["customer"]) if found["customer"] else None,
        "shipping_address": _address(found["shippingAddress"]),
        "billing_address": _address(found["billingAddress"]),
        "line_items": [{"id": place, **line} for place, line in enumerate(found["_lines"], 1)],
        "shipping_lines": [found["shippingLine"]] if found["shippingLine"] else [],
        "fulfillments": [parcel_webhook_of(one, number) for one in found["_parcels"]],
        "refunds": [],
    }


def customer_webhook_of(found: Mapping[str, Any]) -> dict[str, Any]:
    """A customer as `customers/*` sends it."""
    return {
        "id": int(found["id"].rpartition("/")[2]),
        "admin_graphql_api_id": found["id"],
        "created_at": found["createdAt"],
        "updated_at": found["updatedAt"],
        "first_name": found["firstName"],
        "last_name": found["lastName"],
        "state": found["state"].lower(),
        "email": (found["defaultEmailAddress"] or {}).get("emailAddress"),
        "phone": (found["defaultPhoneNumber"] or {}).get("phoneNumber"),
        "default_address": _address(found["defaultAddress"]),
    }


def parcel_webhook_of(found: Mapping[str, Any], order_number: int) -> dict[str, Any]:
    """A fulfillment as `fulfillments/*` sends it, without its destination."""
    tracking = found["_tracking"]
    first = tracking[0] if tracking else {}
    return {
        "id": int(found["id"].rpartition("/")[2]),
        "admin_graphql_api_id": found["id"],
        "order_id": order_number,
        "status": found["status"].lower(),
        "shipment_status": None,
        "created_at": found["createdAt"],
        "updated_at": found["updatedAt"],
        "tracking_company": first.get("company"),
        "tracking_number": first.get("number"),
        "tracking_numbers": [one["number"] for one in tracking],
        "tracking_url": first.get("url"),
        "tracking_urls": [one["url"] for one in tracking],
    }


def _money(found: Mapping[str, Any]) -> dict[str, Any]:
    return {"amount": found["amount"], "currency_code": found["currencyCode"]}


def _address(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "first_name": found["firstName"],
        "last_name": found["lastName"],
        "name": found["name"],
        "phone": found["phone"],
        "city": found["city"],
        "country_code": found["countryCodeV2"],
    }


def _connection(nodes: list[Any]) -> dict[str, Any]:
    return {"nodes": nodes, "pageInfo": {"hasNextPage": False, "endCursor": None}}
