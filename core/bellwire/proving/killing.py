"""Workers are killed at random moments while they send: what is lost, sent twice, or left in doubt, by the carrier's own log.

The carrier is `bellwire simulate-carrier`, a process of its own. It does not recognise a repeated reference: a second send is a
second text, and is counted.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import sqlalchemy as sa

from bellwire.config import load
from bellwire.engine import sending
from bellwire.engine.process import open_store
from bellwire.engine.runtime import Engine
from bellwire.errors import BellwireError, ConfigInvalid
from bellwire.ids import parse_id
from bellwire.model import Status
from bellwire.plugins import load_plugins
from bellwire.proving.fleet import Fleet, settings
from bellwire.store import Store, carrier_accounts, migrate, money, schema, tenants
from bellwire.store.database import reading, sqlite_path
from bellwire.store.schema import STATUS_OF

ACCOUNT = {"account_sid": f"AC{'0' * 32}", "auth_token": "prove" * 6 + "00"}  # of the simulated carrier, which takes no other
PRICE = Decimal("0.001")
LATENCY_MS = 20.0
BATCH = 20  # texts stored at once
QUIET_S = 90.0  # nothing waits any more by then: a dead worker is found after five seconds
SLACK_S = 0.25  # between the carrier's log and what a busy machine lets the worker see of it
_NOWHERE = "http://127.0.0.1:9"  # receipts are not asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What a run came to. Times in seconds; `balance_off`: the tenant's balance against what was sent, in millionths."""

    database: str
    workers: int
    kills: int
    texts: int
    took_s: float
    at_the_carrier: int
    lost: int
    twice: int
    stuck: int
    unknown: int
    under_way: int
    unknown_not_under_way: int
    balance_off: int

    @property
    def kept(self) -> bool:
        """Whether nothing was lost, doubled, stuck, miscounted, or in doubt without a reason."""
        return not any((self.lost, self.twice, self.stuck, self.unknown_not_under_way, self.balance_off))


class Unfinished(BellwireError):
    """Something still waited, or was being sent, when nothing should have been any more."""


def run(url: str, folder: Path, *, kills: int, texts: int, workers: int, done: Callable[[int], None], seed: int = 7) -> Counted:
    """Do it on an empty database, which stays as it is afterwards. `done`: told of each kill.

    Raises ConfigInvalid (the database is not empty), NotUp, Unfinished, StoreUnavailable.
    """
    began = time.monotonic()
    _empty(url)
    with _carrier() as carrier, _opened(url, folder) as (store, environment):
        engine = Engine(load(environment, folder), store, load_plugins(only=("twilio",)))
        tenant_id = _furnished(engine, carrier, texts)
        with Fleet(environment, folder) as fleet:
            fleet.start(workers)
            killed, made = _kill_under_load(engine, tenant_id, fleet, kills, texts, done, random.Random(seed))  # noqa: S311  # moments, not secrets
            _until_quiet(engine)
            for worker in fleet.ready():
                fleet.stop(worker)
        status, micros = _found(engine, tenant_id)
        return count(
            killed=killed,
            made=made,
            status=status,
            micros=micros,
            calls=carrier.calls(),
            database=store.engine.dialect.name,
            workers=workers,
            took_s=time.monotonic() - began,
        )


def _kill_under_load(
    engine: Engine,
    tenant_id: UUID,
    fleet: Fleet,
    kills: int,
    texts: int,
    done: Callable[[int], None],
    dice: random.Random,
) -> tuple[list[float], list[UUID]]:
    """When somebody was killed, and the texts that were stored meanwhile."""
    made: list[UUID] = []
    killed: list[float] = []
    pause_s, next_kill = LATENCY_MS / 1000, time.monotonic() + dice.uniform(0.1, 1.0)
    while len(made) < texts or len(killed) < kills:
        if len(made) < texts * (len(killed) + 1) / (kills + 1) or len(killed) == kills:  # some for each kill
            made += _stored(engine, tenant_id, len(made), min(BATCH, texts - len(made)))
        if len(killed) < kills and time.monotonic() >= next_kill:
            fleet.wait_for_one()
            time.sleep(dice.uniform(0.0, 5 * pause_s))  # the moment itself
            killed.append(fleet.kill(dice.choice(fleet.ready())))
            fleet.start(wait=False)
            done(1)
            next_kill = time.monotonic() + dice.uniform(0.2, 1.0)
        time.sleep(pause_s)  # texts come at a pace, as events do
    return killed, made


def _stored(engine: Engine, tenant_id: UUID, first: int, count: int) -> list[UUID]:
    wanted = [
        sending.SendRequest(to=f"+99890{1_000_000 + place:07d}", body=f"Text {place}") for place in range(first, first + count)
    ]
    return [one for one in sending.send(engine, tenant_id, wanted) if isinstance(one, UUID)]


# -- what is counted ------------------------------------------------------------------------------------------------


