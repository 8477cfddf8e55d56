"""The account's webhooks and triggers: who is told of what, with which body, and how it is signed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bellwire import WebhookRequest

CONDITIONAL = "conditional_ticket_events"
_KNOWN = re.compile(r"conditional_ticket_events|zen:event-type:(ticket|user)\.[a-z_]+")


@dataclass
class Hook:
    """A webhook and its secret."""

    id: str
    endpoint: str
    subscriptions: list[str]
    name: str = ""
    status: str = "active"
    secret: str = field(default_factory=lambda: base64.b64encode(secrets.token_bytes(24)).decode())

    def shown(self) -> dict[str, Any]:
        """As the API lists it: without the secret."""
        return {
            "id": self.id,
            "endpoint": self.endpoint,
            "subscriptions": self.subscriptions,
            "name": self.name,
            "status": self.status,
        }


class Hooks:
    """The part of the account that calls out."""

    webhooks: dict[str, Hook]
    triggers: dict[int, dict[str, Any]]
    users: dict[int, dict[str, Any]]
    sent: list[Any]
    now: Any

    def deliveries(self) -> list[WebhookRequest]:
        """What Zendesk sends now, signed; each is given once."""
        given, self.sent[:] = list(self.sent), []
        return [self._signed(hook, body) for hook, body in given]

    def _signed(self, hook: Hook, body: bytes) -> WebhookRequest:
        """developer.zendesk.com, "Verifying webhook authenticity"."""
        stamp = self._stamp()  # type: ignore[attr-defined]  # the desk's
        made = base64.b64encode(hmac.new(hook.secret.encode(), stamp.encode() + body, hashlib.sha256).digest()).decode()
        headers = {
            "content-type": "application/json; charset=utf-8",
            "x-zendesk-account-id": "12345678",
            "x-zendesk-webhook-id": hook.id,
            "x-zendesk-webhook-invocation-id": uuid.uuid4().hex.upper()[:26],
            "x-zendesk-webhook-signature": made,
            "x-zendesk-webhook-signature-timestamp": stamp,
        }
        return WebhookRequest(url=hook.endpoint, headers=headers, body=body, received_at=self.now())

    # -- what happened ------------------------------------------------------------------------------------------------

    def ticket_created(self, ticket: Mapping[str, Any], actor: int) -> None:
        self._event("ticket.created", ticket, actor, {})
        comment = self.comments[ticket["id"]][0]  # type: ignore[attr-defined]  # the desk's
        self._run_triggers(ticket, None, comment, actor)

    def ticket_changed(self, ticket: Mapping[str, Any], before: Mapping[str, Any], comment: Any, actor: int) -> None:
        if comment is not None:
            author = self.users[comment["author_id"]]
            told = {
                "id": str(comment["id"]),
                "body": comment["plain_body"],
                "is_public": comment["public"],
                "author": {"id": str(author["id"]), "is_staff": author["role"] in ("agent", "admin"), "name": author["name"]},
            }
            self._event("ticket.comment_added", ticket, actor, {"comment": told})
        if ticket["status"] != before["status"]:
            self._event(
                "ticket.status_changed", ticket, actor, {"current": ticket["status"].upper(), "previous": before["status"].upper()}
            )
        if ticket["priority"] != before["priority"]:
            self._event("ticket.priority_changed", ticket, actor, {"current": ticket["priority"], "previous": before["priority"]})
        if ticket["tags"] != before["tags"]:
            added = [tag for tag in ticket["tags"] if tag not in before["tags"]]
            removed = [tag for tag in before["tags"] if tag not in ticket["tags"]]
            self._event("ticket.tags_changed", ticket, actor, {"tags_added": added, "tags_removed": removed})
        self._run_triggers(ticket, before, comment, actor)

    def user_changed(self, user: Mapping[str, Any], key: str, value: Any, before: Any) -> None:
        title = next((one["title"] for one in self.user_fields.values() if one["key"] == key), key)  # type: ignore[attr-defined]
        happened = {
            "custom_field": {"id": "1", "title": title, "key": key, "field_type": "dropdown"},
            "current": value,
            "previous": before,
        }
        detail = {"id": str(user["id"]), "role": user["role"], "updated_at": user["updated_at"], "created_at": user["created_at"]}
        self._send("user.custom_field_changed", f"zen:user:{user['id']}", detail, happened)

    def _event(self, kind: str, ticket: Mapping[str, Any], actor: int, happened: Mapping[str, Any]) -> None:
        detail = {name: str(ticket[name] or 0) for name in ("id", "requester_id", "submitter_id", "assignee_id", "group_id")}
        detail |= {"status": ticket["status"].upper(), "priority": (ticket["priority"] or "").upper(), "subject": ticket["subject"]}
        detail |= {name: ticket[name] for name in ("created_at", "updated_at", "tags", "via")}
        self._send(kind, f"zen:ticket:{ticket['id']}", {**detail, "actor_id": str(actor)}, happened)

    def _send(self, kind: str, subject: str, detail: Mapping[str, Any], happened: Mapping[str, Any]) -> None:
        body = {
            "type": f"zen:event-type:{kind}",
            "account_id": 12345678,
            "id": str(uuid.uuid4()),
            "time": self._stamp(),  # type: ignore[attr-defined]  # the desk's
            "zendesk_event_version": "2022-11-06",
            "subject": subject,
            "detail": detail,
            "event": happened,
        }
        self._told(json.dumps(body).encode())
        for hook in self.webhooks.values():
            if body["type"] in hook.subscriptions and hook.status == "active":
                self.sent.append((hook, json.dumps(body).encode()))

    def _told(self, body: bytes) -> None:
        """For whoever wants to see every event."""

    # -- triggers -----------------------------------------------------------------------------------------------------

    def _run_triggers(self, ticket: Mapping[str, Any], before: Mapping[str, Any] | None, comment: Any, actor: int) -> None:
        for trigger in self.triggers.values():
            if all(self._holds(one, ticket, before, comment, actor) for one in trigger["conditions"]["all"]):
                for action in trigger["actions"]:
                    hook = self.webhooks.get(action["value"][0])
                    if hook is not None and hook.status == "active":
                        self.sent.append((hook, self._filled(action["value"][1], ticket, actor).encode()))

    def _holds(self, condition: Mapping[str, str], ticket: Any, before: Any, comment: Any, actor: int) -> bool:
        name, value = condition["field"], condition["value"]
        if name == "update_type":
            return (before is None) == (value == "Create")
        if name == "comment_is_public":
            return comment is not None and comment["public"] is (value == "true")
        if name == "role":
            return value == "agent" and self.users[actor]["role"] in ("agent", "admin")
        if name == "status":
            return ticket["status"] == value and (before is None or before["status"] != value)
        if name == "current_user_id":
            return (str(actor) == value) is (condition["operator"] == "is")
        raise AssertionError(f"the stand-in knows no condition {name}")

    def _filled(self, template: str, ticket: Mapping[str, Any], actor: int) -> str:
        """Placeholders, not escaped, as at Zendesk."""
        requester = self.users[ticket["requester_id"]]
        public = [one for one in self.comments[ticket["id"]] if one["public"]]  # type: ignore[attr-defined]
        values = {
            "ticket.id": ticket["id"],
            "ticket.status": ticket["status"].capitalize(),
            "ticket.updated_at_with_timestamp": ticket["updated_at"],
            "ticket.requester.id": requester["id"],
            "ticket.requester.phone": requester["phone"] or "",
            "ticket.latest_public_comment.id": public[-1]["id"] if public else "",
            "current_user.id": actor,
        }
        return re.sub(r"\{\{\s*([\w.]+)\s*\}\}", lambda found: str(values.get(found[1], "")), template)

    # -- the API ------------------------------------------------------------------------------------------------------

    def list_webhooks(self, **_: Any) -> Any:
        return {"webhooks": [one.shown() for one in self.webhooks.values()], "meta": {"has_more": False}}

    def post_webhook(self, *, sent: Any, **_: Any) -> Any:
        given = sent["webhook"]
        lacking = {"name", "status", "endpoint", "http_method", "request_format", "subscriptions"} - set(given)
        strange = [one for one in given.get("subscriptions", ()) if not _KNOWN.fullmatch(one)]
        mixed = CONDITIONAL in given.get("subscriptions", ()) and len(given["subscriptions"]) > 1
        if lacking or strange or mixed or len(self.webhooks) >= 10:
            from standins.zendesk_desk import Refused

            raise Refused(400, {"errors": [{"code": "InvalidParameter", "title": "Invalid webhook", "detail": "…"}]})
        made = Hook(self._ulid(), given["endpoint"], list(given["subscriptions"]), given["name"])  # type: ignore[attr-defined]
        self.webhooks[made.id] = made
        return {"webhook": made.shown()}

    def delete_webhook(self, number: str, **_: Any) -> Any:
        self.webhooks.pop(number)

    def get_secret(self, number: str, **_: Any) -> Any:
        return {"signing_secret": {"algorithm": "SHA256", "secret": self.webhooks[number].secret}}

    def list_triggers(self, **_: Any) -> Any:
        return {"triggers": list(self.triggers.values())}

    def post_trigger(self, *, sent: Any, **_: Any) -> Any:
        number = self._next()  # type: ignore[attr-defined]
        self.triggers[number] = {"id": number, **sent["trigger"]}
        return {"trigger": self.triggers[number]}
