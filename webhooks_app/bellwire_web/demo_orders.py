"""The demo's story: made-up buyers in five countries, what they are told, and their orders as Shopify would report them."""

from __future__ import annotations

import copy
import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from typing import Any

SHOP = "bellwire-demo.myshopify.com"

BODIES = {
    "order_created": {
        "en": (
            "Hi {{ customer.first_name | default: 'there' }}, thanks for order {{ order.name }} "
            "({{ order.total | money: order.currency }}). We will text you when it ships."
        ),
        "es": (
            "Hola {{ customer.first_name | default: '' }}, gracias por el pedido {{ order.name }} "
            "({{ order.total | money: order.currency }}). Le avisaremos al enviarlo."
        ),
        "uz": (
            "Salom {{ customer.first_name | default: '' }}! {{ order.name }} buyurtmangiz qabul qilindi: "
            "{{ order.total | money: order.currency }}."
        ),
        "hr": (
            "Pozdrav {{ customer.first_name | default: '' }}, hvala na narudžbi {{ order.name }} "
            "({{ order.total | money: order.currency }})."
        ),
        "zh": (
            "【Demo】{{ customer.first_name | default: '' }}您好，订单 {{ order.name }} 已收到，"
            "金额 {{ order.total | money: order.currency }}。"
        ),
    },
    "shipped": {
        "en": "Your parcel is on its way. Track it: {{ tracking.url | default: 'in your account' }}",
        "es": "Su pedido va en camino. Siga el envio: {{ tracking.url | default: 'en su cuenta' }}",
    },
}


@dataclass(frozen=True)
class Buyer:
    """A made-up buyer; the numbers end in the sandbox's magic digits."""

    first_name: str
    phone: str
    locale: str
    country: str
    total: str
    currency: str


BUYERS = (
    Buyer("Dilnoza", "+998901230099", "uz-UZ", "UZ", "185000", "UZS"),
    Buyer("Camila", "+573001230098", "es-CO", "CO", "129900.50", "COP"),
    Buyer("Ana", "091 123 0097", "hr-HR", "HR", "49.90", "EUR"),
    Buyer("Wei", "+8613800130096", "zh-CN", "CN", "268.00", "CNY"),
    Buyer("Grace", "+12025900003", "en-US", "US", "59.00", "USD"),  # …0003: the operator can't reach the handset
)


def order(number: int, buyer: Buyer) -> dict[str, Any]:
    """A delivery of orders/create for a made-up buyer, made from the connector's own sample."""
    sample = json.loads(resources.files("bellwire_connectors.shopify").joinpath("samples/order_created.json").read_text("utf-8"))
    headers, body = sample["headers"], copy.deepcopy(sample["body"])
    order_id = 5_820_982_911_946_150_000 + number
    headers |= {
        "X-Shopify-Shop-Domain": SHOP,
        "X-Shopify-Webhook-Id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"delivery {number}")),
        "X-Shopify-Event-Id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"event {number}")),
        "X-Shopify-Triggered-At": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
    }
    address = {
        "first_name": buyer.first_name,
        "last_name": "Example",
        "name": f"{buyer.first_name} Example",
        "phone": buyer.phone,
        "country_code": buyer.country,
    }
    money = {"amount": buyer.total, "currency_code": buyer.currency}
    body |= {
        "id": order_id,
        "admin_graphql_api_id": f"gid://shopify/Order/{order_id}",
        "name": f"#{number}",
        "order_number": number,
        "phone": buyer.phone,
        "customer_locale": buyer.locale,
        "checkout_token": f"demo{number}",
        "currency": buyer.currency,
        "presentment_currency": buyer.currency,
        "total_price": buyer.total,
        "current_total_price": buyer.total,
        "total_price_set": {"shop_money": money, "presentment_money": money},
        "current_total_price_set": {"shop_money": money, "presentment_money": money},
        "billing_address": {**(body.get("billing_address") or {}), **address},
        "shipping_address": {**(body.get("shipping_address") or {}), **address},
        "customer": {
            **(body.get("customer") or {}),
            "id": 7_000_000 + number,
            "admin_graphql_api_id": f"gid://shopify/Customer/{7_000_000 + number}",
            "first_name": buyer.first_name,
            "last_name": "Example",
            "phone": buyer.phone,
            "default_address": address,
        },
    }
    return {"headers": headers, "body": body}
