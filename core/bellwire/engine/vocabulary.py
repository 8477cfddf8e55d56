"""The names that a template may use: documented ones, those of connectors' samples, those seen in the tenant's own events."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from bellwire.domain import event_fields
from bellwire.errors import BellwireError
from bellwire.model import Connector, Json
from bellwire.store import schema
from bellwire.store.tenancy import TenantConnection, scope
from bellwire.store.vault import Vault

_RECENT = 100  # events looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the tenant's triggers feed a template. `values`: the data of past events, newest first; personal."""

    events: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    values: Sequence[Mapping[str, Json]] = field(default=(), repr=False)


def seen(connection: TenantConnection, vault: Vault, connectors: Mapping[str, Connector], template: str) -> Seen:
    """What the triggers that use this template bring it, by their connectors' samples and by past events."""
    t = schema.triggers.c
    pairs = {
        (row.connector, row.event)
        for row in connection.execute(sa.select(t.connector, t.event, t.definition).where(scope(schema.triggers)))
        if row.definition.get("template") == template
    }
    values = past_values(connection, vault, pairs)
    names = {name for one in values for name in one}
    for connector, event in pairs:
        if connector in connectors:
            names |= sampled(connectors[connector]).get(event, frozenset())
    return Seen(events=frozenset(event for _, event in pairs), names=frozenset(names), values=values)


def past_values(connection: TenantConnection, vault: Vault, pairs: Collection[tuple[str, str]]) -> list[dict[str, Json]]:
    """The data of the newest events of these (connector, type)."""
    if not pairs:
        return []
    e = schema.events.c
    wanted = sa.or_(*(sa.and_(e.connector == connector, e.type == event) for connector, event in sorted(pairs)))
    statement = (
        sa.select(e.id, e.tenant_id, e.content)
        .where(scope(schema.events), wanted, e.content.is_not(None))
        .order_by(e.id.desc())
        .limit(_RECENT)
    )
    found: list[dict[str, Json]] = []
    for row in connection.execute(statement):
        content: dict[str, Any] = vault.open_json(row.content, row.tenant_id, "events.content", row.id)
        found.append(content["data"])
    return found


def sampled(connector: Connector) -> dict[str, frozenset[str]]:
    """Event type → the names that the connector's own samples give it."""
    from bellwire import testing  # files and a parser: only where a template is checked

    made = testing.installation(connector)
    found: dict[str, set[str]] = {}
    for name in testing.samples(connector.samples):
        try:
            events = connector.read(testing.sample(connector.samples, name), made)
        except BellwireError:
            continue  # a sample of what is refused
        for event in events:
            found.setdefault(event.type, set()).update(event.data)
    return {event: frozenset(names) for event, names in found.items()}


def known(seen_: Seen, connectors: Mapping[str, Connector], used: Collection[str]) -> frozenset[str]:
    """The names that are no mistake in a template that uses `used`."""
    names = set(seen_.names)
    if not seen_.events:
        for connector in connectors.values():
            for fields in sampled(connector).values():
                names |= fields
    return event_fields.known(seen_.events, names, used)
