"""The way of an order, walked from outside: a stand-in shop reports it, Twilio (as we play it) tells what became of the text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import requests
from bellwire import WebhookRequest
from bellwire.testing import NOW, account
from bellwire_connectors.twilio import carrier as twilio
from standins.served import Tenant
from standins.shopify import Shop

BODIES = {
    "en": "Hi {{ customer.first_name }}, thanks for {{ order.name }}: {{ order.total }} {{ order.currency }}.",
    "es": "Hola {{ customer.first_name }}, gracias por {{ order.name }}.",
}


@dataclass
class Way:
    """What one order left behind."""

    tenant: Tenant
    shop: Shop
    installation: dict[str, Any]
    account: dict[str, Any]
    sid: str
    token: str

    def place(self, **changes: Any) -> tuple[str, dict[str, Any]]:
        """Somebody orders; the order's gid and the event."""
        gid = self.shop.place_order(**changes)
        told = self.shop.deliver("orders/create", self.shop.order_webhook(gid), to=self.installation["webhook_url"])
        assert told.status == 200, told.body
        [event] = json.loads(told.body)["events"]
        return gid, self.tenant.get(f"/v1/events/{event}")

    def texted(self, **changes: Any) -> tuple[str, dict[str, Any]]:
        """Somebody orders and is texted; the order's gid and the message, once the carrier has it."""
        gid, event = self.place(**changes)
        [decision] = event["decisions"]
        return gid, self.tenant.wait(decision["message"], "sent", "delivered")

    def report(self, message: dict[str, Any], status: str, *, token: str = "", **fields: str) -> requests.Response:
        """A receipt for this message, as Twilio posts it."""
        said = {"MessageSid": message["carrier_ref"], "MessageStatus": status, "AccountSid": self.sid, **fields}
        return self.post(f"{self.account['dlr_url']}/{message['id']}", said, token or self.token)

    def reply(self, msisdn: str, text: str, *, token: str = "", **fields: str) -> requests.Response:
        """A text from a handset, as Twilio posts it."""
        to = self.account["settings"]["sender_id"]
        said = {"MessageSid": f"SM{uuid4().hex}", "AccountSid": self.sid, "From": msisdn, "To": to, "Body": text, **fields}
        return self.post(self.account["mo_url"], said, token or self.token)

    def post(self, url: str, said: Mapping[str, str], token: str) -> requests.Response:
        """Post a form, signed as Twilio signs it."""
        body = urlencode(said).encode()
        headers = {"content-type": "application/x-www-form-urlencoded"}
        unsigned = WebhookRequest(url=url, headers=headers, body=body, received_at=NOW)
        credentials = {"account_sid": self.sid, "auth_token": token}
        assert twilio.sign is not None
        signed = twilio.sign(unsigned, account(twilio, credentials=credentials, secrets=(token,)))
        return requests.post(url, data=body, headers=dict(signed.headers), timeout=10)


def lay(tenant: Tenant, shop: Shop, base_url: str) -> Way:
    """A tenant that thanks each buyer by text."""
    sid, token = "AC" + "5" * 32, "a token of nobody's"
    account = tenant.twilio(base_url, sid=sid, token=token, sender_id="+12025550177")
    tenant.template("thanks", **BODIES)
    tenant.trigger("order.created", "thanks", name="order placed")
    return Way(tenant, shop, tenant.shop(shop), account, sid, token)
