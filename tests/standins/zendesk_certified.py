"""The stand-in account as the certification kit plays with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bellwire import WebhookRequest
from bellwire.model import Json
from bellwire_connectors.zendesk.setup import trigger_body
from standins.zendesk import Zendesk

PHONE = "+12025550199"


class CertifiedDesk(Zendesk):
    """An account with a customer, the app's own user in it by OAuth."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = dict.fromkeys(self.limits, 100_000)  # what a minute takes is not what the kit asks of
        self._customer = 0
        self.told: list[bytes] = []

    def credentials(self) -> Mapping[str, Any]:
        return {**self.oauth_token(life_s=3600), "subdomain": self.subdomain, "api_token": "", "email": ""}

    def settings(self) -> Mapping[str, Any]:
        return {"bot_user_id": str(self.bot), "write_back": "all", "marketing_consent_field": "sms_marketing"}

    def subject(self) -> str:
        return f"ticket/{self.open_ticket(self._ana(), 'Where is my parcel?')}"

    def written(self) -> Json:
        """Notes, fields and tags of every ticket, in the order in which they were opened."""
        places = {number: place for place, number in enumerate(sorted(self.tickets))}
        return {
            str(place): {
                "comments": [[one["public"], one["plain_body"]] for one in self.comments[number]],
                "tags": sorted(self.tickets[number]["tags"]),
                "fields": [one["value"] for one in self.tickets[number]["custom_fields"]],
                "users": sorted(str(user["user_fields"]) for user in self.users.values()),
            }
            for number, place in places.items()
        }

    def person(self) -> tuple[str, str]:
        for key in ("sms_consent", "sms_marketing", "sms_consent_at", "sms_marketing_at"):
            if key not in {one["key"] for one in self.user_fields.values()}:
                self.post_user_field(sent={"user_field": {"key": key, "title": key, "type": "dropdown"}})
        return PHONE, f"user/{self._ana()}"

    def consent(self, msisdn: str) -> str:
        said = next((user["user_fields"].get("sms_marketing") for user in self.users.values() if user["phone"] == msisdn), None)
        return {"opt_in": "opted_in", "opt_out": "opted_out"}.get(str(said), "")

    def happen(self) -> str:
        """An hour passes in which nobody is told, and somebody writes in."""
        number = self.open_ticket(self._ana(), "Is anybody there?")
        self.deliveries()
        return f"ticket/{number}"

    def subscriptions(self) -> int:
        return len(self.webhooks)

    def drop_subscriptions(self) -> None:
        self.webhooks.clear()

    def reports(self, subject: str) -> Sequence[WebhookRequest]:
        """What a webhook of everything was to send of the ticket since the last look."""
        number, told, self.told = subject.partition("/")[2], self.told, []
        return [WebhookRequest(body=body, received_at=self.now()) for body in told if number.encode() in body]

    def _told(self, body: bytes) -> None:
        self.told.append(body)

    def ticket_created(self, ticket: Mapping[str, Any], actor: int) -> None:
        self._told(self._filled(trigger_body("ticket.created"), ticket, actor).encode())  # first: it has the phone
        super().ticket_created(ticket, actor)

    def ticket_changed(self, ticket: Mapping[str, Any], before: Mapping[str, Any], comment: Any, actor: int) -> None:
        """An admin's trigger that leaves nobody out: it notifies us of our own notes, too."""
        super().ticket_changed(ticket, before, comment, actor)
        self._told(self._filled(trigger_body("ticket.updated"), ticket, actor).encode())

    def _ana(self) -> int:
        if not self._customer:
            self._customer = self.add_user("Ana Example", phone=PHONE)
        return self._customer
