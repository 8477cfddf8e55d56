"""Claim → recorded carrier answer against a bare aiohttp loop to the same carrier: python benchmarks/delivery.py

All logic on: consent, quiet hours, expiry, rate, balance, attempts. On PostgreSQL by one process and by as many `bellwire work` as
there are cores, too. COUNT, ROUNDS, BACKLOG, DATABASES change the size.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

import aiohttp
import rig
import sqlalchemy as sa
from bellwire.engine import sending
from bellwire.engine.pump import Pump
from bellwire.ids import new_id, show
from bellwire.model import CarrierAccount, Encoding, HttpCall, Msisdn, Outgoing, Purpose
from bellwire.store import schema
from bellwire.store.workers import beats

COUNT = int(os.environ.get("COUNT", "5000"))
BACKLOG = int(os.environ.get("BACKLOG", "500000"))
IN_FLIGHT = 128
WORKERS = os.cpu_count() or 1


def main() -> None:
    for database in rig.DATABASES:
        with rig.simulated_carrier("--latency-ms", "20", "--dlr", "none") as url:
            _compare(database, url)
            if database == "postgresql":
                _compare_workers(database, url)
            if BACKLOG:
                _behind_backlog(database, url)


def _compare(database: str, url: str) -> None:
    ours, bare = [], []
    with rig.site(database, carrier_url=url) as site:
        for _ in range(rig.ROUNDS):
            bare.append(asyncio.run(_bare(site, url)))
            ours.append(_deliver(site).rate)
    rig.report(f"{database}: bare aiohttp loop", bare, "msg/s")
    rig.report(f"{database}: delivery", ours, "msg/s")
    rig.report(f"{database}: delivery / bare loop", [a / b for a, b in zip(ours, bare, strict=True)], "ratio", ">= 0.60")


def _compare_workers(database: str, url: str) -> None:
    """The same by processes of their own: one and the same tenant, account and balance."""
    ours, bare = [], []
    with rig.site(database, carrier_url=url) as site, _workers(site, WORKERS) as workers:
        _deliver_by_workers(site)  # the first round loads what is loaded on first use
        for _ in range(rig.ROUNDS):
            with _halted(workers):  # they look for work even where there is none
                bare.append(asyncio.run(_bare(site, url)))
            ours.append(_deliver_by_workers(site))
    rig.report(f"{database}: delivery by {WORKERS} workers", ours, "msg/s")
    shown = f"{database}: delivery by {WORKERS} workers / bare loop"
    rig.report(shown, [a / b for a, b in zip(ours, bare, strict=True)], "ratio", ">= 0.60")


def _behind_backlog(database: str, url: str) -> None:
    """The same in two databases in turn: one in which nothing waits, and one in which many messages do."""
    with rig.site(database, carrier_url=url) as free, rig.site(database, carrier_url=url, place=2) as full:
        for one in (free, full):
            _deliver(one)  # the first round loads what is loaded on first use
        waiting = 0
        for label, paused in (("due later, same account", False), ("and as many due now of a paused account", True)):
            _pile_up(full, BACKLOG, paused=paused)
            waiting += BACKLOG
            rates, cpu = [], []
            for number in range(rig.ROUNDS):
                rounds = {}
                for one in (free, full) if number % 2 else (full, free):
                    rounds[one.tenant_id] = _deliver(one)
                rates.append(rounds[full.tenant_id].rate / rounds[free.tenant_id].rate)
                cpu.append(rounds[full.tenant_id].cpu_us / rounds[free.tenant_id].cpu_us)
            if _waiting(full) != waiting:
                raise RuntimeError("what waits was touched")
            shown = f"{database}: behind {BACKLOG:,} {label} / free"
            rig.report(shown, rates, "ratio", ">= 0.90")
            # tells more than the rate on a machine that does other things, too; a PostgreSQL's own is not in it
            rig.report(f"{shown}, CPU of this process", cpu, "ratio", "<= 1.10")


@dataclass(frozen=True)
class Round:
    """`rate`: messages a second from the pump's start until all answers are recorded; `cpu_us`: what one of them cost us."""

    rate: float
    cpu_us: float


def _deliver(site: rig.Site) -> Round:
    """Let a pump deliver so many messages."""
    _send(site, COUNT)
    pump = Pump(site.engine)
    started, cpu = time.perf_counter(), time.process_time()
    pump.start()
    _wait_for_all(site)
    took = time.perf_counter() - started
    cpu = time.process_time() - cpu
    pump.drain()
    return Round(COUNT / took, cpu / COUNT * 1_000_000)


