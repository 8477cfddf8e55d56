"""What became of a request's events, for the answer to it: new ones as they were decided, known ones as they stand now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bellwire.engine.intake import Prepared, Taken
from bellwire.engine.runtime import Engine
from bellwire.ids import show
from bellwire.model import Decided, Installation, Status
from bellwire.store import decided as stored
from bellwire.store import schema
from bellwire.store.database import reading
from bellwire.store.schema import STATUS_OF

#: Of several triggers' outcomes the one that is told: a text before a refusal before nothing.
_ORDER = ("sent", "held", "refused", "shadow", "not_matched", "no_trigger")


def told(engine: Engine, installation: Installation, taken: Taken) -> Sequence[Decided]:
    """One for each event of the delivery, in its order."""
    known: dict[str, stored.Known] = {}
    again = [one.event.subject for one, is_new in taken.prepared if not is_new and one.event.subject]
    if again:
        with reading(engine.store.engine) as connection:
            known = stored.by_subject(connection, installation.tenant_id, installation.id, again)
    return [_new(one) if is_new else _known(one, known.get(one.event.subject)) for one, is_new in taken.prepared]


def _new(one: Prepared) -> Decided:
    entries = [entry for row in one.unit.rows.get(schema.decisions, ()) for entry in row["entries"]]
    messages = {
        show("msg", row["id"]): (STATUS_OF[row["status"]], row["expires_at"]) for row in one.unit.rows.get(schema.messages, ())
    }
    return _told(one, _most(entries), messages, duplicate=False)


def _known(one: Prepared, known: stored.Known | None) -> Decided:
    if known is None:  # too long ago, or under way in another process: as if it were pending
        return Decided(event=one.event.id, type=one.event.type, subject=one.event.subject, duplicate=True)
    return _told(one, _most(known.entries), {show("msg", key): value for key, value in known.messages.items()}, duplicate=True)


def _told(one: Prepared, entry: Mapping[str, Any], messages: Mapping[str, tuple[Status, datetime]], *, duplicate: bool) -> Decided:
    message = str(entry.get("message") or "")
    status, expires_at = messages.get(message, (None, None))
    return Decided(
        event=one.event.id,
        type=one.event.type,
        subject=one.event.subject,
        outcome=str(entry.get("outcome") or ""),
        reason=str(entry.get("reason") or ""),
        message=message,
        status=status,
        expires_at=expires_at,
        duplicate=duplicate,
    )


def _most(entries: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    ranked = sorted(entries, key=lambda entry: _ORDER.index(entry["outcome"]) if entry["outcome"] in _ORDER else len(_ORDER))
    return ranked[0] if ranked else {}
