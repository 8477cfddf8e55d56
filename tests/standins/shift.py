"""Whoever does a desk's jobs, looking when the test says so, on the desk's clock."""

from __future__ import annotations

from typing import Any

from bellwire.engine.crew import Crew, Work
from bellwire.engine.presence import Presence
from bellwire.engine.writebacks import WriteBacks
from bellwire.store import schema
from standins.desk import Desk

TABLES = (schema.write_backs, schema.callbacks)


class Shift:
    """One process's worker row and crew."""

    def __init__(self, desk: Desk, work: Work | None = None, **more: Any) -> None:
        self.desk = desk
        self.presence = Presence(desk.engine, TABLES, clock=desk.clock.monotonic)
        work = work or WriteBacks(desk.engine, rand=lambda: 0.0)
        self.crew = Crew("jobs", desk.engine, work, self.presence, clock=desk.clock.monotonic, **more)

    def look(self) -> None:
        """Do all that is due now."""
        self.presence.step()
        assert self.crew.settle(20)

    def wait(self, seconds: float, *, every: float = 30.0) -> None:
        """Let time pass, looking now and then."""
        while seconds > 0:
            self.desk.clock.advance(min(every, seconds))
            seconds -= every
            self.look()
