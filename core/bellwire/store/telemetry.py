"""How sending went over a period: counts, times, what waits. Read from the rows themselves, over a range of ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from bellwire.ids import first_id
from bellwire.model import Status
from bellwire.store import carrier_accounts, schema
from bellwire.store.schema import LANE_OF, STATUS_OF
from bellwire.store.tenancy import TenantConnection, scope
from bellwire.store.types import Instant

_m, _a, _d = schema.messages.c, schema.attempts.c, schema.dlrs.c
SAMPLES = 10_000  # the newest of each kind that percentiles are made from
_POINTS = (50, 95, 99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Messages of one carrier in one country. Both "" where there was none."""

    carrier: str
    country: str
    counts: Mapping[Status, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Milliseconds below which so many percent lie. `count` 0: nothing was measured."""

    count: int
    p50: int | None
    p95: int | None
    p99: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One lane's waiting messages."""

    lane: str
    count: int
    oldest_due: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """A period's figures. `calls`: the carriers' answers; `receipts`: from the send to the receipt of delivery."""

    counts: Mapping[Status, int]
    groups: Sequence[Group]
    calls: Mapping[str, Latency]
    receipts: Mapping[str, Latency]
    backlog: Sequence[Waiting]
    unknown: int


def read(connection: TenantConnection, since: datetime, until: datetime) -> Telemetry:
    """The figures of messages made in [since, until), and what waits now."""
    carriers = carrier_accounts.carriers(connection)
    groups = _groups(connection, since, until, carriers)
    counts: dict[Status, int] = {}
    for group in groups:
        for status, count in group.counts.items():
            counts[status] = counts.get(status, 0) + count
    return Telemetry(
        counts=counts,
        groups=groups,
        calls=_calls(connection, since, until, carriers),
        receipts=_receipts(connection, since, until, carriers),
        backlog=_backlog(connection),
        unknown=counts.get(Status.UNKNOWN, 0),
    )


def _groups(connection: TenantConnection, since: datetime, until: datetime, carriers: Mapping[UUID, str]) -> Sequence[Group]:
    rows = connection.execute(
        sa.select(_m.account_id, _m.country, _m.status, sa.func.count().label("many"))
        .where(scope(schema.messages), _m.id >= first_id(since), _m.id < first_id(until))
        .group_by(_m.account_id, _m.country, _m.status)
    )
    found: dict[tuple[str, str], dict[Status, int]] = {}
    for row in rows:
        counts = found.setdefault((carriers.get(row.account_id, ""), row.country or ""), {})
        status = STATUS_OF[row.status]
        counts[status] = counts.get(status, 0) + row.many
    return [Group(carrier=carrier, country=country, counts=counts) for (carrier, country), counts in sorted(found.items())]


def _calls(connection: TenantConnection, since: datetime, until: datetime, carriers: Mapping[UUID, str]) -> Mapping[str, Latency]:
    rows = connection.execute(
        sa.select(_a.account_id, _a.started_at, _a.ended_at)
        .where(scope(schema.attempts), _a.id >= first_id(since), _a.id < first_id(until), _a.ended_at.is_not(None))
        .order_by(_a.id.desc())
        .limit(SAMPLES)
    )
    return _by_carrier([(row.account_id, row.started_at, row.ended_at) for row in rows], carriers)


def _receipts(
    connection: TenantConnection, since: datetime, until: datetime, carriers: Mapping[UUID, str]
) -> Mapping[str, Latency]:
    rows = connection.execute(
        sa.select(_m.account_id, _m.send_at, _d.received_at)
        .select_from(schema.dlrs.join(schema.messages, _m.id == _d.message_id))
        .where(
            scope(schema.dlrs),
            scope(schema.messages),
            _d.id >= first_id(since),
            _d.id < first_id(until),
            _d.status == str(Status.DELIVERED),
        )
        .order_by(_d.id.desc())
        .limit(SAMPLES)
    )
    return _by_carrier([(row.account_id, row.send_at, row.received_at) for row in rows], carriers)


def _by_carrier(spans: Sequence[tuple[UUID, datetime, datetime]], carriers: Mapping[UUID, str]) -> Mapping[str, Latency]:
    found: dict[str, list[float]] = {}
    for account_id, start, end in spans:
        found.setdefault(carriers.get(account_id, ""), []).append((end - start).total_seconds() * 1000)
    return {carrier: latency(times) for carrier, times in sorted(found.items())}


def latency(times_ms: Sequence[float]) -> Latency:
    """Percentiles by nearest rank."""
    ordered = sorted(times_ms)
    if not ordered:
        return Latency(count=0, p50=None, p95=None, p99=None)
    at = [round(ordered[max(0, -(-len(ordered) * point // 100) - 1)]) for point in _POINTS]
    return Latency(count=len(ordered), p50=at[0], p95=at[1], p99=at[2])


def _backlog(connection: TenantConnection) -> Sequence[Waiting]:
    rows = {
        row.lane: row
        for row in connection.execute(
            sa.select(_m.lane, sa.func.count().label("many"), sa.func.min(_m.due, type_=Instant).label("oldest"))
            .where(scope(schema.messages), sa.text("messages.status < 2"))
            .group_by(_m.lane)
        )
    }
    return [
        Waiting(
            lane=str(lane),
            count=rows[code].many if code in rows else 0,
            oldest_due=rows[code].oldest if code in rows else None,
        )
        for code, lane in LANE_OF.items()
    ]
