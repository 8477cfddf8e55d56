"""A platform's JSON body as a value: just the fields we use; what is wrong is told by its place, never by its value. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from bellwire import PayloadInvalid
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError

# not what merely can't be seen: joiners belong to emoji and to Persian and Indic words
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_ID_MAX = 128
_FIRST, _LAST = datetime(1971, 1, 1, tzinfo=UTC), datetime(2199, 1, 1, tzinfo=UTC)
_MILLISECONDS = 100_000_000_000  # seconds reach this in the year 5138: what is larger counts milliseconds


class Body(BaseModel):
    """A part of a body."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


BodyT = TypeVar("BodyT", bound=BaseModel)


def read_body(model: type[BodyT], body: bytes, who: str) -> BodyT:
    """The body as `model`. Raises PayloadInvalid naming `who` and the field."""
    try:
        return model.model_validate_json(body)
    except ValidationError as e:
        first = e.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(step) for step in first["loc"]) or "body"
        raise PayloadInvalid(f"{who}: {first['type']}", place) from None


def json_object(body: bytes) -> dict[str, Any]:
    """The object in the body, {} for anything else. For handshakes, which are looked at before anybody is believed."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def one_line(value: object, limit: int = 255) -> str:
    """A text from outside in one line: no control characters, no blanks around it, cut at `limit`; "" for what is no text."""
    if not isinstance(value, str):
        return ""
    return _CONTROL.sub(" ", value[:limit]).strip()


def web_address(value: object) -> str:
    """A link as the platform gives it, "" for what no handset could open. Never cut: half a link leads nowhere."""
    link = one_line(value, 2001)
    return link if len(link) <= 2000 and link.startswith(("https://", "http://")) and " " not in link else ""


def _id(value: object) -> str:
    """An id, written as a text or as a whole number."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("an id is a text or a whole number")  # noqa: TRY004  # what pydantic turns into a named place
    if isinstance(value, int) and abs(value) >= 10**20:
        raise ValueError("no platform counts so far")
    made = one_line(str(value), _ID_MAX + 1)
    if not made or len(made) > _ID_MAX:
        raise ValueError("an id has 1 to 128 characters")
    return made


#: An object's id at the platform.
Id = Annotated[str, BeforeValidator(_id)]


def moment(value: object) -> datetime | None:
    """A time in UTC: ISO 8601 (UTC where it names no zone), or seconds or milliseconds since 1970; None for anything else."""
    try:
        if isinstance(value, str) and 8 <= len(value) <= 40:
            found = datetime.fromisoformat(value)
            found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found = datetime.fromtimestamp(value / 1000 if abs(value) >= _MILLISECONDS else value, UTC)
        else:
            return None
    except (ValueError, OverflowError, OSError):
        return None
    return found if _FIRST <= found < _LAST else None


#: A body's own time, in UTC; None when it can't be read. A time that is wrong is no reason to lose the event.
Moment = Annotated[datetime | None, BeforeValidator(moment)]

#: A text in one line, "" for null and anything that is no text.
Line = Annotated[str, BeforeValidator(one_line)]

#: A link, "" for what is none.
Link = Annotated[str, BeforeValidator(web_address)]


def _blank_to_none(value: str | None) -> str | None:
    return value or None


#: A day as it is written (`2026-01-07`), or a time; None for anything else.
DayOrTime = Annotated[str | None, BeforeValidator(lambda value: day_or_time(value)), AfterValidator(_blank_to_none)]


def day_or_time(value: object) -> str:
    """`2026-01-07` stays a day, anything longer becomes RFC 3339 in UTC; "" for what is neither."""
    found = moment(value)
    if found is None:
        return ""
    if isinstance(value, str) and _DAY.fullmatch(value):
        return value
    return stamp(found)


def stamp(value: datetime | None) -> str:
    """RFC 3339 in UTC with Z, to the second; "" when there is no time."""
    return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if value else ""


def digest(*parts: str) -> str:
    """A dedupe key for platforms that give none: SHA-256 of the parts, in hexadecimal."""
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "backslashreplace")).hexdigest()
