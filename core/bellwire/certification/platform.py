"""A platform for one rule: the author's stand-in or the generic server, an installation at it, and links to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from bellwire.certification.link import KitLink, Stored
from bellwire.certification.watch import Watch
from bellwire.model import Connector, Installation, Status, StatusChange
from bellwire.testing import NOW, SECRET, FixedClock
from bellwire.testing.fault_server import FaultServer
from bellwire.testing.standins import StandIn


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """How one write went. `error`: what the connector raised; `waited_s`: how long it slept; `calls`: how many came there."""

    error: Exception | None
    waited_s: float
    calls: int


@dataclass(slots=True, kw_only=True)
class Platform:
    """One rule's platform. `generic`: nobody wrote it for this connector."""

    connector: Connector
    stand_in: StandIn
    stored: Stored
    clock: FixedClock
    watch: Watch
    generic: bool
    statuses: int = field(default=0)

    def link(self) -> KitLink:
        """The next job's link."""
        return KitLink(self.stored, self.clock.now)

    def change(self, subject: str, status: Status = Status.DELIVERED) -> StatusChange:
        """What became of one text, always the same."""
        return StatusChange(
            message_id="msg_0190000000007000800000000000000a",
            status=status,
            at=NOW,
            subject=subject,
            trigger="certification",
            msisdn_tail="01",
        )

    def write(self, *changes: StatusChange) -> Written:
        """One job: write statuses back."""
        write_back = self.connector.write_back
        if write_back is None:
            raise AssertionError("asked to write without write_back")
        return self.run(lambda: write_back(changes, self.link()))

    def run(self, call: Callable[[], object]) -> Written:
        """One job of any kind. Nothing leaves this machine, and waiting takes no time."""
        waited, calls, error = self.watch.waited_s, self.stand_in.calls(), None
        try:
            with self.watch.network(loopback=True), self.watch.sleep():
                call()
        except Exception as e:  # whatever a connector does is judged
            error = e
        return Written(error=error, waited_s=self.watch.waited_s - waited, calls=self.stand_in.calls() - calls)


@contextmanager
def platform(
    connector: Connector,
    made: Installation,
    make: Callable[[], StandIn] | None,
    *,
    subject: Callable[[], str],
    roots: frozenset[str],
) -> Iterator[Platform]:
    """A started platform with the connector installed at it: `made`, but for what the stand-in wants.

    `subject`: what the generic server's samples are about.
    """
    clock = FixedClock()
    stand_in = make() if make is not None else FaultServer(subject())
    stand_in.now = clock.now
    stand_in.start()
    try:
        credentials = {**made.credentials, **stand_in.credentials()}
        if make is None:
            lacking = [one.name for one in connector.fields if one.kind is str and one.name not in credentials]
            credentials |= {name: f"made-up-{name}" for name in lacking if not name.endswith("_at")}
        secret = credentials.get(connector.secret_field) or SECRET
        made = replace(
            made,
            credentials=credentials,
            secrets=(secret,) if isinstance(secret, str) else tuple(secret),
            settings={**made.settings, **stand_in.settings(), "base_url": stand_in.url},
        )
        stored = Stored(made)
        try:
            yield Platform(
                connector=connector, stand_in=stand_in, stored=stored, clock=clock, watch=Watch(roots), generic=make is None
            )
        finally:
            stored.http.close()
    finally:
        stand_in.stop()
