"""What the enabled plugins brought: the one door to connectors, carriers and hooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from uuid import UUID

from bellwire.errors import HookFailed
from bellwire.model import Carrier, Connector, Event, Person, StatusChange
from bellwire.plugins.guard import Guard

#: The hooks that are called after the start.
CALLED = ("refuse", "resolve_recipient", "status_changed", "reply_received")

_LONGEST_REASON = 200


class PluginState(StrEnum):
    """Where a plugin stands."""

    ENABLED = "enabled"
    NOT_ENABLED = "not enabled"
    BROKEN = "broken"
    NOT_INSTALLED = "not installed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginInfo:
    """One line of the listing. `switched_off`: hooks that hung too often since the start."""

    name: str
    distribution: str = ""
    version: str = ""
    state: PluginState
    error: str = ""
    connectors: tuple[str, ...] = ()
    carriers: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    switched_off: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugins:
    """What the enabled plugins brought, by name, and their hooks.

    A hook that nobody implements costs a dictionary's look-up; one that was switched off is passed over: see
    docs/decisions/plugins.md.
    """

    connectors: Mapping[str, Connector]
    carriers: Mapping[str, Carrier]
    filters: Mapping[str, Callable[..., Any]]
    commands: Mapping[str, str]
    _infos: tuple[PluginInfo, ...] = field(repr=False)
    _guards: Mapping[str, tuple[Guard, ...]] = field(repr=False)

    @classmethod
    def of(cls, *subjects: Connector | Carrier) -> Plugins:
        """Just these, without any hook: for tests, and for who embeds the engine."""
        return cls(
            connectors=MappingProxyType({one.name: one for one in subjects if isinstance(one, Connector)}),
            carriers=MappingProxyType({one.name: one for one in subjects if isinstance(one, Carrier)}),
            filters=MappingProxyType({}),
            commands=MappingProxyType({}),
            _infos=(),
            _guards=MappingProxyType(dict.fromkeys(CALLED, ())),
        )

    def listing(self) -> tuple[PluginInfo, ...]:
        """Every plugin that is installed or was asked for, as it stands now."""
        off = {(guard.plugin, guard.hook) for some in self._guards.values() for guard in some if guard.is_off}
        return tuple(
            replace(info, switched_off=tuple(hook for hook in info.hooks if (info.name, hook) in off)) for info in self._infos
        )

    def refuse(self, tenant_id: UUID, event: Event) -> str | None:
        """The first plugin's reason to stop the event, or None. Raises HookFailed: the event waits as `pending`."""
        for guard in self._guards["refuse"]:
            reason = None if guard.is_off else guard(tenant_id=tenant_id, event=event)
            if reason is None:
                continue
            if not isinstance(reason, str) or not reason.strip():
                raise HookFailed(guard.plugin, guard.hook, f"returned {type_of(reason)} instead of a reason or None")
            return " ".join(reason.split())[:_LONGEST_REASON]
        return None

    def resolve_recipient(self, tenant_id: UUID, system: str, ref: str) -> Person | None:
        """The first person that a plugin finds behind a platform's reference. Raises HookFailed: the event waits as `pending`."""
        for guard in self._guards["resolve_recipient"]:
            person = None if guard.is_off else guard(tenant_id=tenant_id, system=system, ref=ref)
            if person is None:
                continue
            if not isinstance(person, Person):
                raise HookFailed(guard.plugin, guard.hook, f"returned {type_of(person)} instead of a Person or None")
            return person
        return None

    def is_told(self, hook: str) -> bool:
        """Whether a plugin implements a hook."""
        return bool(self._guards[hook])

    def status_changed(self, tenant_id: UUID, change: StatusChange) -> tuple[HookFailed, ...]:
        """Tell all who watch. What failed is returned, to be logged: watching must not stop what is watched."""
        return self._tell("status_changed", tenant_id=tenant_id, change=change)

    def reply_received(self, tenant_id: UUID, reply_id: str, msisdn_tail: str) -> tuple[HookFailed, ...]:
        """Tell all who watch. What failed is returned, to be logged."""
        return self._tell("reply_received", tenant_id=tenant_id, reply_id=reply_id, msisdn_tail=msisdn_tail)

    def _tell(self, hook: str, **values: Any) -> tuple[HookFailed, ...]:
        failed = []
        for guard in self._guards[hook]:
            if guard.is_off:
                continue  # the listing tells
            try:
                guard(**values)
            except HookFailed as e:
                failed.append(e)
        return tuple(failed)


def type_of(value: object) -> str:
    """How an error calls a value of the wrong type."""
    return f"a {type(value).__name__}"
