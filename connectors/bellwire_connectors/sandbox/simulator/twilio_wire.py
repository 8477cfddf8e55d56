"""Twilio's Message resource from the carrier's side, as its documentation says; written apart from the `twilio` carrier.

twilio.com/docs/messaging/api/message-resource, …/usage/webhooks/webhooks-security, …/api/errors.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import parse_qs, urlencode

from bellwire import ErrorClass

from .book import Message
from .wire import Answer, Callback, Mo, Request, Result, Submission

_ACCOUNT = re.compile(r"/2010-04-01/Accounts/([^/]+?)(?:/|\.json)")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}\Z")

#: Our class → HTTP status, code and words of the error that Twilio documents for it.
ERRORS: Mapping[ErrorClass, tuple[int, int, str]] = {
    ErrorClass.AUTH: (401, 20003, "Authenticate"),
    ErrorClass.THROTTLED: (429, 20429, "Too Many Requests"),
    ErrorClass.CARRIER_DOWN: (503, 20503, "Service unavailable"),
    ErrorClass.INVALID_NUMBER: (400, 21211, "The 'To' number is not a valid phone number."),
    ErrorClass.OPTED_OUT: (400, 21610, "Attempt to send to unsubscribed recipient"),
    ErrorClass.SENDER_REJECTED: (
        400,
        21606,
        "The 'From' phone number provided is not a valid message-capable Twilio phone number.",
    ),
    ErrorClass.NOT_ALLOWED_REGION: (400, 21408, "Permission to send an SMS has not been enabled for the region."),
    ErrorClass.INSUFFICIENT_FUNDS: (403, 20005, "Account not active"),
    ErrorClass.BAD_REQUEST: (400, 21602, "Message body is required."),
}

#: The sandbox's receipt (status, code) → MessageStatus and ErrorCode. What is missing goes out under its own name.
RECEIPTS: Mapping[tuple[str, str], tuple[str, str]] = {
    ("accepted", ""): ("queued", ""),
    ("handed_over", ""): ("sent", ""),
    ("undelivered", "unreachable"): ("undelivered", "30003"),
    ("failed", "blocked_content"): ("undelivered", "30007"),
    ("expired", ""): ("undelivered", "30036"),
}


class TwilioWire:
    """`accounts`: SID → auth token of those that may sign in; any when empty."""

    name = "twilio"

    def __init__(self, accounts: Mapping[str, str] | None = None) -> None:
        self._accounts = dict(accounts or {})

    def read(self, request: Request) -> Sequence[Submission] | Answer:
        """The one text of a form."""
        account = self.account(request)
        if isinstance(account, Answer):
            return account
        if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return _error(415, 20415, "Unsupported media type")
        try:
            form = parse_qs(request.body.decode("utf-8"), keep_blank_values=True, max_num_fields=100, errors="strict")
        except ValueError:
            return _error(400, 20001, "The body is not a form")
        field = {name: values[0] for name, values in form.items()}
        if (wrong := _wrong(field)) is not None:
            return _error(400, *wrong)
        url = field.get("StatusCallback", "")
        sid, secret = account
        text = field["Body"]
        return [
            Submission(
                ref=url.partition("?")[0].rpartition("/")[2] or field["To"],
                to=field["To"],
                sender=field.get("From", ""),
                text=text,
                segments=_segments(text),
                dlr_url=url,
                account=sid,
                secret=secret,
                service=field.get("MessagingServiceSid", ""),
            )
        ]

    def account(self, request: Request) -> tuple[str, str] | Answer:
        """The account of the path and the token it signed in with, or the refusal."""
        found = _ACCOUNT.match(request.path)
        user, _, token = _basic(request.headers.get("authorization", "")).partition(":")
        if found is None or not user or not token:
            return self.error(ErrorClass.AUTH, "")
        sid = found[1]
        if user.startswith("SK"):  # an API key: its secret signs no callback
            return sid, self._accounts.get(sid, token)
        if user != sid or (self._accounts and self._accounts.get(sid) != token):
            return self.error(ErrorClass.AUTH, "")
        return sid, token

    def answer(self, results: Sequence[Result]) -> Answer | None:
        """201 with the resource, or the error."""
        (result,) = results
        if result.silent:
            return None
        if result.message is None:
            return self.error(result.refusal or ErrorClass.BAD_REQUEST, result.says, result.retry_after_s)
        return Answer(status=201, body=json.dumps(_resource(result.message, fresh=True)).encode())

    def error(self, kind: ErrorClass, says: str, retry_after_s: float | None = None) -> Answer:
        """Twilio's documented error for a class."""
        status, code, words = ERRORS.get(kind, (400, 20001, says))
        return _error(status, code, words, retry_after_s)

    def show(self, message: Message | None) -> Answer:
        """The resource, with its price once it is final."""
        if message is None:
            return _error(404, 20404, "The requested resource was not found")
        return Answer(status=200, body=json.dumps(_resource(message, fresh=False)).encode())

    def receipt(self, message: Message, status: str, code: str) -> Callback:
        """A status callback."""
        raw, error = RECEIPTS.get((status, code), (status, "30008" if code else ""))
        fields = {"SmsSid": message.id, "SmsStatus": raw, "MessageStatus": raw, "To": message.to, "MessageSid": message.id}
        fields |= {"AccountSid": message.account, "From": message.sender, "ApiVersion": "2010-04-01"}
        if message.service:
            fields["MessagingServiceSid"] = message.service
        if error:
            fields["ErrorCode"] = error
        if raw in {"delivered", "undelivered"}:
            fields["RawDlrDoneDate"] = datetime.now(UTC).strftime("%y%m%d%H%M")
        return _signed(message.dlr_url, fields, message.secret)

    def reply(self, mo: Mo) -> Callback:
        """An incoming message."""
        fields = {
            "SmsMessageSid": mo.id,
            "SmsSid": mo.id,
            "MessageSid": mo.id,
            "AccountSid": mo.account,
            "ApiVersion": "2010-04-01",
        }
        fields |= {"From": mo.msisdn, "To": mo.to, "Body": mo.text, "SmsStatus": "received", "NumMedia": "0", "NumSegments": "1"}
        if mo.answered:
            fields["OptOutType"] = mo.answered
        return _signed(mo.url, fields, mo.secret)

    def new_id(self, _submission: Submission) -> str:
        """A new SID."""
        return f"SM{secrets.token_hex(16)}"


