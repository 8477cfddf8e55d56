"""What we need at Zendesk: webhooks, fields, triggers where those bring the tickets. Made at install, and again when missing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bellwire import Installation, Link, PlatformRejected, PlatformUnauthorized

from .account import bot_user_id, id_of
from .client import Desk
from .consents import OPT_IN, OPT_OUT, at_key, changed_fields, title_of
from .events import TYPES
from .sdk import Reader
from .shapes import SCHEMA
from .writeback import OPTIONS, find_status_field

CONDITIONAL = "conditional_ticket_events"
NAME = "Bellwire"

#: What a trigger looks at, by the event that it tells.
CONDITIONS: Mapping[str, Sequence[Mapping[str, str]]] = {
    "ticket.created": ({"field": "update_type", "operator": "is", "value": "Create"},),
    "ticket.commented": (
        {"field": "update_type", "operator": "is", "value": "Change"},
        {"field": "comment_is_public", "operator": "is", "value": "true"},
        {"field": "role", "operator": "is", "value": "agent"},
    ),
    "ticket.solved": ({"field": "status", "operator": "value", "value": "solved"},),
}


@dataclass(slots=True)
class Webhooks:
    """Our webhooks at Zendesk: the one of triggers, the one of events."""

    conditional: Mapping[str, Any] | None = None
    events: Mapping[str, Any] | None = None
    missing: list[str] = field(default_factory=list)  # event types that the second one lacks
    outdated: bool = False  # it is one that we made, and not as we would make it now


def subscribe(link: Link) -> None:
    """Make what is missing. Safe to repeat. Raises PlatformError."""
    desk = Desk(link)
    url = link.installation.webhook_url
    if not url:
        raise PlatformRejected("zendesk: no webhook URL; set PUBLIC_URL", code="no_public_url")
    if not bot_user_id(desk.installation):
        link.remember(bot_user_id=id_of(Reader(desk).me().get("id")))
    _fields(desk)
    found = ours(desk, url)
    secrets: dict[str, str] = {}
    wanted = event_types(desk.installation)
    if by_triggers(desk.installation):
        conditional = found.conditional or _make(desk, url, f"{NAME} triggers", [CONDITIONAL])
        secrets["signing_secret"] = _secret(desk, conditional)
        _triggers(desk, id_of_webhook(conditional))
    if found.events is not None and found.outdated:
        desk.delete(f"webhooks/{id_of_webhook(found.events)}")  # what it subscribes to can't be added to by the documents
        found.events = None
    events = found.events or _make(desk, url, f"{NAME} events", wanted)
    secrets["event_signing_secret" if secrets else "signing_secret"] = _secret(desk, events)
    _keep(desk, secrets)


def by_triggers(installation: Installation) -> bool:
    """Whether triggers bring the tickets, so that an admin can see and bend when."""
    return installation.settings.get("tickets_by") == "triggers"


def event_types(installation: Installation) -> list[str]:
    """What the webhook of events subscribes to."""
    skip = "ticket." if by_triggers(installation) else "-"
    return [f"zen:event-type:{kind}" for kind in TYPES if not kind.startswith(skip)]


def ours(desk: Desk, url: str) -> Webhooks:
    """The webhooks that lead to us."""
    listed = desk.get("webhooks", **{"page[size]": 100}).get("webhooks")
    mine = [one for one in listed if isinstance(one, dict) and one.get("endpoint") == url] if isinstance(listed, list) else []
    found = Webhooks()
    for one in mine:
        subscribed = set(one.get("subscriptions") or ())
        if CONDITIONAL in subscribed:
            found.conditional = found.conditional or one
        elif found.events is None:
            found.events = one
            wanted = set(event_types(desk.installation))
            found.missing = sorted(wanted - subscribed)
            found.outdated = str(one.get("name") or "").startswith(NAME) and wanted != subscribed  # an admin's own stays as it is
    return found


def trigger_body(event: str) -> str:
    """The JSON that a trigger posts: ids, states and times only. Texts could break it: placeholders are not escaped."""
    body = {
        "schema": SCHEMA,
        "event": event,
        "ticket_id": "{{ticket.id}}",
        "updated_at": "{{ticket.updated_at_with_timestamp}}",
        "actor_id": "{{current_user.id}}",
        "requester": {"id": "{{ticket.requester.id}}", "phone": "{{ticket.requester.phone}}"},
        "latest_public_comment_id": "{{ticket.latest_public_comment.id}}",
    }
    return json.dumps(body, indent=1)


def trigger(event: str, webhook_id: str, bot: str) -> dict[str, Any]:
    """A trigger that tells us of one kind of event, and never of what we did ourselves: no note makes a text makes a note."""
    ours_not = [{"field": "current_user_id", "operator": "is_not", "value": bot}] if bot else []
    return {
        "title": f"{NAME}: {event}",
        "active": True,
        "conditions": {"all": [*CONDITIONS[event], *ours_not], "any": []},
        "actions": [{"field": "notification_webhook", "value": [webhook_id, trigger_body(event)]}],
    }


def _triggers(desk: Desk, webhook_id: str) -> None:
    have = triggers_of(desk, webhook_id)
    bot = bot_user_id(desk.installation) or id_of(Reader(desk).me().get("id"))
    for event in CONDITIONS:
        if f"{NAME}: {event}" not in have:
            desk.post("triggers.json", {"trigger": trigger(event, webhook_id, bot)}, key=f"bellwire-{webhook_id}-{event}")


def triggers_of(desk: Desk, webhook_id: str) -> Mapping[str, Mapping[str, Any]]:
    """The triggers that notify a webhook, by title."""
    listed = desk.get("triggers.json", **{"page[size]": 100}).get("triggers")
    found = {}
    for one in listed if isinstance(listed, list) else []:
        actions = one.get("actions") or [] if isinstance(one, dict) else []
        if any(a.get("field") == "notification_webhook" and (a.get("value") or [""])[0] == webhook_id for a in actions):
            found[str(one.get("title"))] = one
    return found


def id_of_webhook(webhook: Mapping[str, Any]) -> str:
    """Webhooks have ULIDs, not numbers."""
    return str(webhook.get("id") or "")


def _make(desk: Desk, url: str, name: str, subscriptions: Sequence[str]) -> Mapping[str, Any]:
    wanted = {
        "name": name,
        "status": "active",
        "endpoint": url,
        "http_method": "POST",
        "request_format": "json",
        "subscriptions": list(subscriptions),
    }
    made = desk.post("webhooks", {"webhook": wanted}).get("webhook")
    if not isinstance(made, Mapping) or not id_of_webhook(made):
        raise PlatformRejected("zendesk: the webhook was not made", code="subscribe")
    return made


def _secret(desk: Desk, webhook: Mapping[str, Any]) -> str:
    found = desk.get(f"webhooks/{id_of_webhook(webhook)}/signing_secret").get("signing_secret")
    secret = found.get("secret") if isinstance(found, Mapping) else None
    if not isinstance(secret, str) or not secret:
        raise PlatformRejected("zendesk: the webhook's signing secret can't be read", code="subscribe")
    return secret


def _keep(desk: Desk, secrets: Mapping[str, str]) -> None:
    """Store the secrets with the credentials, where they are sealed."""
    credentials = desk.installation.credentials
    if all(credentials.get(name) == value for name, value in secrets.items()):
        return
    seen = str(credentials.get("oauth_token") or credentials.get("api_token") or "")
    desk.link.renew(seen, lambda _: dict(secrets))


def _fields(desk: Desk) -> None:
    """The status field and the consent fields. Who may not make them is told by `check`; all else works without."""
    try:
        _status_field(desk)
        have = user_field_keys(desk)
        for one in changed_fields(desk.installation):
            if one.key not in have:
                desk.post("user_fields.json", {"user_field": _consent_field(one.key)}, key=f"bellwire-field-{one.key}")
            if at_key(one.key) not in have:
                since = {"key": at_key(one.key), "type": "text", "title": f"{title_of(one.key)} since"}
                desk.post("user_fields.json", {"user_field": since}, key=f"bellwire-field-{at_key(one.key)}")
    except PlatformRejected:
        return
    except PlatformUnauthorized as e:
        if e.http_status != 403:  # an agent may do all the rest
            raise


def user_field_keys(desk: Desk) -> frozenset[str]:
    """The keys of the account's user fields."""
    listed = desk.get("user_fields.json").get("user_fields")
    return frozenset(str(one.get("key")) for one in listed if isinstance(one, dict)) if isinstance(listed, list) else frozenset()


def _status_field(desk: Desk) -> None:
    title = str(desk.installation.settings.get("status_field") or "")
    if not title or id_of(title) or find_status_field(desk, title):
        return
    options = [{"name": tag.replace("_", " "), "value": tag} for tag in dict.fromkeys(OPTIONS.values())]
    body = {"ticket_field": {"type": "tagger", "title": title, "custom_field_options": options}}
    made = desk.post("ticket_fields.json", body, key=f"bellwire-field-{title}").get("ticket_field")
    if isinstance(made, Mapping):
        desk.link.remember(status_field={"title": title, "id": id_of(made.get("id"))})


def _consent_field(key: str) -> Mapping[str, Any]:
    options = [{"name": "May be texted", "value": OPT_IN}, {"name": "Does not want texts", "value": OPT_OUT}]
    return {"key": key, "type": "dropdown", "title": title_of(key), "custom_field_options": options}
