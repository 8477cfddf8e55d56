"""Plugins that watch: told by the jobs, after the commit, of replies and of what became of messages.

What is to be told is kept in memory: a process that dies tells nobody, nor one that is told faster than its plugins listen (the
oldest go first). Who must not miss anything has callbacks.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from uuid import UUID

from bellwire.engine.followups import Change
from bellwire.engine.intake import configured
from bellwire.engine.runtime import Engine
from bellwire.errors import HookFailed, StoreError
from bellwire.ids import show
from bellwire.model import StatusChange
from bellwire.store.database import reading

log = logging.getLogger(__name__)

_BATCH = 100


def step(engine: Engine) -> int:
    """Call the plugins that watch; how much they were told. For the jobs' loop. Raises StoreUnavailable: told next time."""
    return _replies(engine) + _changes(engine)


def _replies(engine: Engine) -> int:
    count = 0
    while engine.replied:
        one = engine.replied.popleft()
        _warn(engine.plugins.reply_received(one.tenant_id, one.reply_id, one.msisdn_tail))
        count += 1
    return count


def _changes(engine: Engine) -> int:
    taken = [engine.changed.popleft() for _ in range(min(_BATCH, len(engine.changed)))]
    if not taken:
        return 0
    try:
        with reading(engine.store.engine) as connection:
            tenants = {tenant_id for tenant_id, _ in taken}
            names = {tenant_id: configured(engine, connection, tenant_id).config.trigger_names for tenant_id in tenants}
    except StoreError:
        engine.changed.extendleft(reversed(taken))
        raise
    for tenant_id, change in taken:
        _warn(engine.plugins.status_changed(tenant_id, _told(change, names[tenant_id])))
    return len(taken)


def _told(change: Change, triggers: Mapping[UUID, str]) -> StatusChange:
    return StatusChange(
        message_id=show("msg", change.message_id),
        status=change.status,
        at=change.at,
        subject=change.subject,
        customer_ref=change.customer_ref,
        trigger=triggers.get(change.trigger_id, "") if change.trigger_id else "",
        reason=change.reason,
        event_id=show("evt", change.event_id) if change.event_id else "",
    )


def _warn(failures: Iterable[HookFailed]) -> None:
    for failure in failures:
        log.warning("a plugin that watches failed", extra={"plugin": failure.plugin, "hook": failure.hook, "reason": failure.why})
