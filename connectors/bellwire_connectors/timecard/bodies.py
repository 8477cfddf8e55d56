"""The contract's `data`, as pydantic reads it: the documented fields, the rest is ignored. What is wrong is told by its place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from .envelope import INVALID_DATA, instant, refused

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class Part(BaseModel):
    """A part of the data."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True, strict=True)


def _one_line(value: str) -> str:
    return _CONTROL.sub(" ", value).strip()


def _id(value: Any) -> Any:
    """An id; a number is one, too."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**30 else value


def _moment(value: Any) -> datetime:
    made = instant(value)
    if made is None:
        raise ValueError("RFC 3339 with an offset")
    return made


def _day(value: Any) -> date:
    """A calendar day of the worker's zone, as the contract writes it; of a time its own day is taken."""
    if isinstance(value, str) and _DAY.fullmatch(value):
        return date.fromisoformat(value)
    return _moment(value).date()


def _link(value: str) -> str:
    """A link that a handset can open; never cut: half a link leads nowhere."""
    if not value.startswith(("https://", "http://")) or any(char.isspace() for char in value):
        raise ValueError("http or https")
    return value


Ref = Annotated[str, BeforeValidator(_id), AfterValidator(_one_line), StringConstraints(min_length=1, max_length=128)]
Text = Annotated[str, AfterValidator(_one_line), StringConstraints(max_length=500)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
Day = Annotated[date, BeforeValidator(_day)]
Link = Annotated[str, StringConstraints(max_length=2000), AfterValidator(_link)]
Version = Annotated[int, Field(ge=0, le=2**53)]
Minutes = Annotated[int, Field(ge=0, le=10_000_000)]
#: A decimal string: a JSON number may have lost cents on its way.
Amount = Annotated[str, StringConstraints(pattern=r"^-?[0-9]{1,12}(\.[0-9]{1,4})?$")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class Consent(Part):
    """What a person said about texts. Left out: nothing was said."""

    state: Literal["opted_in", "opted_out"]
    purpose: Literal["transactional", "marketing", "otp"] = "transactional"
    source: Text = "producer"
    at: Moment | None = None


class Human(Part):
    """A worker or manager."""

    id: Ref
    name: Text = ""
    phone: Annotated[str, StringConstraints(max_length=64)] | None = None
    email: Annotated[str, StringConstraints(max_length=254)] | None = None
    locale: Annotated[str, StringConstraints(max_length=35)] | None = None
    timezone: Annotated[str, StringConstraints(max_length=64)] | None = None
    country: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2}$")] | None = None
    external_ids: Annotated[dict[Annotated[str, StringConstraints(max_length=40)], Ref], Field(max_length=20)] | None = None
    consent: Consent | None = None
    manager_id: Ref | None = None
    active: bool | None = None


class Actor(Part):
    """Who did it."""

    id: Ref
    name: Text = ""


class Period(Part):
    """First and last day, in the worker's zone."""

    start: Day
    end: Day
    timezone: Annotated[str, StringConstraints(max_length=64)] | None = None


class Timecard(Part):
    """A timecard. A missing one has no id."""

    id: Ref | None = None
    status: Text | None = None
    previous_status: Text | None = None
    version: Version | None = None
    period: Period | None = None
    minutes: Minutes | None = None
    overtime_minutes: Minutes | None = None
    due_at: Moment | None = None
    reason: Text | None = None
    url: Link | None = None


class Shift(Part):
    """A shift."""

    id: Ref
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    location: Text | None = None
    role: Text | None = None
    version: Version | None = None


class Task(Part):
    """A task."""

    id: Ref
    title: Text | None = None
    status: Text | None = None
    previous_status: Text | None = None
    version: Version | None = None
    due_at: Moment | None = None
    url: Link | None = None
    project: Text | None = None


class Payment(Part):
    """A payment."""

    id: Ref | None = None
    status: Literal["pending", "paid", "failed"]
    amount: Amount | None = None
    currency: Currency | None = None
    paid_at: Moment | None = None


class Reply(Part):
    """What the worker may answer by text. `code`: made by the producer, so that its text and ours name the same."""

    keywords: Annotated[list[Annotated[str, StringConstraints(pattern=r"^\w{1,20}$")]], Field(min_length=1, max_length=10)]
    code: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{3,10}$")] | None = None
    expires_at: Moment | None = None


class Data(Part):
    """The whole."""

    worker: Human | None = None
    manager: Human | None = None
    actor: Actor | None = None
    recipients: Annotated[list[Literal["worker", "manager", "actor"]], Field(max_length=3)] | None = None
    timecard: Timecard | None = None
    shift: Shift | None = None
    task: Task | None = None
    payment: Payment | None = None
    reply: Reply | None = None
    not_after: Moment | None = None
    template_hint: Annotated[str, StringConstraints(max_length=64)] | None = None
    vars: (
        Annotated[
            dict[
                Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,39}$")],
                Annotated[str, StringConstraints(max_length=200)],
            ],
            Field(max_length=20),
        ]
        | None
    ) = None


def parse(data: Mapping[str, Any]) -> Data:
    """The data as a value. Raises PayloadInvalid `invalid_data` naming the place."""
    try:
        return Data.model_validate(data)
    except ValidationError as e:
        steps = [str(step) for step in e.errors(include_url=False, include_context=False, include_input=False)[0]["loc"]]
        named = [step[:40] for step in steps if step.isidentifier() or step.isdigit()]  # a key of `vars` may be anything
        raise refused(INVALID_DATA, ".".join(["data", *named])) from e


def hours(minutes: int) -> str:
    """Minutes as hours, a decimal string without needless zeros: 2400 → `40`, 450 → `7.5`."""
    text = format((Decimal(minutes) / 60).quantize(Decimal("0.01")), "f")
    return text.rstrip("0").rstrip(".")
