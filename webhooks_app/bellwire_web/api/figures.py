"""Money and figures: the balance, and how sending went over a period."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Annotated

from bellwire.domain import pricing
from bellwire.domain.scopes import Scope
from bellwire.errors import FieldInvalid
from bellwire.ids import show
from bellwire.model import Purpose, Status
from bellwire.store import money, telemetry
from bellwire.store.money import Entry
from bellwire.store.telemetry import Latency as Measured
from pydantic import Field

from bellwire_web.calls import Call
from bellwire_web.fields import Answer, Credit, Currency, LedgerId, Model, Money, Page, PageQuery, Time, Timestamp, next_cursor
from bellwire_web.operations import Routes

routes = Routes("figures", "Credit, and how sending went.")

_DAY, _LONGEST = timedelta(days=1), timedelta(days=31)


class Balance(Answer):
    """A tenant's credit. All null: none was ever set, and nothing is checked against it."""

    currency: str | None
    credit: Money | None
    reserved: Annotated[Money | None, Field(description="Taken by texts that are being sent now.")]
    spent: Money | None
    left: Money | None


class CreditRequest(Model):
    """Credit to add; negative takes some back."""

    amount: Credit
    currency: Currency
    note: Annotated[str, Field(max_length=200)] = ""


class LedgerEntry(Answer):
    """A line of the ledger; the lines' sum is what is left."""

    id: LedgerId
    kind: Annotated[str, Field(description="credit, charge or refund.")]
    amount: Money
    currency: str
    messages: int
    note: str
    at: Time


class LedgerPage(Page[LedgerEntry]):
    """The ledger, newest first."""


class StatusCount(Answer):
    """How many messages stand there."""

    status: Status
    count: int


class TrafficGroup(Answer):
    """The messages of one carrier in one country."""

    carrier: Annotated[str | None, Field(description="Null: none was chosen.")]
    country: str | None
    total: int
    delivered: int
    counts: list[StatusCount]


class Latency(Answer):
    """Milliseconds that so many percent stay below."""

    carrier: str | None
    count: int
    p50_ms: int | None
    p95_ms: int | None
    p99_ms: int | None


class LaneBacklog(Answer):
    """What waits in a lane now."""

    lane: Purpose
    waiting: int
    oldest_due: Time | None


class Telemetry(Answer):
    """How sending went. Backlog is of now, the rest of the period."""

    since: Time
    until: Time
    total: int
    counts: list[StatusCount]
    groups: list[TrafficGroup]
    calls: Annotated[list[Latency], Field(description="How long carriers took to answer.")]
    receipts: Annotated[list[Latency], Field(description="From when a text was due to its receipt of delivery.")]
    backlog: list[LaneBacklog]


class TelemetryQuery(Model):
    """The period: 24 hours when nothing is said, 31 days at most."""

    since: Timestamp | None = None
    until: Timestamp | None = None


@routes.get("/v1/balance", scope=Scope.BALANCE_READ)
def get_balance(call: Call) -> Balance:
    """Show what was given, what is reserved and spent, what is left."""
    with call.reading() as connection:
        found = money.balance(connection)
    if found is None:
        return Balance(currency=None, credit=None, reserved=None, spent=None, left=None)
    return Balance(
        currency=found.currency,
        credit=pricing.shown(found.credit),
        reserved=pricing.shown(found.reserved),
        spent=pricing.shown(found.spent),
        left=pricing.shown(found.left),
    )


@routes.post("/v1/balance/credits", scope=Scope.ADMIN, audit="balance.credited", example={"amount": "100.00", "currency": "USD"})
def add_credit(call: Call, body: CreditRequest) -> LedgerEntry:
    """Add credit. The first one switches the balance check on: without credit nothing is sent from then on."""
    return call.write(
        lambda connection: _entry(
            money.credit(
                connection, amount=Decimal(body.amount), currency=body.currency, note=body.note, actor=call.actor, now=call.now
            )
        )
    )


@routes.get("/v1/balance/ledger", scope=Scope.BALANCE_READ)
def list_ledger(call: Call, query: PageQuery) -> LedgerPage:
    """List credits and charges."""
    with call.reading() as connection:
        found = money.entries(connection, limit=query.limit, before=query.before)
    return LedgerPage(items=[_entry(one) for one in found.items], next=next_cursor(found.next))


@routes.get("/v1/telemetry", scope=Scope.TELEMETRY_READ)
def get_telemetry(call: Call, query: TelemetryQuery) -> Telemetry:
    """Show counts, times and backlog, by carrier and country."""
    until = query.until or call.now
    since = query.since or until - _DAY
    if not since < until:
        raise FieldInvalid("since", "must lie before until", "out_of_range")
    if until - since > _LONGEST:
        raise FieldInvalid("since", f"must lie within {_LONGEST.days} days of until", "out_of_range")
    with call.reading() as connection:
        found = telemetry.read(connection, since, until)
    return Telemetry(
        since=since,
        until=until,
        total=sum(found.counts.values()),
        counts=_counts(found.counts),
        groups=[
            TrafficGroup(
                carrier=group.carrier or None,
                country=group.country or None,
                total=sum(group.counts.values()),
                delivered=group.counts.get(Status.DELIVERED, 0),
                counts=_counts(group.counts),
            )
            for group in found.groups
        ],
        calls=[_latency(carrier, one) for carrier, one in found.calls.items()],
        receipts=[_latency(carrier, one) for carrier, one in found.receipts.items()],
        backlog=[LaneBacklog(lane=Purpose(one.lane), waiting=one.count, oldest_due=one.oldest_due) for one in found.backlog],
    )


def _counts(counts: Mapping[Status, int]) -> list[StatusCount]:
    return [StatusCount(status=status, count=counts[status]) for status in Status if status in counts]


def _latency(carrier: str, measured: Measured) -> Latency:
    return Latency(carrier=carrier or None, count=measured.count, p50_ms=measured.p50, p95_ms=measured.p95, p99_ms=measured.p99)


def _entry(entry: Entry) -> LedgerEntry:
    return LedgerEntry(
        id=show("led", entry.id),
        kind=entry.kind,
        amount=pricing.shown(entry.amount),
        currency=entry.currency,
        messages=entry.messages,
        note=entry.note,
        at=entry.at,
    )
