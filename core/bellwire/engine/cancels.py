"""What follows from messages that are canceled with a platform's event: callbacks and write-backs, in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from bellwire.engine.configs import Held
from bellwire.engine.followups import Changes, change_of
from bellwire.store.schema import STATUS_OF
from bellwire.store.types import AnyRow

if TYPE_CHECKING:
    from bellwire.engine.runtime import Engine


class Following:
    """Follows up what one event cancels. `changes`: what the last transaction canceled, for those who watch it after the commit."""

    def __init__(self, engine: Engine, held: Held, now: datetime) -> None:
        self._engine, self._held, self._now = engine, held, now
        self._transaction: sa.RootTransaction | None = None
        self.changes: Changes = []

    def __call__(self, connection: sa.Connection, rows: Sequence[AnyRow], *, write_back: bool = True) -> None:
        """Add the jobs of canceled rows. `write_back` False: their platform is gone."""
        if connection.get_transaction() is not self._transaction:  # the one before was rolled back
            self._transaction, self.changes = connection.get_transaction(), []
        followups = self._engine.followups()
        for row in rows:
            change = change_of(row, STATUS_OF[row.status], self._now)
            followups.add(self._held.config, change if write_back else change._replace(installation_id=None))
        followups.insert(connection)
        self.changes += followups.changes
