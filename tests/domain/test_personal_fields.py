"""Which event fields are personal: by the role they stand under, or by their own name."""

from __future__ import annotations

import pytest
from bellwire.domain.personal import is_personal, is_vocabulary

PERSONAL = [
    "customer.country", "customer.first_name", "requester.first_name", "recipient.name", "worker.name", "agent.first_name",
    "owner.email", "manager.phone", "contact.email", "contact.last_name", "lead.company", "deal.name", "order.email", "order.phone",
    "order.shipping.city", "order.billing_address", "order.note", "ticket.subject", "ticket.latest_comment", "case.subject",
    "previous.customer.tags", "previous.ticket.subject", "order.customerName", "Customer.status", "tracking.url", "payment.card",
    "task.title", "verification.code",
]  # fmt: skip
PLAIN = [
    "order.total", "order.number", "order.item_count", "order.currency", "fulfillment.status", "ticket.status", "ticket.id",
    "deal.stage", "deal.amount", "lead.status", "contact.type", "previous.deal.stage", "timecard.hours", "shift.starts_at",
    "payment.amount", "task.due_at", "tracking.number", "order.company_size", "changed",
]  # fmt: skip


@pytest.mark.parametrize("name", PERSONAL)
def test_personal(name: str) -> None:
    assert is_personal(name)
    assert not is_vocabulary(name)


@pytest.mark.parametrize("name", PLAIN)
def test_plain(name: str) -> None:
    assert not is_personal(name)


@pytest.mark.parametrize(
    ("name", "told"), [("deal.stage", True), ("order.total", False), ("customer.status", False), ("status", True)]
)
def test_vocabulary_is_never_personal(name: str, told: bool) -> None:
    assert is_vocabulary(name) is told
