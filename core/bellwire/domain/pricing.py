"""What a message costs: a carrier account's own price list, by country, for each segment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from bellwire.domain.country_codes import country_code
from bellwire.errors import FieldInvalid

_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)  # ISO 4217
_MAX_PRICE = Decimal(1000)
_MAX_DECIMALS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    """Prices of one segment by country (ISO 3166 alpha-2), `default` for the rest; None: not known."""

    currency: str
    by_country: Mapping[str, Decimal] = field(default_factory=dict)
    default: Decimal | None = None


def parse_prices(settings: Mapping[str, object], *, currency: str = "", place: str = "settings") -> PriceList | None:
    """The price list in an account's settings: `prices: {"CO": "0.012", "default": "0.05"}` and `currency`; None without one.

    `currency`: the tenant's, where the settings name none. Raises FieldInvalid naming `settings.prices.CO`.
    """
    prices = settings.get("prices")
    if prices is None:
        return None
    if not isinstance(prices, Mapping):
        raise FieldInvalid(f"{place}.prices", 'must be an object such as {"CO": "0.012", "default": "0.05"}')
    unit = settings.get("currency", currency)
    if not isinstance(unit, str) or not _CURRENCY.fullmatch(unit):
        raise FieldInvalid(f"{place}.currency", "must be a currency code of three capital letters, such as USD")
    amounts: dict[str, Decimal] = {}
    for country, raw in prices.items():
        where = f"{place}.prices.{str(country)[:20]}"
        code = country if country == "default" else country_code(country, where)
        if code in amounts:
            raise FieldInvalid(where, "is named twice")
        amounts[code] = _amount(raw, where)
    default = amounts.pop("default", None)
    return PriceList(currency=unit, by_country=amounts, default=default)


def price(segments: int, prices: PriceList | None, country: str) -> Decimal | None:
    """The price of a message, exact; None when the list doesn't tell. Fixed once, when the message is claimed."""
    if prices is None:
        return None
    each = prices.by_country.get(country, prices.default)
    return None if each is None else each * segments


def shown(amount: Decimal | str) -> str:
    """Money as it is shown, wherever it is: plain digits, at least two decimals, no more than it needs."""
    whole, _, rest = format(Decimal(amount).normalize(), "f").partition(".")
    return f"{whole}.{rest.ljust(2, '0')}"


def _amount(raw: object, where: str) -> Decimal:
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        raise FieldInvalid(where, 'must be an amount such as "0.012"')
    try:
        amount = Decimal(str(raw)[:40])
    except InvalidOperation as e:
        raise FieldInvalid(where, 'must be an amount such as "0.012"') from e
    # the range first: NaN compares false, and an exponent may be absurd
    if not amount.is_finite() or not 0 <= amount <= _MAX_PRICE or amount != round(amount, _MAX_DECIMALS):
        raise FieldInvalid(where, f"must be from 0 to {_MAX_PRICE} with at most {_MAX_DECIMALS} decimals")
    return amount
