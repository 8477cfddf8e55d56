"""Receipts in: one signed JSON body a receipt."""

from dataclasses import replace
from datetime import datetime

from bellwire import Event, Installation, PayloadInvalid, Person, SignatureMismatch, WebhookRequest
from bellwire.signing import fresh, hmac_hex, require
from pydantic import BaseModel, ConfigDict, ValidationError

HEADER = "x-example-signature"
STAMP = "x-example-time"


class Receipt(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    kind: str
    number: str
    total: str
    currency: str
    paid_at: datetime
    phone: str = ""


def sign(request: WebhookRequest, installation: Installation) -> WebhookRequest:
    stamp = str(int(request.received_at.timestamp()))
    signature = hmac_hex(installation.secrets[0], stamp.encode() + b"." + request.body)
    return replace(request, headers={**request.headers, STAMP: stamp, HEADER: signature})


def verify(request: WebhookRequest, installation: Installation, now: datetime) -> None:
    stamp = request.header(STAMP)
    if not stamp:
        raise SignatureMismatch("example_till: the time header is missing")
    signed = stamp.encode() + b"." + request.body
    require(request.header(HEADER), [hmac_hex(secret, signed) for secret in installation.secrets], "example_till")
    fresh(stamp, now, "example_till")


def read(request: WebhookRequest, installation: Installation) -> list[Event]:
    try:
        receipt = Receipt.model_validate_json(request.body)
    except ValidationError as error:
        raise PayloadInvalid("not a receipt", ".".join(str(part) for part in error.errors()[0]["loc"])) from None
    if receipt.kind != "receipt.paid":
        return []
    return [
        Event(
            id=receipt.number,
            type="order.paid",
            occurred_at=receipt.paid_at,
            subject=f"receipt/{receipt.number}",
            people={"customer": Person(phones=[receipt.phone] if receipt.phone else [])},
            data={"order.number": receipt.number, "order.total": receipt.total, "order.currency": receipt.currency},
        )
    ]
