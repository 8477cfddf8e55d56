"""What request and answer models are made of: strict bases, times, durations, ids, pages."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from bellwire.domain import locales
from bellwire.domain.when import MAX_DAYS, parse_span
from bellwire.errors import FieldInvalid
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

T = TypeVar("T")

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_FIRST_YEAR, _LAST_YEAR = 2000, 2099  # a year outside is a mistake somewhere, and overflows somebody's arithmetic


class Model(BaseModel):
    """A request: no field we don't know, no value of another kind."""

    # built when first asked for: all of them at start would be a tenth of it
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)


class Answer(BaseModel):
    """An answer: closed, so that nothing leaks by being added to a row. Every field is there; null where there is nothing."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        json_schema_serialization_defaults_required=True,
        defer_build=True,
    )


def _timestamp(value: object) -> datetime:
    """Pydantic alone would take "5" for a time in 1970."""
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise PydanticCustomError("time", "must be a time with its zone, such as 2026-01-31T09:00:00Z")
    try:
        found = datetime.fromisoformat(value.upper())
        if _FIRST_YEAR <= found.year <= _LAST_YEAR:
            return found.astimezone(UTC)
    except ValueError as e:
        raise PydanticCustomError("time", "is no time of any calendar") from e
    raise PydanticCustomError("out_of_range", "must be between the years 2000 and 2099")


#: RFC 3339 with a zone, given on in UTC.
Timestamp = Annotated[
    datetime,
    PlainValidator(_timestamp),
    WithJsonSchema({"type": "string", "format": "date-time", "example": "2026-01-31T09:00:00Z"}),
]


def _seconds(value: object, most_days: int = MAX_DAYS) -> int:
    try:
        return int(parse_span(value, field="", max_days=most_days).total_seconds())
    except FieldInvalid as e:
        if e.code == "time_too_far":
            raise PydanticCustomError("out_of_range", "must be at most {days} days", {"days": most_days}) from e
        raise PydanticCustomError("duration", "{why}", {"why": e.message}) from e


def _span_schema(most_days: int) -> WithJsonSchema:
    return WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": most_days * 86_400},
                {"type": "string", "pattern": "^[0-9]{1,4}(s|m|h)$|^[0-9]{1,2}d$"},
            ],
            "example": "15m",
        }
    )


#: Seconds, written as an integer or as "90s", "15m", "1h30m", "2d", "PT1H".
Duration = Annotated[int, PlainValidator(_seconds), _span_schema(MAX_DAYS)]
#: The same, for how long a text is worth sending.
Lifetime = Annotated[int, PlainValidator(partial(_seconds, most_days=7)), _span_schema(7)]

_NAME = r"^\S(.*\S)?$"
_PATH_NAME = r"^[^\s/?#%](?:[^/?#%]*[^\s/?#%])?$"
_COUNTRY = r"^[A-Z]{2}$"
_CURRENCY = r"^[A-Z]{3}$"
_CREDIT = r"^-?[0-9]{1,10}(\.[0-9]{1,6})?$"

#: What a text that does not match hears, where the pattern alone would tell a person little.
PATTERN_WORDS = {
    _NAME: "must not begin or end with a space, and be one line",
    _PATH_NAME: "must not begin or end with a space, and hold none of / ? # %: it stands in addresses",
    _COUNTRY: "must be a country code of two capital letters, such as UZ",
    _CURRENCY: "must be a currency of three capital letters, such as USD",
    _CREDIT: "must be an amount such as 100.00, with at most 6 decimals",
}

#: How tenants name templates, triggers and accounts.
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=_NAME)]
#: A name that also stands in paths.
PathName = Annotated[str, Field(min_length=1, max_length=100, pattern=_PATH_NAME, examples=["order_shipped"])]
Country = Annotated[str, Field(pattern=_COUNTRY, examples=["UZ"])]
Currency = Annotated[str, Field(pattern=_CURRENCY, examples=["USD"])]
_LOCALE_MAX = 35  # RFC 5646 4.4.1
_LOCALE = {"type": "string", "maxLength": _LOCALE_MAX, "pattern": "^[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8})*$", "example": "es-CO"}


def _locale(written: str) -> str:
    spoken = locales.exactly(written) if len(written) <= _LOCALE_MAX else ""
    if not spoken:
        raise PydanticCustomError("locale", "is no locale: write it as in es-CO, uz-Latn-UZ, zh-Hans or hr")
    return spoken


def _is_locale(written: str) -> str:
    _locale(written)
    return written


#: A language as BCP 47 names it, also as `es_co`; given on by its proper name.
Locale = Annotated[str, AfterValidator(_locale), WithJsonSchema(_LOCALE)]
#: The same as the caller wrote it, for the names of an object: two ways to write one must not become one unseen.
WrittenLocale = Annotated[str, AfterValidator(_is_locale), WithJsonSchema(_LOCALE)]
#: A number as people write it; read by the tenant's country when it has no `+`.
Number = Annotated[str, Field(min_length=3, max_length=64, examples=["+998900000001"])]
E164 = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{4,14}$", examples=["+998900000001"])]
#: Credit to add; a negative one takes it back.
Credit = Annotated[str, Field(pattern=_CREDIT, examples=["100.00"])]
Money = Annotated[str, Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$", examples=["12.50"])]


MessageId = Annotated[str, Field(pattern="^msg_[0-9a-f]{32}$", examples=["msg_0192f0c800007000800000000000abcd"])]
EventId = Annotated[str, Field(pattern="^evt_[0-9a-f]{32}$", examples=["evt_0192f0c800007000800000000000abcd"])]
InstallationId = Annotated[str, Field(pattern="^ins_[0-9a-f]{32}$", examples=["ins_0192f0c800007000800000000000abcd"])]
AccountId = Annotated[str, Field(pattern="^acc_[0-9a-f]{32}$", examples=["acc_0192f0c800007000800000000000abcd"])]
TriggerId = Annotated[str, Field(pattern="^trg_[0-9a-f]{32}$", examples=["trg_0192f0c800007000800000000000abcd"])]
ReplyId = Annotated[str, Field(pattern="^rpl_[0-9a-f]{32}$", examples=["rpl_0192f0c800007000800000000000abcd"])]
CallbackId = Annotated[str, Field(pattern="^cbk_[0-9a-f]{32}$", examples=["cbk_0192f0c800007000800000000000abcd"])]
KeyId = Annotated[str, Field(pattern="^key_[0-9a-f]{32}$", examples=["key_0192f0c800007000800000000000abcd"])]
TenantId = Annotated[str, Field(pattern="^ten_[0-9a-f]{32}$", examples=["ten_0192f0c800007000800000000000abcd"])]
AuditId = Annotated[str, Field(pattern="^aud_[0-9a-f]{32}$", examples=["aud_0192f0c800007000800000000000abcd"])]
PrivacyId = Annotated[str, Field(pattern="^prv_[0-9a-f]{32}$", examples=["prv_0192f0c800007000800000000000abcd"])]
LedgerId = Annotated[str, Field(pattern="^led_[0-9a-f]{32}$", examples=["led_0192f0c800007000800000000000abcd"])]
JobId = Annotated[str, Field(pattern="^job_[0-9a-f]{32}$", examples=["job_0192f0c800007000800000000000abcd"])]

#: A time in an answer: RFC 3339, UTC, with Z.
Time = Annotated[datetime, Field(examples=["2026-01-31T09:00:00Z"])]


class PageQuery(Model):
    """How a list is asked for."""

    limit: Annotated[int, Field(ge=1, le=200, description="How many at most.")] = 50
    cursor: Annotated[str | None, Field(max_length=64, description="`next` of the page before.")] = None

    @property
    def before(self) -> UUID | None:
        """The id after which the page begins. Raises FieldInvalid for a cursor that is not ours."""
        if self.cursor is None:
            return None
        try:
            return UUID(bytes=base64.urlsafe_b64decode(f"{self.cursor}=="))
        except ValueError as e:
            raise FieldInvalid("cursor", "must be `next` of the page before, as it was", "cursor_invalid") from e


def next_cursor(last: UUID | None) -> str | None:
    """How the next page is asked for, None on the last."""
    return None if last is None else base64.urlsafe_b64encode(last.bytes).decode().rstrip("=")


class Page(Answer, Generic[T]):
    """One page of a list, newest first. `next` is null on the last."""

    items: list[T]
    next: Annotated[str | None, Field(description="The cursor of the next page; null on the last.")]
