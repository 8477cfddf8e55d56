"""Deliveries in: one signed JSON body each."""

from dataclasses import replace
from datetime import UTC, datetime

from bellwire import (
    ConsentHint,
    ConsentState,
    Event,
    Installation,
    PayloadInvalid,
    Person,
    Purpose,
    SignatureMismatch,
    WebhookRequest,
)
from bellwire.signing import fresh, hmac_hex, require
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

HEADER, STAMP = "x-corner-signature", "x-corner-time"
KINDS = {"order.placed": "order.created", "order.edited": "order.updated"}
STATES = {"yes": ConsentState.OPTED_IN, "no": ConsentState.OPTED_OUT}
Text = Field(default="", max_length=200, pattern=r"^[^\x00-\x1f]*$")


class Body(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, strict=True)


class Order(Body):
    id: str = Field(min_length=1, max_length=40)
    version: int = Field(ge=1, le=10**6)
    total: str = Text
    currency: str = Text
    phone: str = Text


class Said(Body):
    customer: str = Field(min_length=1, max_length=40)
    phone: str = Text
    texts: str = Text


class Delivery(Body):
    kind: str = Field(max_length=40)
    delivery: str = Field(min_length=1, max_length=60)
    at: AwareDatetime
    order: Order | None = None
    consent: Said | None = None


def sign(request: WebhookRequest, installation: Installation) -> WebhookRequest:
    stamp = str(int(request.received_at.timestamp()))
    signature = hmac_hex(installation.secrets[0], stamp.encode() + b"." + request.body)
    return replace(request, headers={**request.headers, STAMP: stamp, HEADER: signature})


def verify(request: WebhookRequest, installation: Installation, now: datetime) -> None:
    stamp = request.header(STAMP)
    if not stamp:
        raise SignatureMismatch("corner_shop: the time header is missing")
    signed = stamp.encode() + b"." + request.body
    secrets = [secret for secret in installation.secrets if secret]
    require(request.header(HEADER), [hmac_hex(secret, signed) for secret in secrets], "corner_shop")
    fresh(stamp, now, "corner_shop")


def read(request: WebhookRequest, installation: Installation) -> list[Event]:
    try:
        told = Delivery.model_validate_json(request.body)
        at = told.at.astimezone(UTC)
    except ValidationError as error:
        raise PayloadInvalid("not a delivery", ".".join(str(part) for part in error.errors()[0]["loc"])) from None
    except OverflowError:
        raise PayloadInvalid("out of time", "at") from None
    if told.kind in KINDS and told.order is not None:
        return [order_event(told.order, KINDS[told.kind], told.delivery, at)]
    if told.kind == "customer.consent" and told.consent is not None and told.consent.texts in STATES:
        said = told.consent
        hint = ConsentHint(purpose=Purpose.MARKETING, state=STATES[said.texts], at=at, source="corner_shop", proof=told.delivery)
        person = Person(ref=said.customer, phones=phones(said.phone), consents=[hint])
        return [
            Event(
                id=told.delivery,
                type="customer.consent_changed",
                occurred_at=at,
                subject=f"customer/{said.customer}",
                people={"customer": person},
            )
        ]
    return []


def order_event(order: Order, kind: str, delivery: str, at: datetime) -> Event:
    return Event(
        id=delivery,
        fact=f"{kind}:{order.id}:{order.version}",
        type=kind,
        occurred_at=at,
        subject=f"order/{order.id}",
        people={"customer": Person(phones=phones(order.phone))},
        data={"order.number": order.id, "order.total": order.total, "order.currency": order.currency},
    )


def phones(written: str) -> list[str]:
    return [written] if written.strip() else []
