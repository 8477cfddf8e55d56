"""A mapping: how a platform's JSON becomes our events, as a form would hold it. Checked when it is stored. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationError, model_validator

from bellwire_connectors.translating.happenings import SHIFT_EVENTS, TASK_EVENTS, TIMECARD_EVENTS

from .paths import parse_path
from .specs import AnySpec, Spec, Strict, short

#: What a mapping may make. Events that change more than who is texted (consent, erasure, an app taken out) are not among them.
EVENTS = (
    *TIMECARD_EVENTS,
    *SHIFT_EVENTS,
    *TASK_EVENTS,
    "order.created",
    "order.paid",
    "order.updated",
    "order.cancelled",
    "order.refunded",
    "fulfillment.shipped",
    "fulfillment.ready_for_pickup",
    "fulfillment.out_for_delivery",
    "fulfillment.delivered",
    "customer.created",
    "customer.updated",
    "contact.created",
    "contact.updated",
    "lead.created",
    "lead.updated",
    "deal.created",
    "deal.updated",
    "deal.stage_changed",
    "case.created",
    "case.updated",
    "record.updated",
    "ticket.created",
    "ticket.updated",
    "ticket.commented",
    "ticket.solved",
    "booking.created",
    "booking.reminder",
    "payment.received",
    "payment.failed",
)
ROLES = ("customer", "worker", "manager", "actor", "recipient", "requester", "agent", "owner")

_FIELD = re.compile(r"[a-z][a-z0-9_]{0,39}(\.[a-z][a-z0-9_]{0,39}){1,3}", re.ASCII)
_WORD = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_DATA_MAX = 60
_NO_EVENT = f"no event that a mapping may make; there are {', '.join(EVENTS)}"


def _events_path(value: str) -> str:
    parse_path(value)
    if not value.endswith("[*]"):
        raise ValueError("must end with [*]: each item of the list of events, such as items[*]")
    return value


def _event_type(value: str) -> str:
    if value not in EVENTS:
        raise ValueError(f"is {_NO_EVENT}")
    return value


def _field_name(value: str) -> str:
    if not _FIELD.fullmatch(value):
        raise ValueError("must be a name such as timecard.reason: lower-case words, a dot between them")
    return value


def _role(value: str) -> str:
    if value not in ROLES:
        raise ValueError(f"must be one of {', '.join(ROLES)}")
    return value


def _word(value: str) -> str:
    if not _WORD.fullmatch(value):
        raise ValueError("must be a lower-case word, such as timecard")
    return value


EventType = Annotated[str, AfterValidator(_event_type)]


class TypeSpec(Spec):
    """Where the event's type stands. Words that `map` does not name, and are no event of ours, are not served."""

    @model_validator(mode="after")
    def _known(self) -> TypeSpec:
        for word, one in (self.map or {}).items():
            if one not in EVENTS:
                raise ValueError(f'map: "{word}" becomes {one}, which is {_NO_EVENT}')
        fixed = self.default if self.map is not None or self.value is None else self.value
        if fixed is not None:
            _event_type(str(fixed))
        return self


class PersonSpec(Strict):
    """A person. `phones`: in order of preference. Without one, the tenant's directory is asked with `ref`."""

    ref: AnySpec | None = None
    name: AnySpec | None = None
    phones: list[AnySpec] = Field(default_factory=list, max_length=10)
    email: AnySpec | None = None
    locale: AnySpec | None = None
    timezone: AnySpec | None = None
    country: AnySpec | None = None

    @model_validator(mode="after")
    def _found_by(self) -> PersonSpec:
        if self.ref is None and not self.phones:
            raise ValueError("needs phones, or ref for the directory")
        return self


class MappingSpec(Strict):
    """The whole mapping."""

    events: Annotated[str, AfterValidator(_events_path)] | None = None
    type: Annotated[TypeSpec, BeforeValidator(short)]
    id: AnySpec | None = None
    fact: list[AnySpec] = Field(default_factory=list, max_length=5)
    occurred_at: AnySpec | None = None
    subject: AnySpec
    subject_kind: Annotated[str, AfterValidator(_word)] | None = None
    people: dict[Annotated[str, AfterValidator(_role)], PersonSpec] = Field(default_factory=dict)
    data: dict[Annotated[str, AfterValidator(_field_name)], AnySpec] = Field(default_factory=dict, max_length=_DATA_MAX)
    changed: list[Annotated[str, AfterValidator(_field_name)]] = Field(default_factory=list, max_length=20)
    cancels: list[EventType] = Field(default_factory=list, max_length=10)
    test: AnySpec | None = None


def mapping_of(given: Any) -> MappingSpec:
    """The mapping. Raises ValueError naming field and fix."""
    made: MappingSpec = checked(MappingSpec, given, "mapping")
    return made


def checked(model: type[Any], given: Any, name: str) -> Any:
    """The value as `model`. Raises ValueError: `people.worker.phone: is not known here; there are ref, name, …`."""
    try:
        return model.model_validate(given)
    except ValidationError as e:
        found = e.errors(include_url=False, include_context=False, include_input=False)
        # of the errors of a path that may be one or a list, the one that says what is wrong with it
        first = next((one for one in found if one["type"] == "value_error"), found[0])
        steps = [
            str(step)
            for step in first["loc"]
            if step != "[key]" and not str(step).startswith(("function-", "list[", "constrained-"))
        ]
        raise ValueError(f"{'.'.join(steps) or name}: {_sentence(first, model, steps)}") from None


def stored_mapping(given: Any) -> MappingSpec:
    """The mapping of an installation, read once for all its deliveries. Raises ValueError naming field and fix."""
    return _read(json.dumps(given, sort_keys=True))


@lru_cache(maxsize=256)
def _read(text: str) -> MappingSpec:
    return mapping_of(json.loads(text))


def clean_mapping(given: Any) -> Any:
    """A mapping as it is stored: as it was written, once it is checked. Raises ValueError naming field and fix."""
    mapping_of(given)
    return given


def _sentence(error: Mapping[str, Any], model: type[BaseModel], steps: list[str]) -> str:
    match error["type"]:
        case "missing":
            return "is missing"
        case "model_type" | "dict_type":
            return "must be an object"
        case "extra_forbidden":
            known = _known(model, steps[:-1])
            return f"is not known here; there are {', '.join(known)}" if known else "is not known here; leave it out"
        case "value_error":
            return str(error["msg"]).removeprefix("Value error, ")
    told = str(error["msg"])
    return f"{told[:1].lower()}{told[1:]}"


def _known(model: type[BaseModel], steps: list[str]) -> list[str]:
    """The names that may stand at a place of the mapping."""
    here: type[BaseModel] | None = model
    if steps[:1] == ["people"]:
        here = PersonSpec if len(steps) == 2 else Spec
    elif steps[:1] == ["type"]:
        here = TypeSpec
    elif steps:
        here = Spec if model is MappingSpec else None
    return [field.alias or name for name, field in here.model_fields.items()] if here else []
