"""Twilio Programmable Messaging on the wire: one message out, its answer, receipts and replies in. Pure.

Message resource: twilio.com/docs/messaging/api/message-resource; requests to us: …/messaging/guides/webhook-request and
…/messaging/guides/track-outbound-message-status.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

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
    Verdict,
    WebhookRequest,
)

from ..answers import count, json_object, money, storable, text
from ..redaction import without_numbers
from ..retry_after import retry_after_s
from . import codes
from .signature import form

API = "https://api.twilio.com"
VALIDITY_S = (1, 36_000)  # ValidityPeriod's documented bounds; it is the time in Twilio's queue


# -- out ----------------------------------------------------------------------------------------------------------


def build(messages: Sequence[Outgoing], account: CarrierAccount) -> HttpCall:
    """The call that sends the one message."""
    (message,) = messages
    fields = {"To": message.msisdn, "Body": message.text}
    sender = message.sender_id or str(account.settings.get("sender_id") or "")
    if sender.startswith("MG"):
        fields["MessagingServiceSid"] = sender
    elif sender:
        fields["From"] = sender
    if message.dlr_url:
        fields["StatusCallback"] = message.dlr_url
    fields["ValidityPeriod"] = str(min(max(message.validity_s, VALIDITY_S[0]), VALIDITY_S[1]))
    headers = {**_headers(account), "Content-Type": "application/x-www-form-urlencoded"}
    return HttpCall(method="POST", url=f"{_account_url(account)}/Messages.json", headers=headers, body=urlencode(fields).encode())


def build_query(carrier_ref: str, _message: Outgoing, account: CarrierAccount) -> HttpCall:
    """The call that asks what became of one message, by Twilio's id (it does not know ours)."""
    return HttpCall(
        method="GET", url=f"{_account_url(account)}/Messages/{quote(carrier_ref, safe='')}.json", headers=_headers(account)
    )


def check(account: CarrierAccount) -> HttpCall:
    """The call that proves the credentials: the account itself, or one page of messages where an API key signs in.

    A standard API key may not read the account resource (twilio.com/docs/iam/api-keys).
    """
    own = "/Messages.json?PageSize=1" if account.credentials.get("api_key_sid") else ".json"
    return HttpCall(method="GET", url=f"{_account_url(account)}{own}", headers=_headers(account))


def checked(answer: HttpAnswer) -> str:
    """What is wrong with the account, "" when nothing is."""
    said = json_object(answer.body)
    if answer.status in {401, 403, 404}:
        return f"Twilio refuses the credentials ({_refusal(answer, said)}): compare account_sid and auth_token with the console"
    if answer.status != 200 or not said:
        return f"Twilio did not answer as documented ({_refusal(answer, said)}): is base_url right?"
    status = text(said, "status") or "active"  # a page of messages has no status of its own
    return "" if status == "active" else f"the Twilio account is {status}: reactivate it in the console"


def _refusal(answer: HttpAnswer, said: Mapping[str, Any]) -> str:
    return f"HTTP {answer.status}" + (f", code {text(said, 'code')}" if text(said, "code") else "")


def _account_url(account: CarrierAccount) -> str:
    sid = quote(str(account.credentials.get("account_sid") or ""), safe="")
    return f"{account.base_url(API)}/2010-04-01/Accounts/{sid}"


def _headers(account: CarrierAccount) -> dict[str, str]:
    known = account.credentials
    pair = ("api_key_sid", "api_key_secret") if known.get("api_key_sid") else ("account_sid", "auth_token")
    basic = ":".join(str(known.get(name) or "") for name in pair)
    return {"Authorization": "Basic " + base64.b64encode(basic.encode()).decode(), "Accept": "application/json"}


# -- the answer ---------------------------------------------------------------------------------------------------


def interpret(answer: HttpAnswer, messages: Sequence[Outgoing], _account: CarrierAccount) -> Sequence[Outcome]:
    """One outcome a message; an answer speaks of the first only. Never raises."""
    return [_outcome(answer, message) if place == 0 else _unclear(answer, {}, message) for place, message in enumerate(messages)]


def _outcome(answer: HttpAnswer, message: Outgoing) -> Outcome:
    said = json_object(answer.body)
    sid = text(said, "sid")
    if 200 <= answer.status < 300 and sid:
        return Outcome(
            message_id=message.message_id,
            verdict=Verdict.ACCEPTED,
            carrier_ref=sid,
            code=text(said, "status"),
            price=money(said.get("price")),
            currency=text(said, "price_unit").upper() if money(said.get("price")) is not None else "",
            segments=count(said.get("num_segments")),
        )
    refused = _class_of(answer, said)
    if refused is None:
        return _unclear(answer, said, message)
    return Outcome(
        message_id=message.message_id,
        verdict=Verdict.REJECTED,
        error_class=refused,
        code=text(said, "code") or str(answer.status),
        detail=without_numbers(text(said, "message")),
        retry_after_s=retry_after_s(answer.headers),
    )


