"""One transaction of the pump: record what ended, beat, claim what may start.

Everything written here is computed from values that were made before the transaction (ids, attempts), so that a cycle that
must be repeated writes the same rows.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import sqlalchemy as sa

from bellwire.engine import purse
from bellwire.engine.accounts import Accounts
from bellwire.engine.calls import Finished, Job
from bellwire.engine.claiming import Claimer
from bellwire.engine.followups import Changes
from bellwire.engine.rates import Rates
from bellwire.engine.recording import Recorder
from bellwire.engine.runtime import Engine
from bellwire.store import charges as money
from bellwire.store import workers


@dataclass(slots=True)
class Cycled:
    """What a committed cycle leaves to do."""

    jobs: list[Job] = field(default_factory=list)
    changes: Changes = field(default_factory=list)
    alive: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """One cycle's inputs. `run` may be called again after a failed commit.

    `flying`: the calls under way, message → account, those in `finished` aside. `reclaim`: look for claims of ours that were
    committed without our knowing.
    """

    engine: Engine
    accounts: Accounts
    worker_id: UUID
    finished: Sequence[Finished]
    flying: Mapping[UUID, UUID]
    room: int
    rand: random.Random
    beat: bool
    reclaim: bool

    def run(self, connection: sa.Connection) -> Cycled:
        """Do it inside the transaction of `connection`."""
        now, clock = self.engine.now(), time.monotonic()
        done = Cycled()
        followups = self.engine.followups()
        self.accounts.refresh(connection, now)
        rates = Rates(self.engine, self.accounts, connection, now)
        refunds = list(Recorder(self.engine, self.accounts, connection, rates, followups, now, self.rand).run(self.finished))
        if self.beat:
            done.alive = workers.beat(connection, self.worker_id, now)
        if self.reclaim:
            refunds.extend(purse.unclaimed(self.accounts, workers.reclaim(connection, self.worker_id, self.flying.keys(), now)))
        money.move(connection, refunds, now)
        if self.room > 0 and done.alive:
            flying = Counter(self.flying.values())
            claimer = Claimer(
                self.engine, self.accounts, connection, rates, followups, now, clock=clock, worker_id=self.worker_id, flying=flying
            )
            done.jobs = claimer.run(self.room)
        followups.insert(connection)
        done.changes = followups.changes
        return done
