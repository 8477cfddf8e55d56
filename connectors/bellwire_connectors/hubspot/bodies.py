"""What HubSpot posts: a batch of changes, a run of the workflow action, or the question what the action offers. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Annotated, Any

from bellwire import PayloadInvalid
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

MOST = 100  # changes in one body

Number = Annotated[int, Field(ge=0, lt=2**63)]
Millis = Annotated[int, Field(ge=0, lt=7_258_118_400_000)]  # before the year 2200
Text = Annotated[str, Field(max_length=70_000)]  # a property holds 65,536 characters
_CALLBACK = re.compile(r"[\w.:-]{1,200}", re.ASCII)


def _callback(given: str) -> str:
    if not _CALLBACK.fullmatch(given):
        raise ValueError("not a callback's id")
    return given


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


class Body(BaseModel):
    """A part of a body: just the fields we use. What is wrong with one is told by its place, never by its value."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True, alias_generator=_camel, populate_by_name=True)


class Change(Body):
    """One item of a webhook batch, in the classic form (`contact.propertyChange`) and the generic one (`object.*`)."""

    portal_id: Number
    subscription_type: Annotated[str, Field(max_length=100)]
    occurred_at: Millis
    event_id: Number | None = None
    app_id: Number | None = None
    object_id: Number | None = None
    object_type_id: Annotated[str, Field(max_length=30)] | None = None
    property_name: Annotated[str, Field(max_length=200)] | None = None
    property_value: Text | None = None
    is_sensitive: bool | None = None
    change_source: Annotated[str, Field(max_length=100)] | None = None
    source_id: Annotated[str, Field(max_length=200)] | None = None
    primary_object_id: Number | None = None
    new_object_id: Number | None = None
    merged_object_ids: Annotated[list[Number], Field(max_length=250)] | None = None
    message_id: Annotated[str, Field(max_length=200)] | None = None
    message_type: Annotated[str, Field(max_length=50)] | None = None


class Origin(Body):
    """Whose workflow it is."""

    portal_id: Number
    action_definition_id: Number | None = None


class Enrolled(Body):
    """The record that is in the workflow."""

    object_id: Number
    object_type: Annotated[str, Field(max_length=50)] = "CONTACT"
    properties: Annotated[dict[str, Text | int | float | bool | None], Field(max_length=200)] = Field(default_factory=dict)


class Workflow(Body):
    """The workflow, in `context`."""

    workflow_id: Number | None = None


Value = Text | int | float | bool | None


class Execution(Body):
    """One run of the action "Send SMS"."""

    callback_id: Annotated[str, AfterValidator(_callback)]
    origin: Origin
    object: Enrolled
    context: Workflow | None = None
    input_fields: Annotated[dict[str, Value | list[Value]], Field(max_length=100)] = Field(default_factory=dict)


class FetchOptions(Body):
    """What the person who builds the workflow has typed, and where the list goes on."""

    q: Annotated[str, Field(max_length=200)] | None = None
    after: Annotated[str, Field(max_length=200)] | None = None


class Question(Body):
    """What may be chosen for a field of the action (its `optionsUrl`)."""

    input_field_name: Annotated[str, Field(max_length=200)]
    portal_id: Number | None = None
    origin: Origin | None = None
    fetch_options: FetchOptions | None = None

    @property
    def portal(self) -> str:
        """The portal that asks."""
        number = self.origin.portal_id if self.origin else self.portal_id
        if number is None:
            raise PayloadInvalid("hubspot: whose question it is", "portalId")
        return str(number)


_BATCH = TypeAdapter(list[Change])


def parse(body: bytes) -> Sequence[Change] | Execution | Question:
    """The body as what it is. Raises PayloadInvalid naming the place."""
    start = body.lstrip()[:1]
    try:
        if start == b"[":
            found = _BATCH.validate_json(body)
            if len(found) > 10 * MOST:
                raise PayloadInvalid("hubspot: more changes than a batch holds")
            return found
        if start == b"{":
            return Execution.model_validate_json(body) if b'"callbackId"' in body else Question.model_validate_json(body)
    except ValidationError as e:
        first = e.errors(include_url=False, include_context=False, include_input=False)[0]
        raise PayloadInvalid(f"hubspot: {first['type']}", ".".join(str(step) for step in first["loc"]) or "body") from e
    raise PayloadInvalid("hubspot: neither a batch of changes nor a run of the action", "body")


def portal_of(found: Change | Execution | Question) -> str:
    """The account that it is about."""
    if isinstance(found, Question):
        return found.portal
    return str(found.origin.portal_id if isinstance(found, Execution) else found.portal_id)


def split(body: bytes) -> dict[str, bytes]:
    """A batch of several portals as one body for each, in the order in which they appear."""
    apart: dict[str, list[Any]] = {}
    for item in json.loads(body):
        apart.setdefault(str(item["portalId"]), []).append(item)
    return {portal: json.dumps(items, ensure_ascii=False).encode("utf-8", "surrogatepass") for portal, items in apart.items()}
