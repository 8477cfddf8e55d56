"""One delivery as the readers see it: what its headers say, its body as a value, and the event made of both."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, ClassVar, TypeVar

from bellwire import Event, Installation, Json, PayloadInvalid, Person
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

# not what merely can't be seen: joiners belong to emoji and to Persian and Indic words
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_GID = re.compile(r"gid://shopify/(\w{1,40})/(\d{1,20})", re.ASCII)


class Body(BaseModel):
    """A part of a body: just the fields we use. What is wrong with one is told by its place, never by its value.

    `gid_kind`: what its `admin_graphql_api_id` names, where a topic's whole body has one. The topic header is not signed: a signed
    body can be sent again under any.
    """

    gid_kind: ClassVar[str] = ""
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True, cache_strings="keys")


BodyT = TypeVar("BodyT", bound=Body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A verified delivery. `id` is "" where no webhook brought it (reconcile): the fact then is the event's id too.

    `triggered_at`: when the merchant's action happened; the header is not signed, so it is used for ordering only.
    """

    topic: str
    body: bytes = field(repr=False)
    installation: Installation
    received_at: datetime
    id: str = ""
    triggered_at: datetime | None = None
    test: bool = False

    def parse(self, model: type[BodyT]) -> BodyT:
        """The body as `model`. Raises PayloadInvalid naming topic and field, also for a body of something else."""
        try:
            read = model.model_validate_json(self.body)
        except ValidationError as e:
            first = e.errors(include_url=False, include_context=False, include_input=False)[0]
            place = ".".join(str(step) for step in first["loc"]) or "body"
            raise PayloadInvalid(f"shopify {self.topic}: {first['type']}", place) from e
        named = _GID.fullmatch(getattr(read, "admin_graphql_api_id", None) or "") if model.gid_kind else None
        if named and named.group(1) != model.gid_kind:
            raise self.contradicted("admin_graphql_api_id")
        return read

    def contradicted(self, place: str) -> PayloadInvalid:
        """What is raised when the body says that it is not of this topic; `place` says it."""
        return PayloadInvalid(f"shopify {self.topic}: the body is not of this topic", place)

    def event(
        self,
        event_type: str,
        fact: str,
        subject: str,
        *,
        at: datetime | None,
        people: Mapping[str, Person] | None = None,
        data: Mapping[str, Json] | None = None,
        cancels: Sequence[str] = (),
        fetch: Mapping[str, str] | None = None,
        account: str = "",
        test: bool = False,
        part: str = "",
    ) -> Event:
        """The event of this delivery. `fact` without its type; "" when only the delivery counts.

        `at`: the body's own time in UTC, used where the delivery has none. `part` tells the events of one delivery apart.
        """
        fact = f"{event_type}:{fact}" if fact else ""
        delivery_id = f"{self.id}:{part}" if part else self.id
        return Event(
            id=delivery_id if self.id else fact,
            type=event_type,
            occurred_at=self.triggered_at or at or self.received_at,
            fact=fact,
            subject=subject,
            people=people or {},
            data=without_blanks(data or {}),
            cancels=cancels,
            fetch=fetch or {},
            account=account,
            test=test or self.test,
        )


def gid(kind: str, number: int, given: str | None = None) -> str:
    """`gid://shopify/Order/1`: the one the body gives when it is of this kind, else made of the number.

    The given one wins: it is text and survives tools that round integers above 2^53.
    """
    found = _GID.fullmatch(given or "")
    return found.group(0) if found and found.group(1) == kind else f"gid://shopify/{kind}/{number}"


def gid_of(kind: str, given: str, field_name: str, topic: str) -> str:
    """A gid that must be one of this kind. Raises PayloadInvalid."""
    found = _GID.fullmatch(given)
    if not found or found.group(1) != kind:
        raise PayloadInvalid(f"shopify {topic}: not a {kind} id", field_name)
    return given


def number_of(given: str) -> str:
    """The number at the end of a gid, "" when it is none."""
    found = _GID.fullmatch(given)
    return found.group(2) if found else ""


def target_named(subject: str, customer_ref: str) -> str:
    """The gid that a status is written on: the order (or customer) the event is about, else the person; "" for neither."""
    for named in (subject.partition("/")[2], customer_ref):
        if named.startswith(("gid://shopify/Order/", "gid://shopify/Customer/")) and number_of(named):
            return named
    return ""


def utc(value: datetime) -> datetime:
    """The time in UTC; one without an offset is UTC already. Raises ValueError for a time that can't be a shop's."""
    if not 1970 < value.year < 2200:
        raise ValueError("not a time of our days")
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


#: A time of a body, in UTC.
Moment = Annotated[datetime, AfterValidator(utc)]


def stamp(value: datetime | None) -> str:
    """RFC 3339 in UTC, "" when there is no time."""
    return utc(value).isoformat().replace("+00:00", "Z") if value else ""


def text(value: str | None, limit: int = 255) -> str:
    """A text from outside in one line: no control characters, no blanks around it, cut at `limit`."""
    if not value:
        return ""
    value = value[:limit]
    return (value if value.isprintable() else _CONTROL.sub(" ", value)).strip()


def web_address(value: str | None) -> str:
    """A link as the platform gives it, "" for what no handset could open. Never cut: half a link leads nowhere."""
    link = text(value, 2001)
    return link if len(link) <= 2000 and link.startswith(("https://", "http://")) and " " not in link else ""


def digest(*parts: object) -> str:
    """A short name for a state: equal parts, equal name."""
    return hashlib.sha256(repr(parts).encode("utf-8", "backslashreplace")).hexdigest()[:24]


def without_blanks(data: Mapping[str, Json]) -> dict[str, Json]:
    """The data without what is unknown: a missing field is empty in a condition and refused in a template."""
    return {name: value for name, value in data.items() if value is not None and value != ""}