def _wrong(field: Mapping[str, str]) -> tuple[int, str] | None:
    """The documented error of a form that can't be sent."""
    validity = field.get("ValidityPeriod", "1")
    if not field.get("To"):
        return 21604, "A 'To' phone number is required."
    if _E164.match(field["To"]) is None:
        return 21211, f"The 'To' number {field['To'][:20]} is not a valid phone number."
    if not field.get("From") and not field.get("MessagingServiceSid"):
        return 21603, "A 'From' phone number is required."
    if not field.get("Body"):
        return 21602, "Message body is required."
    if len(field["Body"]) > 1600:
        return 21617, "The concatenated message body exceeds the 1600 character limit."
    if not (validity.isascii() and validity.isdigit() and 1 <= int(validity[:9]) <= 36_000):
        return 21624, "Invalid validity period value"
    if not field.get("StatusCallback", "http://").startswith(("http://", "https://")):
        return 21609, "Invalid 'StatusCallback' URL."
    return None


def _basic(header: str) -> str:
    scheme, _, value = header.partition(" ")
    try:
        return base64.b64decode(value, validate=True).decode() if scheme == "Basic" else ""
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _error(status: int, code: int, words: str, retry_after_s: float | None = None) -> Answer:
    body = {"code": code, "message": words, "more_info": f"https://www.twilio.com/docs/errors/{code}", "status": status}
    wait = () if retry_after_s is None else (("retry-after", str(max(1, round(retry_after_s)))),)
    return Answer(status=status, body=json.dumps(body).encode(), headers=wait)


def _segments(text: str) -> int:
    """A rough count: the simulator is no judge of alphabets."""
    one, more = (160, 153) if text.isascii() else (70, 67)
    return 1 if len(text) <= one else -(-len(text) // more)


def _resource(message: Message, *, fresh: bool) -> dict[str, object]:
    final = message.status not in {"accepted", "handed_over"}
    raw, error = RECEIPTS.get((message.status, message.code), (message.status, ""))
    uri = f"/2010-04-01/Accounts/{message.account}/Messages/{message.id}"
    made = format_datetime(datetime.fromtimestamp(message.taken_at, UTC))
    return {
        "account_sid": message.account,
        "api_version": "2010-04-01",
        "body": message.text,
        "date_created": made,
        "date_sent": made if final else None,
        "date_updated": made,
        "direction": "outbound-api",
        "error_code": int(error) if error else None,
        "error_message": None,
        "from": message.sender or None,
        "messaging_service_sid": message.service or None,
        "num_media": "0",
        "num_segments": "0" if fresh and message.service else str(message.segments),
        "price": f"-{message.price}" if message.price and final else None,
        "price_unit": message.currency or "USD",
        "sid": message.id,
        "status": "accepted" if fresh and message.service else raw,
        "subresource_uris": {"media": f"{uri}/Media.json"},
        "tags": None,
        "to": message.to,
        "uri": f"{uri}.json",
    }


def _signed(url: str, fields: Mapping[str, str], secret: str) -> Callback:
    # security page, "Validating signatures": the URL, then each parameter's name and value by name, HMAC-SHA1, base64
    text = url + "".join(name + fields[name] for name in sorted(fields))
    signature = base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()).decode()
    headers = {
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
        "x-twilio-signature": signature,
        "i-twilio-idempotency-token": secrets.token_hex(16),
        "user-agent": "TwilioProxy/1.1",
    }
    return Callback(url=url, headers=headers, body=urlencode(fields).encode())
