"""How many texts have left for the people of a batch: what events that came together could not see of each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain import decide, limits
from bellwire.domain.limits import Cap
from bellwire.domain.tenant import TenantConfig, Trigger
from bellwire.model import Purpose
from bellwire.store import texted
from bellwire.store.types import AnyRow

_GUARD = (limits.RUNAWAY,)


class Caps:
    """The counts inside one cycle's transaction. What the cycle itself starts is counted with `goes`."""

    def __init__(self, connection: sa.Connection, now: datetime) -> None:
        self._connection, self._now = connection, now
        self._triggers: dict[UUID, dict[UUID, Trigger]] = {}
        self._caps: dict[UUID, tuple[Cap, ...]] = {}  # by trigger
        self._gone: dict[int, dict[UUID, int]] = {}  # by window and contact
        self._gone_by_trigger: dict[tuple[Cap, UUID], int] = {}
        self._going: dict[UUID, int] = {}  # by contact
        self._going_by_trigger: Counter[tuple[UUID, UUID]] = Counter()

    def count(self, config: TenantConfig, rows: Sequence[AnyRow]) -> None:
        """Count for these rows, one statement for each window."""
        contacts: dict[int, set[UUID]] = {}
        for row in rows:
            for cap in self._of(config, row):
                if _own(cap):
                    since = self._now - timedelta(seconds=cap.window_s)
                    if (cap, row.contact_id) not in self._gone_by_trigger:
                        gone = texted.gone_since(self._connection, [row.contact_id], since, row.trigger_id)
                        self._gone_by_trigger[cap, row.contact_id] = gone[row.contact_id]
                else:
                    contacts.setdefault(cap.window_s, set()).add(row.contact_id)
        for window_s, some in contacts.items():
            known = self._gone.setdefault(window_s, {})
            some -= known.keys()
            if some:
                known |= texted.gone_since(self._connection, some, self._now - timedelta(seconds=window_s))

    def of(self, config: TenantConfig, row: AnyRow) -> tuple[tuple[Cap, ...], Mapping[str, int]]:
        """A row's caps, and the count for each."""
        caps = self._of(config, row)
        return caps, {cap.name: self._count(cap, row) for cap in caps}

    def goes(self, config: TenantConfig, row: AnyRow) -> None:
        """It starts in this cycle: it counts for those that follow."""
        self._going[row.contact_id] = self._going.get(row.contact_id, 0) + 1
        if len(self._of(config, row)) > 1 and row.trigger_id is not None:
            self._going_by_trigger[row.contact_id, row.trigger_id] += 1

    def _count(self, cap: Cap, row: AnyRow) -> int:
        if _own(cap):
            return self._gone_by_trigger[cap, row.contact_id] + self._going_by_trigger[row.contact_id, row.trigger_id]
        return self._gone[cap.window_s][row.contact_id] + self._going.get(row.contact_id, 0)

    def _of(self, config: TenantConfig, row: AnyRow) -> tuple[Cap, ...]:
        trigger_id = row.trigger_id
        if trigger_id is None:
            return limits.OTP_CAPS if row.purpose == Purpose.OTP else _GUARD
        caps = self._caps.get(trigger_id)
        if caps is None:
            if config.id not in self._triggers:
                self._triggers[config.id] = {one.id: one for some in config.triggers.values() for one in some}
            trigger = self._triggers[config.id].get(trigger_id)
            caps = self._caps[trigger_id] = decide.caps(trigger) if trigger is not None else _GUARD
        return caps


def _own(cap: Cap) -> bool:
    """Whether it counts a trigger's own texts only."""
    return cap.name.startswith("trigger_")
