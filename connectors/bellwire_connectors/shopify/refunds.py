"""Refund webhooks. The body knows the order's id and the money, not the person: the order is fetched."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from bellwire import Event

from .delivery import Body, Delivery, Moment, gid, text
from .shapes import Amount, MoneySet, currency, plain
from .shop import shop_data


class Transaction(Body):
    """One movement of money. `receipt` and payment details are not read."""

    kind: str | None = None
    status: str | None = None
    amount: Amount | None = None
    currency: str | None = None
    test: bool | None = None


class RefundLine(Body):
    """A refunded line; only its pair of amounts is used, `subtotal` is a JSON number."""

    subtotal_set: MoneySet | None = None


class Refund(Body):
    """The Refund body of `refunds/create`."""

    gid_kind = "Refund"

    id: int
    admin_graphql_api_id: str | None = None
    order_id: int
    note: str | None = None
    created_at: Moment | None = None
    processed_at: Moment | None = None
    transactions: list[Transaction] | None = None
    refund_line_items: list[RefundLine] | None = None


def refunded(delivery: Delivery) -> Sequence[Event]:
    """`refunds/create`, once a refund."""
    refund = delivery.parse(Refund)
    order = gid("Order", refund.order_id)
    number = gid("Refund", refund.id, refund.admin_graphql_api_id)
    amount, money = _amount(refund)
    return [
        delivery.event(
            "order.refunded",
            number,
            f"order/{order}",
            at=refund.processed_at or refund.created_at,
            data={
                "order.id": order,
                "refund.id": number,
                "refund.amount": amount,
                "refund.currency": money,
                "refund.reason": text(refund.note),
                **shop_data(delivery.installation),
            },
            fetch={"order": order, "refund": number},
            test=any(transaction.test for transaction in refund.transactions or []),
        )
    ]


def _amount(refund: Refund) -> tuple[str, str]:
    """What went back, of the transactions that did not fail; "" when nothing says it in one currency."""
    counted = [
        transaction
        for transaction in refund.transactions or []
        if transaction.kind == "refund" and transaction.status in {"success", "pending"} and transaction.amount is not None
    ]
    # the reference's own sample has null here; the lines' pair says which currency the buyer sees
    named = {currency(transaction.currency) or _line_currency(refund) for transaction in counted}
    if len(named) != 1:
        return "", ""
    total = sum((transaction.amount for transaction in counted if transaction.amount is not None), Decimal())
    return plain(total), named.pop()


def _line_currency(refund: Refund) -> str:
    shown = [line.subtotal_set.shown for line in refund.refund_line_items or [] if line.subtotal_set]
    return currency(shown[0].currency_code) if shown and shown[0] else ""
