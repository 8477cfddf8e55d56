"""Who an order is about: phones in the order of preference, and the countries a number without `+` is read by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bellwire import ConsentHint, Installation, Person

from .delivery import gid, text
from .shapes import Address, Customer, country, locale


def buyer(
    *,
    phone: str | None,
    email: str | None,
    customer: Customer | None,
    shipping: Address | None,
    billing: Address | None,
    language: str | None,
    installation: Installation,
    marketing: Sequence[str | None] = (),
    consents: Sequence[ConsentHint] = (),
) -> Person:
    """The person who bought.

    Phones: the contact given at checkout, shipping (not a gift's: it is somebody else's), the account, billing, the
    account's default address. Marketing consent belongs to the account's number and to those in `marketing` only.
    """
    home = address_of(customer)
    account = customer.phone if customer else None
    return Person(
        ref=customer_ref(customer),
        name=full_name(customer, billing, home, None if is_gift(shipping, billing) else shipping),
        phones=distinct(
            phone,
            None if shipping is None or is_gift(shipping, billing) else shipping.phone,
            account,
            billing.phone if billing else None,
            home.phone if home else None,
        ),
        marketing_phones=distinct(*marketing, account),
        email=text(email) or text(customer.email if customer else None),
        locale=locale(language) or installation.locale,
        countries=countries(shipping, billing, home, installation=installation),
        consents=consents,
    )


def receiver(
    *,
    phone: str | None,
    shipping: Address | None,
    billing: Address | None,
    customer: Customer | None,
    language: str | None,
    installation: Installation,
) -> Person:
    """The person who gets the parcel: the shipping phone, then the contact given at checkout.

    No marketing number: nobody opted in by being sent a parcel.
    """
    return Person(
        name=full_name(shipping) or full_name(customer, billing),
        phones=distinct(shipping.phone if shipping else None, phone),
        marketing_phones=(),
        locale=locale(language) or installation.locale,
        countries=countries(shipping, billing, address_of(customer), installation=installation),
    )


def is_gift(shipping: Address | None, billing: Address | None) -> bool:
    """Whether the parcel goes to somebody else than who pays: both names are known and differ."""
    to, payer = full_name(shipping).casefold(), full_name(billing).casefold()
    return bool(to and payer) and to != payer


def customer_ref(customer: Customer | None) -> str:
    """The customer's gid, "" for a guest."""
    return gid("Customer", customer.id, customer.admin_graphql_api_id) if customer and customer.id is not None else ""


def address_of(customer: Customer | None) -> Address | None:
    """The customer's default address."""
    home = customer.default_address if customer else None
    return home if isinstance(home, Address) else None


def first_and_last(*sources: Address | Customer | None) -> tuple[str, str]:
    """First and last name by the first source that has either."""
    for source in sources:
        first, last = (text(source.first_name), text(source.last_name)) if source else ("", "")
        if first or last:
            return first, last
    return "", ""


def full_name(*sources: Address | Customer | None) -> str:
    """First and last name in one, by the first source that has either; an address may have just `name`."""
    for source in sources:
        if source is None:
            continue
        parts = f"{text(source.first_name)} {text(source.last_name)}".strip()
        whole = parts or (text(source.name) if isinstance(source, Address) else "")
        if whole:
            return " ".join(whole.split())
    return ""


def distinct(*phones: str | None) -> tuple[str, ...]:
    """The numbers as written, each once, in order.

    A field of more than 40 characters holds more than a number, and cut it might hold somebody else's.
    """
    return tuple(dict.fromkeys(one for one in map(text, phones) if 0 < len(one) <= 40))


def countries(*addresses: Address | None, installation: Installation) -> tuple[str, ...]:
    """The countries of the addresses in order, then the shop's."""
    found: Iterable[str] = (country(one.country_code) for one in addresses if one)
    return tuple(dict.fromkeys(filter(None, (*found, installation.country))))
