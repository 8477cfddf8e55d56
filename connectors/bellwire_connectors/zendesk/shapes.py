"""Zendesk's bodies as values: the JSON of our trigger, the envelope of its events. Just the fields we use."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from bellwire import PayloadInvalid
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from .account import id_of

SCHEMA = "bellwire.zendesk/1"
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class Body(BaseModel):
    """A part of a body. What is wrong with one is told by its place, never by its value."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


def utc(value: datetime) -> datetime:
    """The time in UTC; one without an offset is UTC already. Raises ValueError for a time that can't be a desk's."""
    if not 1970 < value.year < 2200:
        raise ValueError("not a time of our days")
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def time_of(value: object) -> datetime | None:
    """A time of Zendesk's (ISO 8601) in UTC, None for anything else."""
    try:
        return utc(datetime.fromisoformat(value)) if isinstance(value, str) and value else None
    except (ValueError, OverflowError):
        return None


def stamp(value: datetime) -> str:
    """RFC 3339 in UTC, whole seconds: Zendesk's own precision, the same from a webhook and from its API."""
    return utc(value).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def text(value: object, limit: int = 255) -> str:
    """A text from outside in one line: no control characters, no blanks around it, cut at `limit`."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    one_line = _CONTROL.sub(" ", str(value)[: limit * 2]).strip()[:limit]
    return one_line.encode("utf-8", "replace").decode()


def word(value: object) -> str:
    """A status, priority or type: `Open`, `OPEN` → `open`."""
    return text(value, 40).lower()


Moment = Annotated[datetime, AfterValidator(utc)]
Ref = Annotated[str, BeforeValidator(id_of)]
Text = Annotated[str, BeforeValidator(text)]
Word = Annotated[str, BeforeValidator(word)]
Loose = Annotated[datetime | None, BeforeValidator(time_of)]


class Requester(Body):
    """Who asked, as far as placeholders say."""

    id: Ref = ""
    phone: Text = ""
    language: Text = ""


class Told(Body):
    """The body of a trigger that was set up as the page says. Placeholders' labels are localised, so none is taken for a status."""

    event: Text
    ticket_id: Ref
    updated_at: Loose = None
    actor_id: Ref = ""
    requester: Requester = Requester()
    latest_public_comment_id: Ref = ""


class Author(Body):
    """Who wrote a comment."""

    id: Ref = ""
    is_staff: bool = False
    name: Text = ""


class Comment(Body):
    """A comment of a ticket."""

    id: Ref = ""
    is_public: bool = False
    author: Author = Author()


class CustomField(Body):
    """A field of an admin's own; events name it by its title, the API by its key."""

    id: Ref = ""
    title: Text = ""
    key: Text = ""


class Other(Body):
    """Another object that an event names."""

    id: Ref = ""


class Happened(Body):
    """What changed."""

    current: Any = None
    previous: Any = None
    comment: Comment | None = None
    custom_field: CustomField | None = None
    user: Other | None = None
    tags_added: list[Text] = Field(default_factory=list)
    tags_removed: list[Text] = Field(default_factory=list)


class Detail(Body):
    """The object as it was just after the event."""

    id: Ref = ""
    actor_id: Ref = ""
    requester_id: Ref = ""
    assignee_id: Ref = ""
    status: Word = ""
    priority: Word = ""
    type: Word = ""
    updated_at: Loose = None
    role: Word = ""


class Envelope(Body):
    """An event (developer.zendesk.com, "Webhook event types", "Event schema")."""

    type: str
    id: Annotated[str, Field(min_length=1, max_length=128)]
    time: Moment
    subject: str = ""
    detail: Detail
    event: Happened = Happened()


BodyT = TypeVar("BodyT", bound=Body)


def parse(model: type[BodyT], value: object, what: str) -> BodyT:
    """The value as `model`. Raises PayloadInvalid naming the place."""
    try:
        return model.model_validate(value)
    except ValidationError as e:
        first = e.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(step) for step in first["loc"]) or "body"
        raise PayloadInvalid(f"zendesk {what}: {first['type']}", place) from None


def json_object(body: bytes) -> dict[str, Any]:
    """The body as a JSON object. Raises PayloadInvalid."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise PayloadInvalid("zendesk: not JSON (a placeholder with a quote or a line break in it makes it so)", "body") from None
    if not isinstance(found, dict):
        raise PayloadInvalid("zendesk: not a JSON object", "body")
    return found