def count(
    *,
    killed: Sequence[float],
    made: Sequence[UUID],
    status: Mapping[UUID, Status],
    micros: int,
    calls: Sequence[Mapping[str, Any]],
    database: str,
    workers: int,
    took_s: float,
) -> Counted:
    """What happened, from what the database says in the end and what the carrier has logged.

    `killed`: when, wall seconds; `micros`: the balance that is left; `calls`: as the simulator's `/log` gives them.
    """
    sends = Counter(parse_id("msg", ref) for call in calls for ref in call["refs"])
    unknown = {one for one, its in status.items() if its is Status.UNKNOWN}
    paid = len(unknown) + sum(its is Status.SENT for its in status.values())
    return Counted(
        database=database,
        workers=workers,
        kills=len(killed),
        texts=len(made),
        took_s=round(took_s, 1),
        at_the_carrier=len(sends),
        lost=len(set(made) - sends.keys() - unknown),
        twice=sum(count > 1 for count in sends.values()),
        stuck=sum(its is Status.SENDING for its in status.values()),
        unknown=len(unknown),
        under_way=len(under_way(calls, killed, 0.0)),
        unknown_not_under_way=len((unknown & sends.keys()) - under_way(calls, killed, SLACK_S)),
        balance_off=int(micros - (_credit(len(made)) - paid * PRICE) * 1_000_000),
    )


def under_way(calls: Sequence[Mapping[str, Any]], killed: Sequence[float], slack_s: float) -> set[UUID]:
    """Messages whose calls the carrier's log (the simulator's `/log`) has under way at a kill. `killed`: wall seconds."""
    return {
        parse_id("msg", ref)
        for call in calls
        if any(call["started"] - slack_s <= at <= (call["ended"] or at) + slack_s for at in killed)
        for ref in call["refs"]
    }


def _found(engine: Engine, tenant_id: UUID) -> tuple[dict[UUID, Status], int]:
    m, b = schema.messages.c, schema.balances.c
    with reading(engine.store.engine) as connection:
        status = {row.id: STATUS_OF[row.status] for row in connection.execute(sa.select(m.id, m.status))}
        return status, connection.execute(sa.select(b.micros).where(b.tenant_id == tenant_id)).scalar_one()


def _waiting(engine: Engine) -> int:
    with reading(engine.store.engine) as connection:
        return int(connection.execute(sa.text("SELECT count(*) FROM messages WHERE status <= 2")).scalar_one())


def _until_quiet(engine: Engine) -> None:
    ends = time.monotonic() + QUIET_S
    while waiting := _waiting(engine):
        if time.monotonic() > ends:
            raise Unfinished(f"{waiting} texts still wait or are being sent after {QUIET_S:g} s")
        time.sleep(0.1)


# -- the stage ------------------------------------------------------------------------------------------------------


def _empty(url: str) -> None:
    """Bring the schema into an empty database. Raises ConfigInvalid when something is in it."""
    path = sqlite_path(url)
    engine = None if path is not None else sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"))
    if engine is not None:
        found = sa.inspect(engine).get_table_names()
        engine.dispose()
        if found:
            raise ConfigInvalid(
                f"the database holds tables ({', '.join(sorted(found)[:3])} …): give an empty one, it is filled with texts"
            )
    migrate.upgrade(url)


@contextmanager
def _opened(url: str, folder: Path) -> Iterator[tuple[Store, Mapping[str, str]]]:
    environment = settings(url, secret=os.urandom(32), public_url=_NOWHERE)
    store = open_store(load(environment, folder))
    try:
        yield store, environment
    finally:
        store.close()


def _credit(texts: int) -> int:
    return texts + 1  # far more than they cost


def _furnished(engine: Engine, carrier: _Carrier, texts: int) -> UUID:
    """A tenant with credit and an account at the carrier."""
    now, vault = datetime.now(UTC), engine.vault
    tenant = engine.write(lambda c: tenants.create(c, vault, slug="prove", country="UZ", now=now))
    scoped = engine.store.for_tenant(tenant.id)
    scoped.write(
        lambda c: carrier_accounts.create(
            c,
            vault,
            engine.plugins.carriers["twilio"],
            name="simulated",
            credentials=ACCOUNT,
            settings={
                "base_url": carrier.base_url,
                "sender_id": "+15550100001",
                "rate": 5_000,
                "burst": 1_000,
                "prices": {"default": str(PRICE)},
                "currency": "USD",
            },
            allow_private=True,
            actor="prove",
            now=now,
        )
    )
    scoped.write(lambda c: money.credit(c, amount=Decimal(_credit(texts)), currency="USD", note="", actor="prove", now=now))
    return tenant.id


class _Carrier:
    """The simulated one. `base_url` for an account's settings."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url

    def calls(self) -> list[dict[str, Any]]:
        """All calls it has had."""
        found: list[dict[str, Any]] = []
        while page := self._page(found[-1]["call"] if found else 0):
            found += page
        return found

    def _page(self, since: int) -> list[dict[str, Any]]:
        connection = http.client.HTTPConnection(urlsplit(self.base_url).netloc, timeout=10)
        try:
            connection.request("GET", f"/log?since={since}")
            page: list[dict[str, Any]] = json.loads(connection.getresponse().read())["calls"]
            return page
        finally:
            connection.close()


@contextmanager
def _carrier() -> Iterator[_Carrier]:
    account = f"{ACCOUNT['account_sid']}:{ACCOUNT['auth_token']}"
    options = ["--port", "0", "--with-parent", "--latency-ms", str(LATENCY_MS), "--dlr", "none", "--account", account]
    command = [sys.executable, "-m", "bellwire", "simulate-carrier", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  # our own command
        try:
            line = process.stdout.readline() if process.stdout is not None else ""
            yield _Carrier(json.loads(line)["listening"])
        finally:
            process.terminate()
            process.wait(10)
