"""The sandbox's own protocol on the wire. Pure. docs/carriers/sandbox.md documents it; the simulator speaks the other side.

    POST /v1/messages   {"messages": [{ref, to, from, text, encoding, segments, validity_s, dlr_url}]}
                        → {"results": [{ref, id, status: accepted, price?, currency?, segments} | {ref, status: rejected, error}]}
    GET /v1/messages/ID, GET /v1/messages?ref=REF → {ref, id, status, code, …}
    POST dlr_url        {"receipts": [{id, ref, status, code?, …}]}
    POST mo_url         {"replies": [{id, from, to, text, answered}]}

An error is `{"error": {"code", "detail"}}`, the code one of our error classes. A repeated `ref` is answered with the first
one's result.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

from bellwire import (
    CarrierAccount,
    Dlr,
    ErrorClass,
    HttpAnswer,
    HttpCall,
    Outcome,
    Outgoing,
    PayloadInvalid,
    Reply,
    SignatureMismatch,
    Verdict,
    WebhookRequest,
)
from bellwire.signing import fresh, hmac_hex, require
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from ..answers import count, json_object, money, storable, text
from ..redaction import without_numbers
from ..retry_after import retry_after_s
from .codes import class_of, receipt

DEFAULT_URL = "http://127.0.0.1:8025"  # where `bellwire simulate-carrier` listens
TIMESTAMP, SIGNATURE = "x-sandbox-timestamp", "x-sandbox-signature"


# -- out ----------------------------------------------------------------------------------------------------------


def build(messages: Sequence[Outgoing], account: CarrierAccount) -> HttpCall:
    """The call that sends the messages."""
    body = {"messages": [_wire(message) for message in messages]}
    headers = {**_headers(account), "Content-Type": "application/json"}
    data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return HttpCall(method="POST", url=f"{account.base_url(DEFAULT_URL)}/v1/messages", headers=headers, body=data)


def _wire(message: Outgoing) -> dict[str, Any]:
    return {
        "ref": message.ref,
        "to": message.msisdn,
        "from": message.sender_id,
        "text": message.text,
        "encoding": message.encoding,
        "segments": message.segments,
        "validity_s": message.validity_s,
        "dlr_url": message.dlr_url,
    }


def build_query(carrier_ref: str, message: Outgoing, account: CarrierAccount) -> HttpCall:
    """The call that asks what became of a message, by the sandbox's id or, without one, by our reference."""
    which = f"/{quote(carrier_ref, safe='')}" if carrier_ref else f"?ref={quote(message.ref, safe='')}"
    return HttpCall(method="GET", url=f"{account.base_url(DEFAULT_URL)}/v1/messages{which}", headers=_headers(account))


def check(account: CarrierAccount) -> HttpCall:
    """The call that proves the API key."""
    return HttpCall(method="GET", url=f"{account.base_url(DEFAULT_URL)}/v1/account", headers=_headers(account))


def checked(answer: HttpAnswer) -> str:
    """What is wrong with the account, "" when nothing is."""
    if answer.status in {401, 403}:
        return "the simulator refuses the api_key: compare it with its --key"
    said = text(json_object(answer.body), "status")
    return "" if answer.status == 200 and said == "active" else f"no simulator there (HTTP {answer.status}): is base_url right?"


def _headers(account: CarrierAccount) -> dict[str, str]:
    return {"Authorization": f"Bearer {account.credentials.get('api_key') or ''}", "Accept": "application/json"}


# -- the answer ---------------------------------------------------------------------------------------------------


def interpret(answer: HttpAnswer, messages: Sequence[Outgoing], _account: CarrierAccount) -> Sequence[Outcome]:
    """One outcome a message; one that the answer does not name is ambiguous. Never raises."""
    said = json_object(answer.body)
    listed = said.get("results") if answer.status == 200 else None
    results: dict[str, Mapping[str, Any]] = {}
    for one in listed if isinstance(listed, list) else []:
        if isinstance(one, dict):
            results.setdefault(text(one, "ref"), one)
    return [_outcome(answer, said, results.get(message.ref), message) for message in messages]


def _outcome(answer: HttpAnswer, said: Mapping[str, Any], result: Mapping[str, Any] | None, message: Outgoing) -> Outcome:
    if result is None:
        return _refused(message, _error(said), _class_of(answer, said), answer, retry_after_s(answer.headers))
    if text(result, "status") == "accepted" and text(result, "id"):
        price = money(result.get("price"))
        return Outcome(
            message_id=message.message_id,
            verdict=Verdict.ACCEPTED,
            carrier_ref=text(result, "id"),
            code="accepted",
            price=price,
            currency=text(result, "currency") if price is not None else "",
            segments=count(result.get("segments")),
        )
    error = _error(result)
    refused = class_of(text(error, "code")) if text(result, "status") == "rejected" and text(error, "code") else None
    wait = count(error.get("retry_after_s"))
    return _refused(message, error, refused, answer, None if wait is None else float(wait))


def _error(said: Mapping[str, Any]) -> Mapping[str, Any]:
    error = said.get("error")
    return error if isinstance(error, dict) else {}