def _class_of(answer: HttpAnswer, said: Mapping[str, Any]) -> ErrorClass | None:
    """The class of a certain refusal; None when Twilio may have taken the message."""
    own_error = bool(text(said, "code") and text(said, "message"))  # {"code", "message", "more_info", "status"}
    match answer.status:
        case 401 | 403:
            return ErrorClass.AUTH
        case 429:
            return ErrorClass.THROTTLED  # "never processed and always safe to retry" (error 20429)
        case status if 500 <= status < 600 and own_error:
            return ErrorClass.CARRIER_DOWN
        case status if 400 <= status < 500 and (own_error or status != 408):  # a bare 408: somebody's proxy gave up waiting
            return codes.ERRORS.get(text(said, "code"), ErrorClass.UNKNOWN)
    return None


def _unclear(answer: HttpAnswer, said: Mapping[str, Any], message: Outgoing) -> Outcome:
    return Outcome(
        message_id=message.message_id,
        verdict=Verdict.AMBIGUOUS,
        error_class=ErrorClass.AMBIGUOUS,
        code=text(said, "code") or str(answer.status),
        detail=without_numbers(text(said, "message")),
        retry_after_s=retry_after_s(answer.headers),
    )


def interpret_query(answer: HttpAnswer) -> Dlr | None:
    """What Twilio's own record of a message says, price included; None when it says nothing of it."""
    said = json_object(answer.body)
    sid, raw = text(said, "sid"), text(said, "status")
    if answer.status != 200 or not sid or not raw:
        return None
    return _dlr(
        sid,
        raw,
        text(said, "error_code"),
        words=text(said, "error_message"),
        price=said.get("price"),
        unit=text(said, "price_unit"),
    )


# -- in -----------------------------------------------------------------------------------------------------------


def read_dlrs(request: WebhookRequest, _account: CarrierAccount) -> Sequence[Dlr]:
    """The receipt of one status callback. Raises PayloadInvalid."""
    fields = _fields(request)
    sid = fields.get("MessageSid") or _required(fields, "SmsSid", "MessageSid")
    raw = fields.get("MessageStatus") or _required(fields, "SmsStatus", "MessageStatus")
    return [_dlr(sid, raw, fields.get("ErrorCode", ""), words=fields.get("ErrorMessage", ""), at=fields.get("RawDlrDoneDate", ""))]


def read_replies(request: WebhookRequest, _account: CarrierAccount) -> Sequence[Reply]:
    """The text of one incoming message; [] for a status callback that went to the wrong URL. Raises PayloadInvalid."""
    fields = _fields(request)
    status = fields.get("SmsStatus") or fields.get("MessageStatus") or "received"
    if status not in codes.INBOUND:
        return []
    return [
        Reply(
            id=fields.get("MessageSid") or _required(fields, "SmsSid", "MessageSid"),
            msisdn=_plus(_required(fields, "From", "From")),
            to=_plus(fields.get("To", "")),
            text=fields.get("Body", ""),
            carrier_answered=fields.get("OptOutType", "").upper() in codes.ANSWERED_BY_TWILIO,
        )
    ]


def _dlr(sid: str, raw: str, code: str, *, words: str = "", at: str = "", price: object = None, unit: str = "") -> Dlr:
    status, handed_over = codes.STATUSES.get(raw.lower(), (None, False))
    code = "" if code == "0" else code
    unhappy = status in codes.UNHAPPY
    amount = money(price)
    return Dlr(
        carrier_ref=sid,
        status=codes.STATUS_BY_CODE.get(code, status) if unhappy else status,
        raw_status=raw,
        raw_code=code,
        raw_text=without_numbers(words),
        error_class=codes.ERRORS.get(code, ErrorClass.UNKNOWN) if unhappy else None,
        handed_over=handed_over,
        occurred_raw=at,
        price=amount,
        currency=unit.upper() if amount is not None else "",
    )


def _fields(request: WebhookRequest) -> dict[str, str]:
    """Name → first value, of a form, a query or a JSON object: the console lets an account choose."""
    try:
        if request.method != "POST":
            pairs = list(request.query)
        elif "json" in request.header("content-type").lower():
            pairs = [(name, text(found, name)) for found in (json_object(request.body),) for name in found]
        else:
            pairs = form(request.body)
    except ValueError as e:
        raise PayloadInvalid("twilio: the body is no form") from e
    return {name: storable(value) for name, value in reversed(pairs)}


def _required(fields: Mapping[str, str], name: str, shown: str) -> str:
    if value := fields.get(name):
        return value
    raise PayloadInvalid("twilio: a field is missing", shown)


def _plus(msisdn: str) -> str:
    """A `+` that somebody forgot to encode arrives as a space."""
    return "+" + msisdn[1:] if msisdn.startswith(" ") else msisdn
