"""Texts out: one JSON call a message, receipts and replies as forms."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from urllib.parse import parse_qsl

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
    Status,
    Verdict,
    WebhookRequest,
)
from bellwire.signing import hmac_hex, require
from pydantic import BaseModel, ValidationError

HEADER = "x-example-signature"


class Accepted(BaseModel):
    id: int


STATES = {"OK": Status.DELIVERED, "BAD": Status.UNDELIVERED}
REFUSALS = {401: ErrorClass.AUTH, 429: ErrorClass.THROTTLED}


def build(messages: Sequence[Outgoing], account: CarrierAccount) -> HttpCall:
    (message,) = messages
    body = {"to": message.msisdn, "text": message.text, "ref": message.ref, "dlr": message.dlr_url}
    return HttpCall(
        method="POST",
        url=account.base_url("https://api.example.com") + "/texts",
        headers={"authorization": f"Bearer {account.credentials['token']}", "content-type": "application/json"},
        body=json.dumps(body).encode(),
    )


def interpret(answer: HttpAnswer, messages: Sequence[Outgoing], account: CarrierAccount) -> list[Outcome]:
    (message,) = messages
    if 400 <= answer.status < 500:
        refused = REFUSALS.get(answer.status, ErrorClass.BAD_REQUEST)
        after = answer.headers.get("retry-after", "")
        wait_s = float(after) if after.isdecimal() else None
        return [Outcome(message_id=message.message_id, verdict=Verdict.REJECTED, error_class=refused, retry_after_s=wait_s)]
    try:
        accepted = Accepted.model_validate_json(answer.body)
    except ValidationError:
        accepted = None
    if answer.status != 200 or accepted is None:
        return [Outcome(message_id=message.message_id, verdict=Verdict.AMBIGUOUS, error_class=ErrorClass.AMBIGUOUS)]
    return [Outcome(message_id=message.message_id, verdict=Verdict.ACCEPTED, carrier_ref=str(accepted.id))]


def sign(request: WebhookRequest, account: CarrierAccount) -> WebhookRequest:
    return replace(request, headers={**request.headers, HEADER: hmac_hex(account.secrets[0], request.body)})


def verify(request: WebhookRequest, account: CarrierAccount, now: datetime) -> None:
    require(request.header(HEADER), [hmac_hex(secret, request.body) for secret in account.secrets], "example_sms")


def read_dlrs(request: WebhookRequest, account: CarrierAccount) -> list[Dlr]:
    form = _form(request)
    return [Dlr(carrier_ref=form["id"], status=STATES.get(form["state"]), raw_status=form["state"])]


def read_replies(request: WebhookRequest, account: CarrierAccount) -> list[Reply]:
    form = _form(request)
    return [Reply(id=form["id"], msisdn=form["from"], to=form["to"], text=form["text"])]


class _Fields(dict[str, str]):
    def __missing__(self, name: str) -> str:
        raise PayloadInvalid("missing", name)


def _form(request: WebhookRequest) -> _Fields:
    try:
        return _Fields(parse_qsl(request.body.decode(), keep_blank_values=True, max_num_fields=50))
    except ValueError as error:
        raise PayloadInvalid("not a form") from error