def _class_of(answer: HttpAnswer, said: Mapping[str, Any]) -> ErrorClass | None:
    """The class of a certain refusal of the whole call; None when the sandbox may have taken it."""
    code = text(_error(said), "code")
    match answer.status:
        case 401 | 403:
            return ErrorClass.AUTH
        case 429:
            return ErrorClass.THROTTLED
        case status if 500 <= status < 600 and code:
            return ErrorClass.CARRIER_DOWN
        case status if 400 <= status < 500 and (code or status != 408):
            return class_of(code)
    return None


def _refused(
    message: Outgoing, error: Mapping[str, Any], refused: ErrorClass | None, answer: HttpAnswer, wait_s: float | None
) -> Outcome:
    return Outcome(
        message_id=message.message_id,
        verdict=Verdict.AMBIGUOUS if refused is None or refused is ErrorClass.AMBIGUOUS else Verdict.REJECTED,
        error_class=refused or ErrorClass.AMBIGUOUS,
        code=text(error, "code") or str(answer.status),
        detail=without_numbers(text(error, "detail")),
        retry_after_s=wait_s,
    )


def interpret_query(answer: HttpAnswer) -> Dlr | None:
    """What the sandbox's record of a message says; None when it has none."""
    said = json_object(answer.body)
    if answer.status != 200 or not text(said, "id") or not text(said, "status"):
        return None
    return receipt(
        text(said, "id"),
        text(said, "status"),
        text(said, "code"),
        message_ref=text(said, "ref"),
        price=money(said.get("price")),
        currency=text(said, "currency"),
        segments=count(said.get("segments")),
    )


# -- in -----------------------------------------------------------------------------------------------------------


def sign(request: WebhookRequest, account: CarrierAccount) -> WebhookRequest:
    """The request signed with the newest key, at the time of its arrival."""
    if not request.url or not account.secrets:
        raise SignatureMismatch("sandbox: signing needs the URL and an api_key")
    timestamp = str(int(request.received_at.timestamp()))
    signature = hmac_hex(account.secrets[0], _signed(timestamp, request))
    return request.with_headers(x_sandbox_timestamp=timestamp, x_sandbox_signature=signature)


def verify(request: WebhookRequest, account: CarrierAccount, now: datetime) -> None:
    """Pass a request signed with one of the account's keys in the last five minutes. Raises SignatureMismatch, StaleSignature."""
    timestamp = request.header(TIMESTAMP)
    signed = _signed(timestamp, request)
    problem = "" if request.url else " (PUBLIC_URL is not set: signatures over URLs can't be checked)"
    usable = [] if problem else [secret for secret in account.secrets if secret]  # an empty key would sign for everybody
    require(request.header(SIGNATURE), [hmac_hex(secret, signed) for secret in usable], f"sandbox{problem}")
    fresh(timestamp, now, "sandbox")


def _signed(timestamp: str, request: WebhookRequest) -> bytes:
    return f"{timestamp}.{request.url}.".encode("utf-8", "backslashreplace") + request.body


_Id = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_Word = Annotated[str, StringConstraints(max_length=200)]


class _Receipt(BaseModel):
    model_config = ConfigDict(extra="ignore", cache_strings="keys")
    id: _Id
    ref: _Word = ""
    status: _Id
    code: _Word = ""
    detail: str = ""
    at: _Word = ""
    price: Annotated[Decimal, Field(ge=0, max_digits=20, decimal_places=8)] | None = None
    currency: _Word = ""
    segments: Annotated[int, Field(ge=0, le=999)] | None = None


class _Receipts(BaseModel):
    model_config = ConfigDict(extra="ignore", cache_strings="keys")
    receipts: Annotated[list[_Receipt], Field(min_length=1, max_length=1000)]


class _Reply(BaseModel):
    model_config = ConfigDict(extra="ignore", cache_strings="keys")
    id: _Id
    msisdn: Annotated[_Id, Field(alias="from")]
    to: _Word = ""
    text: str
    answered: bool = False


class _Replies(BaseModel):
    model_config = ConfigDict(extra="ignore", cache_strings="keys")
    replies: Annotated[list[_Reply], Field(min_length=1, max_length=1000)]


_Body = TypeVar("_Body", _Receipts, _Replies)


def _parse(model: type[_Body], request: WebhookRequest) -> _Body:
    try:
        return model.model_validate_json(request.body)
    except ValidationError as e:
        place = ".".join(str(part) for part in e.errors(include_url=False, include_input=False)[0]["loc"])
        raise PayloadInvalid("sandbox: the body is not as documented", place) from None  # the cause quotes the body


def read_dlrs(request: WebhookRequest, _account: CarrierAccount) -> Sequence[Dlr]:
    """The receipts of one callback. Raises PayloadInvalid."""
    return [
        receipt(
            storable(one.id),
            storable(one.status),
            storable(one.code),
            message_ref=storable(one.ref),
            words=without_numbers(storable(one.detail)),
            at=storable(one.at),
            price=one.price,
            currency=storable(one.currency),
            segments=one.segments,
        )
        for one in _parse(_Receipts, request).receipts
    ]


def read_replies(request: WebhookRequest, _account: CarrierAccount) -> Sequence[Reply]:
    """The replies of one callback. Raises PayloadInvalid."""
    return [
        Reply(
            id=storable(one.id),
            msisdn=storable(one.msisdn),
            to=storable(one.to),
            text=storable(one.text),
            carrier_answered=one.answered,
        )
        for one in _parse(_Replies, request).replies
    ]
