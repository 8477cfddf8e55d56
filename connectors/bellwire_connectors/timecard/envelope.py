"""The CloudEvents 1.0 envelope: structured, batch and binary mode become the same value, or are refused by name. Pure.

Rules and codes: docs/connectors/timecard.md. https://github.com/cloudevents/spec, v1.0.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bellwire import Installation, PayloadInvalid, WebhookRequest
from pydantic_core import from_json

from .signature import WHO, is_binary

BODY_MAX = 256 * 1024
BATCH_MAX = 100

INVALID_ENVELOPE, INVALID_DATA = "invalid_envelope", "invalid_data"

_BATCH, _STRUCTURED, _JSON = "application/cloudevents-batch+json", "application/cloudevents+json", "application/json"
_ID = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,128}")
_SOURCE = re.compile(r"[^\s\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,512}")
_SUBJECT = re.compile(r"(?:timecard|shift|task|worker)/[^\s\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,200}")
_TYPE = re.compile(r"[a-z0-9_.-]{1,100}")
#: RFC 3339, 5.6: a date, a time and an offset.
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_VERSION = re.compile(r"/v?(\d{1,4})(?:\.\d{1,4}){0,2}(?:\.json)?/?#?")
_MAJOR = 1  # of the data's schema that we know

#: What only a covered attribute may ask for: it changes who people are.
PRIVILEGED = frozenset({"worker.updated", "person.erase_requested"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One event's attributes, checked. `type`: ours, without `bellwire.`, "" for what is not from our list of names."""

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    data: Mapping[str, Any] = field(repr=False)
    test: bool = False
    binary: bool = False


@dataclass(frozen=True, slots=True)
class Bad:
    """An item of a batch that can't be used. `id`: as it was given, "" where that is no id."""

    id: str
    code: str
    field: str


def refused(code: str, field_name: str) -> PayloadInvalid:
    """The error for what breaks the contract: its code and place, never its value."""
    return PayloadInvalid(f"{WHO}: {code}", field_name, code=code)


def is_batch(request: WebhookRequest) -> bool:
    """Whether the body is a list of events."""
    return _kind(request) == _BATCH


def envelopes(request: WebhookRequest, installation: Installation) -> Iterator[Envelope | Bad]:
    """The events of a request. Raises PayloadInvalid when none can be told from it; an item of a batch is told as Bad."""
    body = _parsed(request)
    if is_batch(request):
        if not isinstance(body, list):
            raise refused(INVALID_ENVELOPE, "body")
        if len(body) > BATCH_MAX:
            raise PayloadInvalid(f"{WHO}: a batch has {BATCH_MAX} events at most", code="too_large", status=413)
        for item in body:
            try:
                yield _envelope(item, installation)
            except PayloadInvalid as e:
                yield Bad(named(item), e.code, e.field)
        return
    if is_binary(request):
        attributes: dict[str, Any] = {
            name.removeprefix("ce-"): value for name, value in request.headers.items() if name.startswith("ce-")
        }
        made = _envelope({**attributes, "data": body}, installation, binary=True)
        if made.type in PRIVILEGED:
            raise refused(INVALID_ENVELOPE, "type")
        yield made
        return
    yield _envelope(body, installation)


def named(item: object) -> str:
    """The id that an item gives itself, where it is one."""
    given = item.get("id") if isinstance(item, Mapping) else None
    return given if isinstance(given, str) and _ID.fullmatch(given) else ""


def instant(value: object) -> datetime | None:
    """An RFC 3339 time with its offset, None for anything else."""
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return None
    try:
        made = datetime.fromisoformat(value.upper())
        in_utc = made.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return made if 1990 < in_utc.year < 2200 else None


def _kind(request: WebhookRequest) -> str:
    return request.header("content-type").partition(";")[0].strip().lower()


def _parsed(request: WebhookRequest) -> Any:
    kind = _kind(request)
    if kind not in (_BATCH, _STRUCTURED, _JSON):
        raise PayloadInvalid(f"{WHO}: the body must be {_STRUCTURED} or {_BATCH}", code="content_type", status=415)
    if len(request.body) > BODY_MAX:
        raise PayloadInvalid(f"{WHO}: the body has more than {BODY_MAX} bytes", code="too_large", status=413)
    try:
        return from_json(request.body, allow_inf_nan=False, cache_strings="keys")
    except ValueError as e:
        raise refused(INVALID_ENVELOPE, "body") from e


def _envelope(item: object, installation: Installation, *, binary: bool = False) -> Envelope:
    if not isinstance(item, Mapping):
        raise refused(INVALID_ENVELOPE, "body")
    if item.get("specversion") != "1.0":
        raise refused(INVALID_ENVELOPE, "specversion")
    source, time = _text(item, "source", _SOURCE), instant(item.get("time"))
    if time is None:
        raise refused(INVALID_ENVELOPE, "time")
    allowed = installation.settings.get("sources") or ()
    if isinstance(allowed, Sequence) and allowed and source not in allowed:
        raise refused(INVALID_ENVELOPE, "source")
    _schema(item.get("dataschema"))
    kind = item.get("datacontenttype", _JSON)
    if not isinstance(kind, str) or kind.partition(";")[0].strip().lower() != _JSON:
        raise refused(INVALID_ENVELOPE, "datacontenttype")
    data = item.get("data")
    if not isinstance(data, Mapping) or "data_base64" in item:
        raise refused(INVALID_ENVELOPE, "data")
    return Envelope(
        id=_text(item, "id", _ID),
        source=source,
        type=_type(_text(item, "type", _TYPE)),
        subject=_text(item, "subject", _SUBJECT) if item.get("subject") is not None else "",
        time=time,
        data=data,
        test=_flag(item, binary=binary),
        binary=binary,
    )


def _text(item: Mapping[str, Any], name: str, form: re.Pattern[str]) -> str:
    value = item.get(name)
    if not isinstance(value, str) or not form.fullmatch(value):
        raise refused(INVALID_ENVELOPE, name)
    return value


def _type(given: str) -> str:
    """`bellwire.timecard.approved` → `timecard.approved`; "" for a name that is not ours: such an event is left alone."""
    prefix, dot, rest = given.partition(".")
    return rest if prefix == "bellwire" and dot else ""


def _schema(given: object) -> None:
    """The data's schema, where one is named: a minor version only adds, another major is another contract."""
    if given is None:
        return
    found = _VERSION.search(given[-40:]) if isinstance(given, str) and len(given) <= 1000 else None
    if found is None or found.end() != len(given[-40:]) or int(found[1]) != _MAJOR:  # type: ignore[index]  # a match means text
        raise refused(INVALID_ENVELOPE, "dataschema")


def _flag(item: Mapping[str, Any], *, binary: bool) -> bool:
    """The extension `testmode`; headers are texts."""
    value = item.get("testmode", False)
    if binary and value in ("true", "false"):
        return bool(value == "true")
    if not isinstance(value, bool):
        raise refused(INVALID_ENVELOPE, "testmode")
    return value
