"""The hooks. Each says when it is called, how often, what None means, and whether it may raise.

Arguments only grow; new ones come last. An implementation may take fewer arguments than its specification.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import pluggy

from bellwire.model import Carrier, Connector, Event, Person, StatusChange

hookspec = pluggy.HookspecMarker("bellwire")
hookimpl = pluggy.HookimplMarker("bellwire")


@hookspec
def register_connectors() -> Sequence[Connector]:  # type: ignore[empty-body]  # a specification has no body
    """Bring platform connectors. Called once, at start. Must not raise: a plugin that does is listed as broken."""


@hookspec
def register_carriers() -> Sequence[Carrier]:  # type: ignore[empty-body]  # a specification has no body
    """Bring SMS carriers. Called once, at start. Must not raise: a plugin that does is listed as broken."""


@hookspec
def register_template_filters() -> Mapping[str, Callable[..., Any]]:  # type: ignore[empty-body]  # a specification has no body
    """Bring Liquid filters by name. Called once, at start. Each is wrapped with the size limits of every filter."""


@hookspec
def register_commands() -> Mapping[str, str]:  # type: ignore[empty-body]  # a specification has no body
    """Bring CLI commands: name → `package.module:click_command`, imported when it is called. Called once, at start."""


@hookspec(firstresult=True)
def refuse(tenant_id: UUID, event: Event) -> str | None:
    """Stop an event before it becomes a message: the reason in a few words, or None to let it pass.

    Called for each new event before the transaction, on the request's thread: 2 s at most, no writes. When it raises or
    is late the event is stored `pending` and tried again by the worker.
    """


@hookspec(firstresult=True)
def resolve_recipient(tenant_id: UUID, system: str, ref: str) -> Person | None:
    """Find the person behind a platform's reference, for events that carry no phone. None: ask the next plugin.

    Called for each new event without any phone, before the transaction: 2 s at most, no writes. Raising or being late
    leaves the event `pending`.
    """


@hookspec
def status_changed(tenant_id: UUID, change: StatusChange) -> None:
    """Watch messages: each status, from the first one on (of our answer to a STOP, START or HELP from its sending on).

    Called in the worker after the commit, at most once a change; what it raises is logged.

    `change` has ids and words only: neither the text nor the number, nor what the carrier said. Changes of one message can come out
    of turn (`at` tells), and those that a process had still to tell when it died never come: who must not miss any takes callbacks.
    """


@hookspec
def reply_received(tenant_id: UUID, reply_id: str, msisdn_tail: str) -> None:
    """Watch replies (MO). Called in the worker after the commit, at most once each; `msisdn_tail` is the last two digits."""
