"""SMS on the timeline: one communication a message, found again by our own unique property.

developers.hubspot.com, "Communications": channel type SMS, logged from CRM, the body is HTML.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

from bellwire import PlatformRejected, PlatformUnavailable

from . import sdk
from .answers import millis
from .client import Hub, batches, whole
from .targets import ASSOCIATIONS

#: Holds our message's (or reply's) id, unique: a repeated write finds what the first one made.
OWN_PROPERTY = "bellwire_message_id"

_AREA = "crm.objects.communications"
_LATEST = 100  # of a record's entries, where one is looked for by its text


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a timeline. `key`: our id; `records`: (`contact`, id) and the like."""

    key: str
    body: str
    at: datetime
    records: Sequence[tuple[str, str]]


def write(hub: Hub, entries: Mapping[str, Entry]) -> None:
    """Make the entries, or bring them up to date. Raises PlatformError."""
    if not entries:
        return
    is_keyed = bool(hub.installation.cursor.get("message_property"))
    there = _there(hub, entries, is_keyed=is_keyed)
    hub.change("communication", {number: {"hs_communication_body": entries[key].body} for key, number in there.items()})
    missing = [entry for key, entry in entries.items() if key not in there]
    for some in batches(missing):
        _make(hub, some, is_keyed=is_keyed)


def html(*lines: str) -> str:
    """Lines of text as the body's HTML."""
    return "<br>".join(escape(line) for line in lines if line)


def _there(hub: Hub, entries: Mapping[str, Entry], *, is_keyed: bool) -> dict[str, str]:
    """What was made before, by our id. Without the property it is looked for among the latest entries, by the id in its text."""
    if is_keyed:
        found = hub.read("communication", list(entries), [OWN_PROPERTY], by=OWN_PROPERTY)
        return {key: record["id"] for key, record in found.items() if key in entries}
    return _among_latest(hub, entries)


def _among_latest(hub: Hub, entries: Mapping[str, Entry]) -> dict[str, str]:
    """The entries on the records' own timelines whose text names our id; the search would lag behind."""
    first: dict[str, list[str]] = {}
    for entry in entries.values():
        for kind, number in entry.records[:1]:
            first.setdefault(kind, []).append(number)
    on: list[str] = []
    for kind, numbers in first.items():
        for ids in hub.associated(kind, "communication", numbers).values():
            on += sorted(ids, key=lambda one: (len(one), one))[-_LATEST:]
    bodies = hub.read("communication", on, ["hs_communication_body"]) if on else {}
    return {
        key: number for number, values in bodies.items() for key in entries if key in str(values.get("hs_communication_body") or "")
    }


def _make(hub: Hub, entries: Sequence[Entry], *, is_keyed: bool) -> None:
    inputs = [{"properties": _properties(entry, is_keyed=is_keyed), "associations": _associations(entry)} for entry in entries]
    try:
        if len(inputs) == 1:
            hub.do(f"{_AREA}.basic_api.create", sdk.model(_AREA, "SimplePublicObjectInputForCreate", **inputs[0]))
            return
        made = [sdk.model(_AREA, "SimplePublicObjectBatchInputForCreate", **one) for one in inputs]
        answer = hub.do(
            f"{_AREA}.batch_api.create", sdk.model(_AREA, "BatchInputSimplePublicObjectBatchInputForCreate", inputs=made)
        )
        whole(answer, "batch create of communications")
    except PlatformRejected as e:
        if e.http_status == 409 and is_keyed:  # made a moment ago by a call whose answer we did not get
            raise PlatformUnavailable("hubspot: a communication is there already; it is looked for again", http_status=409) from e
        raise


def _properties(entry: Entry, *, is_keyed: bool) -> dict[str, str]:
    return {
        "hs_communication_channel_type": "SMS",
        "hs_communication_logged_from": "CRM",
        "hs_communication_body": entry.body,
        "hs_timestamp": millis(entry.at),
        **({OWN_PROPERTY: entry.key} if is_keyed else {}),
    }


def _associations(entry: Entry) -> list[dict[str, object]]:
    """As HubSpot's JSON: `to.id` and the type."""
    return [
        {"to": {"id": number}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": ASSOCIATIONS[kind]}]}
        for kind, number in dict.fromkeys(entry.records)
        if kind in ASSOCIATIONS and number
    ]
