"""Once a second: who died, what is in doubt, what waits for an account that takes nothing."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.engine import orphans
from bellwire.engine.accounts import Accounts
from bellwire.engine.followups import Changes, Followups
from bellwire.engine.notes import noted
from bellwire.engine.routes import backup_for, way_key
from bellwire.engine.runtime import Engine
from bellwire.ids import show
from bellwire.model import Reason, Status
from bellwire.store import dispatch, workers
from bellwire.store.dispatch import Place
from bellwire.store.doubt import WHY
from bellwire.store.schema import STATUS_CODES
from bellwire.store.types import AnyRow

log = logging.getLogger(__name__)

WALK, WALK_LEAST = 250, 20  # messages looked at in one sweep: of all accounts that take nothing together, and of each
DEAD_S = 5.0  # a worker whose beat stood still for so long, by our own clock, is dead
PAUSE_S = 5.0  # when we did not look for so long ourselves, nobody is judged by that time


@dataclass(slots=True)
class Watch:
    """When each worker's beat was last seen to change, on our monotonic clock."""

    beats: dict[UUID, tuple[int, float]] = field(default_factory=dict)
    looked_at: float = 0.0

    def dead(self, seen: dict[UUID, int], now: float) -> list[UUID]:
        """Workers whose beat has not moved for DEAD_S seconds. After a pause of our own nobody is judged by it."""
        if now - self.looked_at >= PAUSE_S:
            self.beats.clear()
        self.looked_at = now
        for worker, beat in seen.items():
            known = self.beats.get(worker)
            if known is None or known[0] != beat:
                self.beats[worker] = (beat, now)
        for gone in self.beats.keys() - seen.keys():
            del self.beats[gone]
        return [worker for worker, (_, since) in self.beats.items() if now - since >= DEAD_S]


class Sweep:
    """The statements of one sweep, inside the pump's transaction. `places`: how far each blocked account's messages were seen."""

    def __init__(self, engine: Engine, accounts: Accounts, watch: Watch, places: dict[UUID, Place]) -> None:
        self._engine, self._accounts, self._watch, self._places = engine, accounts, watch, places
        self.more = False  # so many could be moved on that the next sweep should not wait

    def run(self, connection: sa.Connection, clock: float, worker_id: UUID) -> Changes:
        """Sweep. `clock`: monotonic seconds."""
        followups = self._engine.followups()
        now = self._engine.now()
        self.more = False
        for worker in self._watch.dead(workers.beats(connection), clock):
            if worker != worker_id and workers.remove(connection, worker):
                log.warning("a worker died", extra={"worker": worker.hex})
        orphans.settle(connection, self._accounts, followups, now)
        idle = [
            account.value.id
            for account in self._accounts.in_turn()
            if not self._accounts.takes_any(account) or not self._accounts.is_healthy(account.value.id)
        ]
        for account_id in idle:
            self._walk(connection, account_id, now, followups, max(WALK_LEAST, WALK // len(idle)))
        followups.insert(connection)
        return followups.changes

    def _walk(self, connection: sa.Connection, account_id: UUID, now: datetime, followups: Followups, limit: int) -> None:
        """Look at some of what waits for an account that takes nothing: end what is over, give the rest to its backup where the
        route has one. The next sweep goes on where this one ends, so that a long queue costs each of them the same.
        """
        found = dispatch.stranded(connection, account_id, now, self._places.pop(account_id, None), limit)
        changed = []
        here = show("acc", account_id)
        backups: dict[tuple[Any, ...], tuple[UUID, str] | None] = {}
        for row in found:
            config = self._accounts.config(row.tenant_id)
            if row.expires_at <= now:
                status, reason = (Status.UNKNOWN, None) if row.doubt else (Status.EXPIRED, Reason.EXPIRED)
                self._follow(followups, row, status, now, reason)
                detail = f"its time was over, and {here} takes nothing now" + (f"; {WHY}" if row.doubt else "")
                note = {"step": "claim", "outcome": str(status), "detail": detail}
                changed.append({**_row(row, note, now), "status": STATUS_CODES[status], "reason": reason and str(reason)})
                continue
            if row.doubt:  # the person may have it: only the carrier that was asked can tell that it is the same text
                continue
            tried = [*(row.tried or ()), here]
            key = (row.tenant_id, *tried, *way_key(row))
            if key not in backups:
                carriers, is_healthy = self._engine.plugins.carriers, self._accounts.is_healthy
                backups[key] = backup_for(config, carriers, is_healthy, row, tried) if config is not None else None
            backup = backups[key]
            if backup:
                note = {"step": "claim", "outcome": "rerouted", "detail": f"{here} takes nothing now"}
                changed.append({**_row(row, note, now), "account": backup[0], "sender": backup[1]})
        dispatch.settle(connection, changed, now)
        if len(found) == limit:
            last = found[-1]
            self._places[account_id] = (last.lane, last.due, last.id)
            self.more = self.more or bool(changed)

    def _follow(self, followups: Followups, row: AnyRow, status: Status, now: datetime, reason: Reason | None = None) -> None:
        config = self._accounts.config(row.tenant_id)
        if config is not None:
            followups.moved(config, row, status, now, reason)


def _row(row: AnyRow, note: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    return {
        "id": row.id,
        "status": None,
        "reason": None,
        "due": row.due,
        "account": row.account_id,
        "sender": row.sender_id,
        "notes": noted(row.notes, note, now),
    }
