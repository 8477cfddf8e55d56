"""What a tenant has configured, as values: the part of the facts that changes seldom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from bellwire.model import CarrierAccount, Installation, Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A trigger as stored. `definition` holds what `domain.triggers` and `domain.decide` read."""

    id: UUID
    name: str
    connector: str
    installation_id: UUID | None
    event: str
    definition: Mapping[str, Any]
    state: str
    active_from: datetime | None
    is_implied: bool = False  # the event itself asks for a text; no row stands behind it

    @property
    def row_id(self) -> UUID | None:
        """The id of its row, None for one that has none."""
        return None if self.is_implied else self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template's approved version (`number` None: no version is approved)."""

    name: str
    purpose: Purpose
    number: int | None
    bodies: Mapping[str, str]
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldInstallation:
    """An installation and what the platform never sees: its status here. `until`: when the next of its old secrets ends."""

    value: Installation
    status: str
    client_id: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldAccount:
    """A carrier account, its key for URLs and its status. `until`: when the next of its old secrets ends."""

    value: CarrierAccount
    key: str = field(repr=False)
    status: str
    created_at: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantConfig:
    """One tenant's whole configuration at one version."""

    id: UUID
    slug: str
    name: str
    country: str
    locale: str
    timezone: str
    settings: Mapping[str, Any]
    version: int
    triggers: Mapping[tuple[str, str], Sequence[Trigger]]  # by connector and event type
    trigger_names: Mapping[UUID, str]
    templates: Mapping[str, Template]
    accounts: Sequence[HeldAccount]  # in order of creation
    installations: Mapping[UUID, HeldInstallation]
    route_policy: Mapping[str, Any] | None
    route_version: int | None
    callback_types: frozenset[str]
    endpoints: Sequence[tuple[UUID, frozenset[str]]]
    has_balance: bool
