"""What became of a text: on the contact's properties, on the timeline, and back to the workflow that waits for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from bellwire import Link, PlatformError, PlatformRejected, PlatformUnauthorized, PlatformUnavailable, StatusChange

from . import communications
from .action import FINAL, outcome
from .answers import stamp
from .client import Hub, batches
from .communications import Entry
from .targets import Target, target_of

#: A run that HubSpot does not know yet may still be waiting for our answer to it.
_TOO_EARLY = timedelta(seconds=60)
_OVER = frozenset({400, 404, 409, 410})
_ACTIONS = "automation.actions"


def write_back(changes: Sequence[StatusChange], link: Link) -> None:
    """Write the statuses; writing them again changes nothing. What one part refuses does not keep the others from being written.

    The properties come first: a workflow that goes on may look at them. Raises PlatformError.
    """
    aimed = [(change, target_of(change.subject, change.customer_ref)) for change in sorted(changes, key=lambda change: change.at)]
    nowhere = [change for change, target in aimed if not target]
    refused: list[PlatformError] = [PlatformRejected("hubspot: no record to write on", code="no_target") for _ in nowhere[:1]]
    aimed = [(change, target) for change, target in aimed if change not in nowhere]
    if aimed:
        hub = Hub(link)
        parts: Sequence[Callable[[], None]] = (
            lambda: _properties(hub, aimed),
            lambda: communications.write(hub, _entries(aimed)),
            lambda: _complete(hub, aimed, link),
        )
        for part in parts:
            try:
                part()
            except (PlatformRejected, PlatformUnauthorized) as e:
                if e.http_status != 403 and isinstance(e, PlatformUnauthorized):
                    raise  # the token itself: nothing else would be let in
                refused.append(e)
    if refused:
        raise next((e for e in refused if isinstance(e, PlatformUnauthorized)), refused[0])


def _properties(hub: Hub, aimed: Sequence[tuple[StatusChange, Target]]) -> None:
    """The newest status of each contact."""
    name = str(hub.installation.settings.get("status_field") or "")
    if not name:
        return
    own = hub.installation.cursor.get("properties") or ()
    values: dict[str, Mapping[str, str]] = {}
    for change, target in aimed:  # oldest first
        if target.contact:
            told = {name: change.status.value, f"{name}_at": stamp(change.at), f"{name}_reason": change.reason}
            values[target.contact] = {key: value for key, value in told.items() if key == name or key in own}
    hub.change("contact", values)


def _entries(aimed: Sequence[tuple[StatusChange, Target]]) -> dict[str, Entry]:
    """One entry for each message that is about somebody."""
    made: dict[str, Entry] = {}
    for change, target in aimed:
        records = [("contact", target.contact), target.record]
        records = [(kind, number) for kind, number in records if kind and number]
        if records:
            made[change.message_id] = Entry(key=change.message_id, body=_body(change), at=change.at, records=records)
    return made


def _body(change: StatusChange) -> str:
    to = f" to …{change.msisdn_tail}" if change.msisdn_tail else ""
    why = f": {change.reason}" if change.reason else ""
    by = f"Trigger: {change.trigger}" if change.trigger else ""
    status = f"SMS{to} {change.status.value}{why} ({change.at:%Y-%m-%d %H:%M} UTC)"
    return communications.html(status, change.text, by, f"Message {change.message_id}")


# -- the workflow that waits ---------------------------------------------------------------------------------------------


def _complete(hub: Hub, aimed: Sequence[tuple[StatusChange, Target]], link: Link) -> None:
    """Let the runs go on whose text is over, a hundred by one call. One that waits no more (it took too long) is let be."""
    waiting = {target.callback: change for change, target in aimed if target.callback and change.status in FINAL}
    for some in batches(list(waiting)):
        try:
            if len(some) > 1:
                _complete_all(hub, {callback: waiting[callback] for callback in some})
                continue
        except PlatformRejected:
            pass  # one of them is over: each by itself
        for callback in some:
            _complete_one(hub, callback, waiting[callback], link)


def _complete_all(hub: Hub, waiting: Mapping[str, StatusChange]) -> None:
    inputs = [{"callbackId": callback, **_end(change)} for callback, change in waiting.items()]
    hub.do(f"{_ACTIONS}.callbacks_api.complete_batch", {"inputs": inputs})


def _complete_one(hub: Hub, callback: str, change: StatusChange, link: Link) -> None:
    try:
        hub.do(f"{_ACTIONS}.callbacks_api.complete", callback, _end(change))
    except PlatformRejected as e:
        if e.http_status not in _OVER:
            raise
        if change.status.value != "refused" and link.now() - change.at < _TOO_EARLY:
            # refused ones were answered in the call itself; others may be over before HubSpot has our answer to the run
            raise PlatformUnavailable("hubspot: the workflow does not wait for this run yet", http_status=e.http_status) from e


def _end(change: StatusChange) -> dict[str, Any]:
    """As HubSpot's JSON: the library's model lacks `typedOutputs`, which newer versions require."""
    return {"outputFields": outcome(change.status, change.message_id, change.reason), "typedOutputs": {}}
