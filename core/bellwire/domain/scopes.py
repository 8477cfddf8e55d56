"""What an API key may do: a closed list, one word a right, and which words imply others."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum


class Scope(StrEnum):
    """A right of an API key. `admin` has all of them, and only it makes keys and changes the tenant."""

    ADMIN = "admin"
    MESSAGES_READ = "messages:read"
    MESSAGES_SEND = "messages:send"
    MESSAGES_WRITE = "messages:write"  # cancel, settle
    TEMPLATES_READ = "templates:read"
    TEMPLATES_WRITE = "templates:write"
    TEMPLATES_APPROVE = "templates:approve"
    TRIGGERS_READ = "triggers:read"
    TRIGGERS_WRITE = "triggers:write"
    CONSENTS_READ = "consents:read"
    CONSENTS_WRITE = "consents:write"
    INSTALLATIONS_READ = "installations:read"
    INSTALLATIONS_WRITE = "installations:write"
    CARRIERS_READ = "carriers:read"
    CARRIERS_WRITE = "carriers:write"
    ROUTES_READ = "routes:read"
    ROUTES_WRITE = "routes:write"
    EVENTS_READ = "events:read"
    EVENTS_WRITE = "events:write"  # replay
    CALLBACKS_READ = "callbacks:read"
    CALLBACKS_WRITE = "callbacks:write"
    PEOPLE_READ = "people:read"  # export
    PEOPLE_WRITE = "people:write"  # erase
    BALANCE_READ = "balance:read"
    TELEMETRY_READ = "telemetry:read"
    AUDIT_READ = "audit:read"


def allows(granted: Collection[str], wanted: Scope) -> bool:
    """Whether a key with these scopes may do what `wanted` names."""
    return wanted in granted or Scope.ADMIN in granted
