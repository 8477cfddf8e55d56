"""Customer webhooks: made, changed, merged, and the one that carries SMS consent."""

from __future__ import annotations

from collections.abc import Sequence

from bellwire import ConsentHint, ConsentState, Event, Installation, Json, Person, Purpose

from .delivery import Body, Delivery, Moment, digest, gid, gid_of, stamp, text
from .people import countries, distinct, full_name
from .shapes import Address, NoAddress, address
from .shop import shop_data

#: sms_marketing_consent.state → ours. not_subscribed (never was) and pending (double opt-in not confirmed) state nothing.
CONSENT_STATES = {
    "subscribed": ConsentState.OPTED_IN,
    "unsubscribed": ConsentState.OPTED_OUT,
    "redacted": ConsentState.OPTED_OUT,  # the person's data is erased there, and with it what allowed a text
}


class Account(Body):
    """The Customer body. `tags` and consent left it in 2025-01."""

    gid_kind = "Customer"

    id: int
    admin_graphql_api_id: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    state: str | None = None
    tags: str | None = None
    created_at: Moment | None = None
    updated_at: Moment | None = None
    default_address: Address | NoAddress | None = None


class SmsConsent(Body):
    """What a customer said about marketing texts; every field may be null."""

    state: str | None = None
    opt_in_level: str | None = None
    consent_updated_at: Moment | None = None
    consent_collected_from: str | None = None


class Consenting(Body):
    """The body of `customers_marketing_consent/update`."""

    id: int
    phone: str | None = None
    sms_marketing_consent: SmsConsent | None  # may be null; a body without it is another topic's


class Merge(Body):
    """The body of `customers/merge`."""

    admin_graphql_api_customer_kept_id: str
    admin_graphql_api_customer_deleted_id: str
    status: str | None = None


def created(delivery: Delivery) -> Sequence[Event]:
    """`customers/create`, once a customer."""
    account = delivery.parse(Account)
    number = gid("Customer", account.id, account.admin_graphql_api_id)
    return [_event(delivery, account, number, "customer.created", number)]


def updated(delivery: Delivery) -> Sequence[Event]:
    """`customers/update`, once for each state that a trigger can see: our own metafield and consent writes are none."""
    account = delivery.parse(Account)
    number = gid("Customer", account.id, account.admin_graphql_api_id)
    home = address(account.default_address)
    state = digest(
        account.first_name, account.last_name, account.email, account.phone, account.state, account.tags, home and home.phone
    )
    return [_event(delivery, account, number, "customer.updated", f"{number}:{state}")]


def consented(delivery: Delivery) -> Sequence[Event]:
    """`customers_marketing_consent/update`: the consent of the account's own number.

    Where the account has none any more, an opt-out is about the numbers that it had; an opt-in is about nothing.
    What we wrote comes back with the time we gave it, so it is never newer than the ledger's own statement.
    """
    account = delivery.parse(Consenting)
    consent = account.sms_marketing_consent or SmsConsent()
    number = gid("Customer", account.id)
    state, level = text(consent.state).lower(), text(consent.opt_in_level).lower()
    phones = distinct(account.phone)
    hints = _hints(delivery, consent, f"customer/{number} {state} {level}".strip())
    return [
        delivery.event(
            "customer.consent_changed",
            _fact(delivery, account, consent, number),
            f"customer/{number}",
            at=consent.consent_updated_at,
            people={
                "customer": Person(
                    ref=number,
                    phones=phones,
                    marketing_phones=phones,
                    locale=delivery.installation.locale,
                    countries=countries(installation=delivery.installation),
                    consents=hints if phones else [one for one in hints if one.state is ConsentState.OPTED_OUT],
                )
            },
            data={
                "customer.id": number,
                "consent.purpose": Purpose.MARKETING.value,
                "consent.state": state,
                "consent.level": level,
                "consent.at": stamp(consent.consent_updated_at),
                "consent.source": text(consent.consent_collected_from).lower(),
                **shop_data(delivery.installation),
            },
        )
    ]


def _fact(delivery: Delivery, account: Consenting, consent: SmsConsent, number: str) -> str:
    """The statement and its time; without one, what it says.

    An opt-out without its own time is of the delivery's: the same words again may end an opt-in that came between. Where
    nothing tells when, each delivery of it counts: better told twice than not heard.
    """
    state, at = text(consent.state).lower(), consent.consent_updated_at
    if at is None and _said(consent) is ConsentState.OPTED_OUT:
        at = delivery.triggered_at
        if at is None:
            return ""
    words = (account.phone, text(consent.opt_in_level).lower(), text(consent.consent_collected_from).lower())
    return f"{number}:{state}:{stamp(at) if at else digest(*words)}"


def _said(consent: SmsConsent) -> ConsentState | None:
    return CONSENT_STATES.get(text(consent.state).lower())


def _hints(delivery: Delivery, consent: SmsConsent, proof: str) -> Sequence[ConsentHint]:
    """The statement. One without its own time counts when it is an opt-out, from when it happened or reached us.

    An opt-in without its time may be older than a STOP, so it states nothing.
    """
    said, at = _said(consent), consent.consent_updated_at
    if said is ConsentState.OPTED_OUT:
        at = at or delivery.triggered_at or delivery.received_at
    if said is None or at is None:
        return ()
    return (ConsentHint(purpose=Purpose.MARKETING, state=said, at=at, source="shopify", proof=proof),)


def merged(delivery: Delivery) -> Sequence[Event]:
    """`customers/merge`; a merge that failed or is under way tells nothing yet."""
    merge = delivery.parse(Merge)
    kept = gid_of("Customer", merge.admin_graphql_api_customer_kept_id, "admin_graphql_api_customer_kept_id", delivery.topic)
    lost = gid_of("Customer", merge.admin_graphql_api_customer_deleted_id, "admin_graphql_api_customer_deleted_id", delivery.topic)
    if (merge.status or "").lower() != "completed":
        return []
    return [
        delivery.event(
            "person.merged",
            f"{kept}:{lost}",
            f"customer/{kept}",
            at=None,
            people={"customer": Person(ref=kept)},
            data={"person.kept_ref": kept, "person.lost_ref": lost},
        )
    ]


def person_of(account: Account, number: str, installation: Installation) -> Person:
    """The customer. Marketing goes to the account's number only."""
    home = address(account.default_address)
    return Person(
        ref=number,
        name=" ".join(filter(None, (text(account.first_name), text(account.last_name)))) or full_name(home),
        phones=distinct(account.phone, home.phone if home else None),
        marketing_phones=distinct(account.phone),
        email=text(account.email),
        locale=installation.locale,
        countries=countries(home, installation=installation),
    )


def data_of(account: Account, number: str, installation: Installation) -> dict[str, Json]:
    """The documented fields of a customer event."""
    return {
        "customer.id": number,
        "customer.first_name": text(account.first_name),
        "customer.last_name": text(account.last_name),
        "customer.email": text(account.email),
        "customer.state": text(account.state),
        "customer.tags": None if account.tags is None else [text(tag) for tag in account.tags.split(",")[:250] if text(tag)],
        "customer.created_at": stamp(account.created_at),
        **shop_data(installation),
    }


def _event(delivery: Delivery, account: Account, number: str, event_type: str, fact: str) -> Event:
    return delivery.event(
        event_type,
        fact,
        f"customer/{number}",
        at=account.updated_at or account.created_at,
        people={"customer": person_of(account, number, delivery.installation)},
        data=data_of(account, number, delivery.installation),
    )
