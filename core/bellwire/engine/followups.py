"""What a change of status brings with it, in the same transaction: write-back and callback jobs."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain.status import is_final
from bellwire.domain.tenant import TenantConfig
from bellwire.ids import new_id, show
from bellwire.model import Connector, Installation, Reason, Status
from bellwire.store import schema
from bellwire.store.types import AnyRow
from bellwire.store.vault import Vault

log = logging.getLogger(__name__)


class Change(NamedTuple):
    """One message that moved. Ids and words only: what is personal is read when the job runs."""

    message_id: UUID
    status: Status
    at: datetime
    reason: str = ""
    installation_id: UUID | None = None
    subject: str = ""
    customer_ref: str = ""
    trigger_id: UUID | None = None
    reference: str = ""
    event_id: UUID | None = None


def change_of(row: AnyRow, status: Status, at: datetime, reason: Reason | None = None) -> Change:
    """A message row's change of status."""
    return Change(
        message_id=row.id,
        status=status,
        at=at,
        reason=str(reason or ""),
        installation_id=row.installation_id,
        subject=row.subject or "",
        customer_ref=row.customer_ref or "",
        trigger_id=row.trigger_id,
        reference=row.reference or "",
        event_id=row.event_id,
    )


#: Changes by tenant, for the hooks that watch: told after the commit.
Changes = list[tuple[UUID, Change]]


@dataclass(slots=True)
class Followups:
    """Rows gathered in one cycle, inserted together at its end. `watched`: somebody is told of each change, whatever follows."""

    vault: Vault
    connectors: Mapping[str, Connector]
    watched: bool = True
    write_backs: list[dict[str, Any]] = field(default_factory=list)
    callbacks: list[dict[str, Any]] = field(default_factory=list)
    changes: Changes = field(default_factory=list)

    def add(self, config: TenantConfig, change: Change) -> None:
        """Note what follows from a change."""
        self.changes.append((config.id, change))
        if change.installation_id is not None and change.subject:
            self._write_back(config, change)
        if f"message.{change.status}" in config.callback_types:
            self._callback(config, change)

    def moved(self, config: TenantConfig, row: AnyRow, status: Status, at: datetime, reason: Reason | None = None) -> None:
        """The same for a message that the pump has moved; of most nothing follows."""
        told = row.installation_id is not None and row.subject
        if self.watched or told or (config.callback_types and f"message.{status}" in config.callback_types):
            self.add(config, change_of(row, status, at, reason))

    def insert(self, connection: sa.Connection) -> None:
        """Put the jobs into the transaction under way."""
        if self.write_backs:
            connection.execute(sa.insert(schema.write_backs), self.write_backs)
        if self.callbacks:
            connection.execute(sa.insert(schema.callbacks), self.callbacks)

    def rows(self) -> dict[sa.Table, list[dict[str, Any]]]:
        """The same as rows by table, for intake's batches."""
        return {schema.write_backs: self.write_backs, schema.callbacks: self.callbacks}

    def _write_back(self, config: TenantConfig, change: Change) -> None:
        held = config.installations.get(change.installation_id) if change.installation_id else None
        if held is None or held.status != "active":
            return
        connector = self.connectors.get(held.value.connector)
        wanted = held.value.settings.get("write_back", "final")
        if connector is None or connector.write_back is None or wanted == "off":
            return
        if wanted == "final" and not is_final(change.status) and change.status is not Status.UNKNOWN:
            return
        if not _has_target(connector, change, held.value):
            return
        self.write_backs.append(
            {
                "id": new_id(),
                "tenant_id": config.id,
                "installation_id": change.installation_id,
                "kind": "status",
                "subject": change.subject,
                "customer_ref": change.customer_ref or None,
                "message_id": change.message_id,
                "value": str(change.status),
                "details": {
                    "trigger": config.trigger_names.get(change.trigger_id, "") if change.trigger_id else "",
                    "reason": change.reason,
                },
                "at": change.at,
                "status": schema.JOB_QUEUED,
                "attempts": 0,
                "due": change.at,
                "updated_at": change.at,
            }
        )

    def _callback(self, config: TenantConfig, change: Change) -> None:
        data = {
            "id": show("msg", change.message_id),
            "status": str(change.status),
            "reason": change.reason or None,
            "reference": change.reference or None,
            "event": show("evt", change.event_id) if change.event_id else None,
            "trigger": config.trigger_names.get(change.trigger_id) if change.trigger_id else None,
            "updated_at": change.at.isoformat().replace("+00:00", "Z"),
        }
        self.callbacks.extend(
            callback_rows(self.vault, config, f"message.{change.status}", data, change.at, message_id=change.message_id)
        )


def _has_target(connector: Connector, change: Change, installation: Installation) -> bool:
    """Whether the platform has an object to write on. A connector that can't say is asked to write, and tells then."""
    if connector.writes_on is None:
        return True
    try:
        return connector.writes_on(change.subject, change.customer_ref, installation)
    except Exception:  # a plugin's: what follows from a message must not keep the message from being recorded
        log.exception("a connector can't tell what it writes on", extra={"connector": connector.name})
        return True


def callback_rows(
    vault: Vault, config: TenantConfig, kind: str, data: Mapping[str, Any], at: datetime, **refs: UUID | None
) -> Sequence[dict[str, Any]]:
    """One job for each of the tenant's endpoints that wants this type. `refs`: message_id, reply_id, contact_id."""
    rows = []
    for endpoint_id, types in config.endpoints:
        if kind in types:
            row_id = new_id()
            rows.append(
                {
                    "id": row_id,
                    "tenant_id": config.id,
                    "endpoint_id": endpoint_id,
                    "type": kind,
                    "message_id": refs.get("message_id"),
                    "reply_id": refs.get("reply_id"),
                    "contact_id": refs.get("contact_id"),
                    "body": vault.seal_json(data, config.id, "callbacks.body", row_id),
                    "created_at": at,
                    "status": schema.JOB_QUEUED,
                    "attempts": 0,
                    "due": at,
                }
            )
    return rows
