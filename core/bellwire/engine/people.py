"""The people that texts go to, as the store knows them: consent, and how many texts they had."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain.consent import Standing
from bellwire.domain.decide import caps
from bellwire.domain.limits import Cap
from bellwire.domain.settle import Person
from bellwire.domain.tenant import Trigger
from bellwire.engine.configs import Held
from bellwire.model import Msisdn
from bellwire.store import contacts as stored
from bellwire.store import texted
from bellwire.store.types import AnyRow


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact that exists already. `numbered`: we hold its number; an erased one is a keyed hash."""

    id: UUID
    person: Person
    numbered: bool = True


def standing(row: AnyRow) -> Standing:
    """A contact row's consent, as the policy reads it."""
    row_by_name: Mapping[Any, Any] = row._mapping  # a copy would cost more than the reading
    return Standing.from_row(row_by_name)


def contacts(
    connection: sa.Connection, held: Held, numbers: Sequence[Msisdn], triggers: Iterable[Trigger], now: datetime
) -> dict[Msisdn, Contact]:
    """What the store knows of these numbers, counted for the caps of these triggers."""
    wanted = list(
        dict.fromkeys(
            (cap, trigger.id if cap.name.startswith("trigger_") else None) for trigger in triggers for cap in caps(trigger)
        )
    )
    return _known(connection, held, numbers, wanted, now)


def contacts_of(
    connection: sa.Connection, held: Held, numbers: Sequence[Msisdn], wanted: Sequence[Cap], now: datetime
) -> dict[Msisdn, Contact]:
    """What the store knows of these numbers, counted for these caps."""
    return _known(connection, held, numbers, [(cap, None) for cap in wanted], now)


def _known(
    connection: sa.Connection, held: Held, numbers: Sequence[Msisdn], wanted: Sequence[tuple[Cap, UUID | None]], now: datetime
) -> dict[Msisdn, Contact]:
    by_ix = {held.index.of(number): number for number in numbers}
    rows = stored.by_index(connection, held.config.id, list(by_ix))
    ids = [row.id for row in rows]
    counts = {
        cap.name: texted.made_since(connection, ids, now - timedelta(seconds=cap.window_s), trigger_id)
        for cap, trigger_id in (wanted if ids else ())
    }
    found = {}
    for row in rows:
        sent = {name: count[row.id] for name, count in counts.items()}
        found[by_ix[bytes(row.msisdn_ix)]] = Contact(row.id, Person(standing=standing(row), sent=sent), row.msisdn is not None)
    return found
