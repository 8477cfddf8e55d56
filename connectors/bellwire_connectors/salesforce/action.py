"""The External Services action "Send SMS": an admin's flow asks for one template to one person.

Its OpenAPI document is deploy/salesforce/send-sms.openapi.json. Flow repeats nothing by itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

from bellwire import Event, Installation, Json, PayloadInvalid, Person, WebhookRequest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from . import configured, places
from .facts import KINDS
from .ids import long_id, object_of
from .people import PERSONS
from .records import one_line

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}(\.[A-Za-z0-9_]{1,64})?", re.ASCII)
_REQUEST = re.compile(r"[\w.:-]{1,128}", re.ASCII)
_TAKEN = frozenset({"template", "locale", "request"})
BODY_MAX = 64_000


class Variable(BaseModel):
    """A value for the template; Flow has no maps, so names and values come as a list."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    name: str
    value: str = ""


class Asked(BaseModel):
    """The body of a run."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    organization_id: str
    request_id: str
    template: str
    record_id: str | None = None
    phone: str | None = None
    name: str | None = None
    locale: str | None = None
    variables: Annotated[list[Variable], Field(max_length=100)] | None = None


def is_action(request: WebhookRequest) -> bool:
    """Whether a request is a run of the action: it is JSON, an outbound message is XML."""
    return "json" in request.header("content-type").lower()


def asked(body: bytes) -> Asked:
    """The body of a run. Raises PayloadInvalid."""
    if len(body) > BODY_MAX:
        raise PayloadInvalid(f"salesforce action: more than {BODY_MAX} bytes", "body")
    try:
        return Asked.model_validate_json(body)
    except ValidationError as e:
        first = e.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(step) for step in first["loc"]) or "body"
        raise PayloadInvalid(f"salesforce action: {first['type']}", place) from e


def requested(request: WebhookRequest, installation: Installation) -> Sequence[Event]:
    """The run as `message.requested`. Who it is for: `phone`, else the person behind `record_id`, who is fetched."""
    run = asked(request.body)
    template, run_id = one_line(run.template, 128), run.request_id.strip()
    if not template:
        raise PayloadInvalid("salesforce action: no template", "template")
    if not _REQUEST.fullmatch(run_id):
        raise PayloadInvalid("salesforce action: not an id of letters, digits and . : _ -", "request_id")
    record_id, phone = long_id(run.record_id), one_line(run.phone or "", 41)
    kind = object_of(record_id)
    if not record_id and not phone:
        raise PayloadInvalid("salesforce action: neither record_id nor phone", "record_id")
    word = KINDS[kind].word if kind in KINDS else "record"
    variables: dict[str, Json] = {
        one.name: one_line(one.value, 1000)
        for one in run.variables or ()
        if _NAME.fullmatch(one.name) and one.name.partition(".")[0] not in _TAKEN
    }
    fetch = {"object": kind, "id": record_id} if kind in KINDS and not phone and configured.can_call(installation) else {}
    person = Person(
        ref=record_id if kind in PERSONS else "",
        name=one_line(run.name or ""),
        phones=(phone,) if 0 < len(phone) <= 40 else (),
        locale=places.locale(run.locale or "") or installation.locale,
        countries=(installation.country,) if installation.country else (),
    )
    data: dict[str, Json] = {**variables, "template": template, "request.id": run_id, "record.id": record_id, "record.type": kind}
    return [
        Event(
            id=f"action:{run_id}",
            type="message.requested",
            occurred_at=request.received_at,
            fact=f"message.requested:{run_id}",
            subject=f"{word}/{record_id}" if record_id else "",
            people={"customer": person},
            data={name: value for name, value in data.items() if value != ""},
            fetch=fetch,
        )
    ]
