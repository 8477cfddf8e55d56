"""Weekly cutoffs: for everybody in the staff directory the next timecard gets its deadline, before anybody can miss it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from bellwire.domain import deadlines
from bellwire.domain.cutoffs import Cutoff, next_cutoff
from bellwire.domain.deadlines import Deadline
from bellwire.domain.staff import Entry
from bellwire.engine.configs import Held
from bellwire.engine.deadlines import rules_of, set_new
from bellwire.engine.rows import stamp
from bellwire.engine.runtime import Engine
from bellwire.model import Installation, Person
from bellwire.store import deadlines as stored
from bellwire.store import staff
from bellwire.store.database import reading

EVERY_S = 900.0  # who comes into the directory later than that before a cutoff is asked the week after
_BATCH = 200
_FIRST = UUID(int=0)


class Cutoffs:
    """The jobs' loop. It looks at all people now and then: setting what is set already changes nothing."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._idle_until = 0.0

    def step(self) -> int:
        """Set what is not set yet, if it is time to look; 0: there is nothing to do at once after it. Raises StoreUnavailable."""
        if time.monotonic() >= self._idle_until:
            self._idle_until = time.monotonic() + EVERY_S
            plan_all(self._engine)
        return 0


def plan_all(engine: Engine) -> int:
    """Set the next cutoff's deadlines of all tenants; how many were new."""
    from bellwire.engine import intake

    with reading(engine.store.engine) as connection:
        ids = stored.tenants_with_cutoffs(connection)
    made = 0
    for tenant_id in ids:
        with reading(engine.store.engine) as connection:
            held = intake.configured(engine, connection, tenant_id)
        for found in held.config.installations.values():
            rule = rules_of(found.value).cutoff
            if rule is not None and found.status == "active":
                made += _plan(engine, held, found.value, rule)
    return made


def _plan(engine: Engine, held: Held, installation: Installation, rule: Cutoff) -> int:
    made = 0
    for people in _pages(engine, held.config.id):
        now = engine.now()
        zone = installation.timezone or held.config.timezone or "UTC"
        made += set_new(engine, held.config.id, installation.id, [_deadline(rule, one, zone, now) for one in people], now)
    return made


def _pages(engine: Engine, tenant_id: UUID) -> Iterator[list[Entry]]:
    last = _FIRST
    while True:
        with engine.store.for_tenant(tenant_id).reading() as connection:
            rows = staff.after(connection, engine.vault, last, _BATCH)
        if not rows:
            return
        yield [one.entry for one in rows]
        last = rows[-1].id


def _deadline(rule: Cutoff, one: Entry, zone: str, now: datetime) -> Deadline:
    """One worker's."""
    zone = one.timezone or zone
    due = next_cutoff(rule, zone, now)
    person = Person(ref=one.ref)  # the rest is looked up when it is due: the newest number is texted
    data = {
        "worker.id": one.ref,
        "timecard.period_start": due.start.isoformat(),
        "timecard.period_end": due.end.isoformat(),
        "timecard.period_timezone": zone,
        "timecard.due_at": stamp(due.at),
    }
    about = deadlines.period_of(one.ref, due.start.isoformat())
    return deadlines.missing(
        {"customer": person, "worker": person}, {k: v for k, v in data.items() if v}, about, due.at, f"worker/{one.ref}"
    )
