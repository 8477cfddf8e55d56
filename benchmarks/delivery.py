"""Claim → recorded carrier answer against a bare aiohttp loop to the same carrier: python benchmarks/delivery.py

All logic on: consent, quiet hours, expiry, rate, balance, attempts. COUNT, ROUNDS, BACKLOG, DATABASES change the size.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import aiohttp
import rig
import sqlalchemy as sa
from bellwire.engine import sending
from bellwire.engine.pump import Pump
from bellwire.ids import new_id
from bellwire.model import CarrierAccount, Encoding, HttpCall, Msisdn, Outgoing, Purpose
from bellwire.store import schema

COUNT = int(os.environ.get("COUNT", "5000"))
BACKLOG = int(os.environ.get("BACKLOG", "500000"))
IN_FLIGHT = 128


def main() -> None:
    for database in rig.DATABASES:
        with rig.simulated_carrier("--latency-ms", "20", "--dlr", "none") as url:
            _compare(database, url)
            _behind_backlog(database, url)


def _compare(database: str, url: str) -> None:
    ours, bare = [], []
    with rig.site(database, carrier_url=url) as site:
        for _ in range(rig.ROUNDS):
            bare.append(asyncio.run(_bare(site, url)))
            ours.append(_deliver(site))
    rig.report(f"{database}: bare aiohttp loop", bare, "msg/s")
    rig.report(f"{database}: delivery", ours, "msg/s")
    rig.report(f"{database}: delivery / bare loop", [a / b for a, b in zip(ours, bare, strict=True)], "ratio", ">= 0.60")


def _behind_backlog(database: str, url: str) -> None:
    """The same while many messages wait: for a later time, and for an account that is paused."""
    for label, blocked in (("due later, same account", False), ("due now, of a paused account", True)):
        free, behind = [], []
        with rig.site(database, carrier_url=url) as site:
            for _ in range(rig.ROUNDS):
                free.append(_deliver(site))
            _pile_up(site, BACKLOG, blocked=blocked)
            for _ in range(rig.ROUNDS):
                behind.append(_deliver(site))
        rig.report(
            f"{database}: behind {BACKLOG:,} {label} / free", [a / b for a, b in zip(behind, free, strict=True)], "ratio", ">= 0.90"
        )


def _deliver(site: rig.Site) -> float:
    """Messages a second from the pump's start until all answers are recorded."""
    _send(site, COUNT)
    before = _recorded(site)
    pump = Pump(site.engine)
    started = time.perf_counter()
    pump.start()
    while _recorded(site) - before < COUNT:
        time.sleep(0.01)
    took = time.perf_counter() - started
    pump.drain()
    return COUNT / took


def _send(site: rig.Site, count: int) -> list[str]:
    """Store messages to different people; the pump is not running."""
    ids = []
    for start in range(0, count, 500):
        made = [
            sending.SendRequest(
                to=f"+1202{2_000_000 + start + number:07d}", body=f"Your order #{start + number} is on its way to you"
            )
            for number in range(min(500, count - start))
        ]
        ids.extend(one.hex for one in sending.send(site.engine, site.tenant_id, made) if not isinstance(one, Exception))
    return ids


def _recorded(site: rig.Site) -> int:
    """How many answers are recorded so far, over all rounds."""
    with site.engine.store.engine.connect() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(schema.attempts)).scalar() or 0)


def _pile_up(site: rig.Site, count: int, *, blocked: bool) -> None:
    """Copies of one waiting message, straight into the table."""
    (shown,) = _send(site, 1)
    store = site.engine.store
    m = schema.messages
    with store.engine.connect().execution_options(writes=True) as connection, connection.begin():
        row = dict(connection.execute(sa.select(m).where(m.c.id == UUID(hex=shown))).one()._mapping)
        account = row["account_id"]
        if blocked:
            account = new_id()
            other = dict(connection.execute(sa.select(schema.carrier_accounts)).first()._mapping)  # type: ignore[union-attr]  # there is one
            connection.execute(
                sa.insert(schema.carrier_accounts),
                {
                    **other,
                    "id": account,
                    "key_hash": os.urandom(32),
                    "status": "paused",
                    "key_sealed": store.vault.seal("k", other["tenant_id"], "carrier_accounts.key_sealed", account),
                    "credentials": store.vault.seal_json({}, other["tenant_id"], "carrier_accounts.credentials", account),
                },
            )
        later = row["due"] + timedelta(days=1)
        row |= {"account_id": account, "due": row["due"] if blocked else later, "expires_at": later + timedelta(days=1)}
        for start in range(0, count, 10_000):
            connection.execute(sa.insert(m), [{**row, "id": new_id()} for _ in range(min(10_000, count - start))])
        connection.execute(sa.delete(m).where(m.c.id == UUID(hex=shown)))
        connection.execute(sa.update(schema.tenants).values(config_version=schema.tenants.c.config_version + 1))
    if store.engine.dialect.name == "postgresql":
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("ANALYZE messages")


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
