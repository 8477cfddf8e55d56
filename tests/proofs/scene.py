"""What a proof plays with: a world whose texts go to the simulated carrier over HTTP, and all that the carrier has seen of them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from bellwire.engine import dlrs
from bellwire.errors import StoreUnavailable
from bellwire.ids import parse_id, show
from bellwire.model import Event, Status, WebhookRequest
from bellwire.plugins import load_plugins
from bellwire.proving import fleet as fleets
from bellwire.proving.fleet import Fleet
from bellwire.proving.killing import under_way
from bellwire.store import schema
from bellwire.store.database import reading
from simulated_carrier import Receiver, Simulator, receiver, simulator
from standins.world import SECRET, World, number, order

SID, TOKEN = f"AC{'0' * 32}", "t" * 32
PRICE_MICROS = 1_000


@dataclass(frozen=True, slots=True)
class Scene:
    """The carrier does not recognise a repeated reference: a second send is a second text, and is counted."""

    world: World
    carrier: Simulator
    callbacks: Receiver
    fleet: Fleet
    account: UUID
    shop: UUID
    credit_micros: int

    def report(self, first: int, count: int) -> None:
        """The shop reports so many shipped orders, each of another person, in one request."""
        self.world.take(self.shop, *(self.event(place) for place in range(first, first + count)))

    @contextmanager
    def reporting(self, *, each: int = 10, every_s: float = 0.2) -> Iterator[list[int]]:
        """The shop goes on reporting orders meanwhile; how many it was told are taken. What is refused it repeats."""
        taken, stop, broken = [0], threading.Event(), list[BaseException]()

        def report() -> None:
            while not stop.wait(every_s):
                try:
                    self.report(taken[0], each)
                    taken[0] += each
                except StoreUnavailable:
                    continue
                except BaseException as e:
                    broken.append(e)
                    return

        thread = threading.Thread(target=report, daemon=True)
        thread.start()
        try:
            yield taken
        finally:
            stop.set()
            thread.join()
        assert broken == []

    def event(self, place: int) -> Event:
        return order(place, phone=number(place))

    def sends(self) -> Counter[UUID]:
        """How often the carrier took each message."""
        return Counter({parse_id("msg", ref): count for ref, count in self.carrier.stats["refs"].items()})

    def calls(self) -> list[dict[str, Any]]:
        """All the carrier's calls."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.carrier.get(f"/log?since={found[-1]['call'] if found else 0}")["calls"]
            if not page:
                return found
            found += page

    def by_status(self, status: Status) -> set[UUID]:
        m = schema.messages.c
        return {row.id for row in self.world.all(sa.select(m.id).where(m.status == schema.STATUS_CODES[status]))}

    def lost(self) -> set[UUID]:
        """Messages that the carrier never got and of which nobody says that they may be there."""
        return {row.id for row in self.world.messages()} - self.by_status(Status.UNKNOWN) - self.sends().keys()

    def twice(self) -> set[UUID]:
        """Messages that the carrier took more than once."""
        return {one for one, count in self.sends().items() if count > 1}

    def is_quiet(self) -> bool:
        """Whether nothing waits and nothing is being sent."""
        statuses = self.world.statuses()
        return not any(statuses[name] for name in ("scheduled", "queued", "sending"))

    def money(self) -> tuple[int, int]:
        """The balance, and the sum of the ledger, as of one moment."""
        b, entries = schema.balances.c, schema.ledger.c
        total = sa.select(sa.func.sum(entries.micros)).where(entries.tenant_id == self.world.tenant_id).scalar_subquery()
        row = self.world.one(
            sa.select(b.micros, sa.cast(total, sa.BigInteger).label("total")).where(b.tenant_id == self.world.tenant_id)
        )
        return row.micros, row.total

    def deliver_receipts(self) -> int:
        """Hand over every receipt the carrier has sent so far, as the web would; how many."""
        carrier, found = self.world.plugins.carriers["twilio"], list(self.callbacks.requests)
        account = self.world.carrier_account(self.account)
        assert carrier.read_dlrs is not None
        for request in found:
            carrier.verify(request, account, datetime.now(UTC))
            message_id = parse_id("msg", _path(request).rpartition("/")[2])
            receipts = dlrs.read(account, carrier.read_dlrs(request, account), message_id, datetime.now(UTC))
            dlrs.accept(self.world.engine, receipts)
        return len(found)

    def in_flight_at(self, kills: Sequence[float], slack_s: float = 0.0) -> set[UUID]:
        """Messages whose calls were under way at one of these moments, by the carrier's log."""
        return under_way(self.calls(), kills, slack_s)

    def shown(self, message_id: UUID) -> str:
        return show("msg", message_id)


def _path(request: WebhookRequest) -> str:
    return request.url.partition("?")[0]


@contextmanager
def scene(url: str, folder: Path, *, latency_ms: float = 20.0, credit: str = "1000", **settings: Any) -> Iterator[Scene]:
    """Everything up but the workers."""
    with simulator("--latency-ms", str(latency_ms), "--account", f"{SID}:{TOKEN}") as carrier, receiver() as callbacks:
        world = World(url, plugins=load_plugins(only=("sandbox", "shopify", "twilio")))
        try:
            credentials = {"account_sid": SID, "auth_token": TOKEN}
            limits = {"rate": 5_000, "burst": 1_000, "prices": {"default": "0.001"}, "sender_id": "+15550100001"}
            account = world.account("twilio", credentials=credentials, base_url=carrier.base_url, **{**limits, **settings})
            world.credit(credit)
            shop = world.installation()
            world.template()
            world.trigger("fulfillment.shipped")
            with Fleet(fleets.settings(url, secret=SECRET, public_url=callbacks.url), folder) as fleet:
                yield Scene(world, carrier, callbacks, fleet, account, shop, int(float(credit) * 1_000_000))
        finally:
            world.close()


def database(world: World) -> str:
    with reading(world.engine.store.engine) as connection:
        return str(connection.dialect.name)
