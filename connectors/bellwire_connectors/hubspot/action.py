"""The workflow action "Send SMS": an admin's workflow asks for one template to one person, and waits for what becomes of it. Pure.

developers.hubspot.com, "Custom workflow actions": execution, blocking, external options.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from bellwire import (
    Decided,
    Event,
    HttpReply,
    Installation,
    Json,
    Person,
    Status,
    TemplateChoice,
)

from .bodies import Execution, Question
from .records import NAME, data, person, phone_fields, text

FINAL = frozenset({Status.DELIVERED, Status.UNDELIVERED, Status.FAILED, Status.EXPIRED, Status.CANCELED, Status.REFUSED})

#: Longer than the message is worth anything: its last receipt may come a little later.
MARGIN = timedelta(hours=1)
#: For a text that is decided after this answer: no text waits longer.
LONGEST = timedelta(days=4)
PAGE = 100

_KINDS = {"CONTACT": "contact", "0-1": "contact", "DEAL": "deal", "0-3": "deal", "TICKET": "ticket", "0-5": "ticket"}
_OURS = frozenset({"template", "phone", "locale"})


def requested(run: Execution, installation: Installation, at: datetime) -> Sequence[Event]:
    """A run of the action. What the record's phone properties say counts; without them the contact is fetched."""
    kind, number = _KINDS.get(run.object.object_type.upper(), ""), str(run.object.object_id)
    given = {name: value for name, value in run.input_fields.items() if NAME.fullmatch(name)}
    record = f"{kind or 'record'}/{number}"
    customer = Person(ref=record if kind == "contact" else "")
    told: dict[str, Json] = {}
    fetch = {kind: number} if kind else {}
    if kind == "contact":
        customer = person(record, run.object.properties, installation)
        told = data(kind, number, run.object.properties)
        if any(name in run.object.properties for name in phone_fields(installation)):
            fetch = {}
    phone = text(given.get("phone"), 41)
    if 0 < len(phone) <= 40:
        customer = Person(
            ref=customer.ref,
            name=customer.name,
            phones=(phone,),
            locale=customer.locale,
            countries=customer.countries or _home(installation),
        )
        fetch = {} if kind == "contact" else fetch
    variables = {f"variables.{name}": text(value, 1000) for name, value in given.items() if name not in _OURS}
    return [
        Event(
            id=run.callback_id,
            type="message.requested",
            occurred_at=at,
            fact=f"message.requested:{run.callback_id}",
            subject=f"action/{run.callback_id}/{record}",
            people={"customer": customer},
            data={
                **told,
                **{name: value for name, value in variables.items() if value},
                **({"workflow.id": str(run.context.workflow_id)} if run.context and run.context.workflow_id else {}),
                "template": text(given.get("template")),
                "portal.id": str(run.origin.portal_id),
            },
            fetch=fetch,
            account=str(run.origin.portal_id),
        )
    ]


def answered(decided: Decided, installation: Installation, now: datetime) -> HttpReply:
    """What the workflow hears at once: wait for the outcome, or why there is none.

    A run that HubSpot sends again is told how things stand: the text is not sent again.
    """
    waits = decided.outcome in {"sent", "held", ""} and decided.status not in FINAL
    fields = {"message_id": decided.message, "delivery_status": _word(decided), "reason": decided.reason}
    if waits and _completes(installation):
        left = (decided.expires_at - now if decided.expires_at else LONGEST) + MARGIN
        fields |= {"hs_execution_state": "BLOCK", "hs_expiration_duration": _duration(left)}
    else:
        fields["hs_execution_state"] = "SUCCESS"
    body = {"outputFields": {name: value for name, value in fields.items() if value}}
    return HttpReply(body=json.dumps(body).encode())


def outcome(status: Status, message: str, reason: str) -> dict[str, str]:
    """The output fields of a run that is over."""
    fields = {"hs_execution_state": "SUCCESS", "message_id": message, "delivery_status": status.value, "reason": reason}
    return {name: value for name, value in fields.items() if value}


def options(question: Question, choices: Sequence[TemplateChoice]) -> HttpReply:
    """The templates that may be chosen, a page at a time; nothing for another field."""
    asked = question.fetch_options
    wanted = (asked.q or "").casefold() if asked else ""
    names = [one for one in choices if wanted in one.name.casefold()] if question.input_field_name == "template" else []
    first = int(asked.after) if asked and asked.after and asked.after.isascii() and asked.after.isdigit() else 0
    page = names[first : first + PAGE]
    body = {
        "options": [
            {"label": one.name, "value": one.name, "description": f"{one.purpose}, version {one.version}, {', '.join(one.locales)}"}
            for one in page
        ],
        "searchable": True,
        **({"after": str(first + PAGE)} if len(names) > first + PAGE else {}),
    }
    return HttpReply(body=json.dumps(body).encode())


def _word(decided: Decided) -> str:
    if decided.status is not None:
        return decided.status.value
    return "queued" if decided.outcome in {"", "sent", "held"} else "refused" if decided.outcome == "refused" else decided.outcome


def _completes(installation: Installation) -> bool:
    """Whether anybody will tell the workflow the end: otherwise it must not wait."""
    credentials = installation.credentials
    can = bool(credentials.get("access_token") or credentials.get("refresh_token"))
    return can and installation.settings.get("write_back") != "off"


def _duration(span: timedelta) -> str:
    """ISO 8601, whole seconds, at least a minute."""
    return f"PT{max(60, int(span.total_seconds()))}S"


def _home(installation: Installation) -> Sequence[str]:
    return (installation.country,) if installation.country else ()