def _deliver_by_workers(site: rig.Site) -> float:
    """Let the workers deliver so many messages, which are all due at one moment; messages a second from then on."""
    due = site.engine.now() + timedelta(seconds=COUNT / 1_000 + 3)
    _send(site, COUNT, send_at=due)
    early_s = (due - site.engine.now()).total_seconds()
    if early_s <= 0:
        raise RuntimeError("the messages were due before all of them were stored")
    time.sleep(early_s)  # until they are due
    started = time.perf_counter()
    _wait_for_all(site)
    return COUNT / (time.perf_counter() - started)


@contextmanager
def _workers(site: rig.Site, number: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """So many `bellwire work`, ready."""
    command = [sys.executable, "-m", "bellwire", "work"]
    environ = {**os.environ, **site.environ}
    started = [subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(number)]
    try:
        ends = time.monotonic() + 60
        while _living(site) < number:
            if time.monotonic() > ends:
                raise RuntimeError("the workers did not come up")
            time.sleep(0.1)  # between two looks: they are coming up
        yield started
    finally:
        for one in started:
            one.terminate()
        for one in started:
            one.wait(40)


@contextmanager
def _halted(processes: Sequence[subprocess.Popen[bytes]]) -> Iterator[None]:
    """Let processes stand still meanwhile."""
    for one in processes:
        one.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for one in processes:
            one.send_signal(signal.SIGCONT)


def _living(site: rig.Site) -> int:
    with site.engine.store.engine.connect() as connection:
        return len(beats(connection))


_people = count()  # nobody is texted twice: a day's orders come from as many buyers, and how many texts one got is counted


def _send(site: rig.Site, number: int, **more: Any) -> list[UUID]:
    """Store messages to so many people who were never texted; the pump is not running. The messages' ids."""
    ids: list[UUID] = []
    for start in range(0, number, 500):
        made = [
            sending.SendRequest(
                to=f"+1202{2_000_000 + next(_people):07d}", body=f"Your order #{place} is on its way to you", **more
            )
            for place in range(start, min(start + 500, number))
        ]
        ids += [one for one in sending.send(site.engine, site.tenant_id, made) if isinstance(one, UUID)]
    return ids


def _wait_for_all(site: rig.Site) -> None:
    """Come back when everything is recorded."""
    while not _all_recorded(site):
        time.sleep(0.01)  # to look is work on the same two cores


def _all_recorded(site: rig.Site) -> bool:
    """Whether nothing is due and nothing under way any more: two probes of an index."""
    m = schema.messages.c
    due = sa.select(m.id).where(
        m.account_id == site.account_id,
        m.lane == schema.LANES[Purpose.TRANSACTIONAL],
        sa.text("messages.status < 2"),
        m.due <= site.engine.now(),
    )
    under_way = sa.select(m.id).where(sa.text("messages.status = 2"))
    with site.engine.store.engine.connect() as connection:
        return not any(connection.execute(one.limit(1)).first() for one in (under_way, due))


def _waiting(site: rig.Site) -> int:
    """How many messages wait."""
    with site.engine.store.engine.connect() as connection:
        return int(
            connection.execute(sa.select(sa.func.count()).select_from(schema.messages).where(sa.text("status < 2"))).scalar() or 0
        )


def _pile_up(site: rig.Site, number: int, *, paused: bool) -> None:
    """So many waiting messages, straight into the tables: copies of one, each to a person of its own."""
    [copied] = _send(site, 1)
    store, m, c = site.engine.store, schema.messages, schema.contacts
    with store.engine.connect().execution_options(writes=True) as connection, connection.begin():
        if _is_postgres(connection):
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        one = connection.execute(sa.select(m).where(m.c.id == copied)).one()
        series = sa.select(sa.literal(0).label("number")).cte("series", recursive=True)
        series = series.union_all(sa.select(series.c.number + 1).where(series.c.number < number - 1))
        id_of, person_of = (_ids(connection, new_id(), series.c.number) for _ in range(2))
        person = {"id": person_of, "msisdn_ix": sa.func.uuid_send(person_of) if _is_postgres(connection) else person_of}
        _copy(connection, c, one.contact_id, series, person)
        later = one.due + timedelta(days=1)
        changed = {
            "id": id_of,
            "contact_id": person_of,
            "account_id": sa.literal(_paused_account(site, connection) if paused else site.account_id, m.c.id.type),
            # an instant is stored as microseconds; none is due at the same one
            "due": sa.literal(one.due - timedelta(hours=1) if paused else later, m.c.due.type).op("+")(series.c.number),
            "expires_at": sa.literal(later + timedelta(days=1), m.c.due.type),
            # the other account has refused them: they have no other way
            "tried": sa.literal([show("acc", site.account_id)] if paused else None, m.c.tried.type),
        }
        _copy(connection, m, one.id, series, changed)
        connection.execute(sa.delete(m).where(m.c.id == one.id))
        connection.execute(sa.update(schema.tenants).values(config_version=schema.tenants.c.config_version + 1))
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # what the database would do by itself in a while
        connection.exec_driver_sql("VACUUM ANALYZE" if _is_postgres(connection) else "PRAGMA wal_checkpoint(TRUNCATE)")


def _copy(connection: sa.Connection, table: sa.Table, row_id: UUID, series: sa.CTE, changed: dict[str, Any]) -> None:
    """Insert a row again for each number of a series, `changed` by it."""
    columns = [changed.get(column.name, column) for column in table.c]
    rows = sa.select(*columns).select_from(table.join(series, sa.true())).where(table.c.id == row_id)
    connection.execute(sa.insert(table).from_select(list(table.c), rows, include_defaults=False))


def _is_postgres(connection: sa.Connection) -> bool:
    return connection.dialect.name == "postgresql"


def _ids(connection: sa.Connection, base: UUID, number: sa.ColumnElement[int]) -> sa.ColumnElement[Any]:
    """Ids that sort as they are made: the first half of `base`, then a number."""
    if _is_postgres(connection):
        return sa.cast(sa.literal(f"{base.hex[:16]}8") + sa.func.lpad(sa.func.to_hex(number), 15, "0"), sa.Uuid)
    raw, name = connection.connection.dbapi_connection, f"id_{base.hex}"
    head = base.bytes[:8] + b"\x80"
    raw.create_function(name, 1, lambda place: head + place.to_bytes(7), deterministic=True)  # type: ignore[union-attr]  # sqlite3's own
    return sa.Function(name, number)


def _paused_account(site: rig.Site, connection: sa.Connection) -> UUID:
    """One more account at the carrier, which takes nothing."""
    vault, account = site.engine.store.vault, new_id()
    other = dict(connection.execute(sa.select(schema.carrier_accounts)).first()._mapping)  # type: ignore[union-attr]  # there is one
    changed = {
        "id": account,
        "key_hash": os.urandom(32),
        "status": "paused",
        "key_sealed": vault.seal("k", other["tenant_id"], "carrier_accounts.key_sealed", account),
        "credentials": vault.seal_json({}, other["tenant_id"], "carrier_accounts.credentials", account),
    }
    connection.execute(sa.insert(schema.carrier_accounts), {**other, **changed})
    return account


async def _bare(site: rig.Site, url: str) -> float:
    """The same calls, made before, by nothing but aiohttp."""
    calls = _calls(site, url)
    queue = iter(calls)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:

        async def worker() -> None:
            for call in queue:
                async with session.post(call.url, data=call.body, headers=call.headers) as answer:
                    await answer.read()

        started = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
        return len(calls) / (time.perf_counter() - started)


def _calls(site: rig.Site, url: str) -> Sequence[HttpCall]:
    carrier = site.engine.plugins.carriers["sandbox"]
    account = CarrierAccount(
        id=site.account_id,
        tenant_id=site.tenant_id,
        carrier="sandbox",
        credentials={"api_key": "bench"},
        secrets=("bench",),
        settings={"base_url": url},
    )
    if carrier.build is None:
        raise RuntimeError("the sandbox builds calls")
    made = []
    for number in range(COUNT):
        message_id = new_id()
        message = Outgoing(
            message_id=message_id,
            ref=f"msg_{message_id.hex}",
            msisdn=Msisdn(f"+1202{2_000_000 + number:07d}"),
            text=f"Your order #{number} is on its way to you",
            encoding=Encoding.GSM7,
            segments=1,
            sender_id="",
            purpose=Purpose.TRANSACTIONAL,
            validity_s=86_400,
        )
        made.append(carrier.build([message], account))
    return made


if __name__ == "__main__":
    main()
