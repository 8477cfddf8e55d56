"""Shapes that several bodies share: addresses, customers, money. pydantic stays behind the readers."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field

from .delivery import Body, text

_COUNTRY = re.compile(r"[A-Za-z]{2}", re.ASCII)
_CURRENCY = re.compile(r"[A-Za-z]{3}", re.ASCII)
_LOCALE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}", re.ASCII)

#: An amount; bounded, so that "1E+999999" is refused and not written out.
Amount = Annotated[Decimal, Field(max_digits=24, decimal_places=8)]

#: Real checkouts show `[]` where an address is missing.
NoAddress = Annotated[list[Any], Field(max_length=0)]


class Address(Body):
    """A shipping, billing, default or destination address."""

    first_name: str | None = None
    last_name: str | None = None
    name: str | None = None
    phone: str | None = None
    city: str | None = None
    country_code: str | None = None


class Customer(Body):
    """The customer inside an order or checkout. Null fields are common: guests, and apps without protected-data approval."""

    id: int | None = None
    admin_graphql_api_id: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    default_address: Address | NoAddress | None = None


class Money(Body):
    """An amount in one currency."""

    amount: Amount
    currency_code: str


class MoneySet(Body):
    """The amount in the shop's currency and in the buyer's; the buyer is told what the buyer paid."""

    presentment_money: Money | None = None
    shop_money: Money | None = None

    @property
    def shown(self) -> Money | None:
        """The buyer's amount."""
        return self.presentment_money or self.shop_money


class LineItem(Body):
    """One line of an order or checkout."""

    title: str | None = None
    quantity: int | None = None


def address(value: Address | list[Any] | None) -> Address | None:
    """The address, None for null and for `[]`."""
    return value if isinstance(value, Address) else None


def plain(amount: Decimal) -> str:
    """A decimal string without an exponent, with the digits the platform wrote: `404.95`, and `20` for VND."""
    return format(amount, "f")


def country(value: str | None) -> str:
    """ISO 3166 alpha-2 in capitals, "" for anything else."""
    return value.upper() if value and _COUNTRY.fullmatch(value) else ""


def currency(value: str | None) -> str:
    """ISO 4217 in capitals, "" for anything else."""
    return value.upper() if value and _CURRENCY.fullmatch(value) else ""


def locale(value: str | None) -> str:
    """A language tag as Shopify writes it (`es`, `en-CA`, `pt-BR`), "" for anything else."""
    return value if value and _LOCALE.fullmatch(value) else ""


def items(lines: list[LineItem] | None, limit: int = 50) -> list[dict[str, Any]]:
    """The lines for a template's loop; cut at `limit`, a text never lists more."""
    return [{"title": text(line.title), "quantity": line.quantity or 0} for line in (lines or [])[:limit]]


def item_count(lines: list[LineItem] | None) -> int:
    """How many things were bought: the quantities together."""
    return sum(line.quantity or 0 for line in lines or [])
