"""What became of a text, written on its order: one metafield that only our app owns, and a tag or note where wanted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from bellwire import Json, Link, PlatformRejected, Status, StatusChange

from .client import Admin
from .delivery import stamp, target_named
from .operations import ADD_TAGS, NOTE, REMOVE_TAGS, SET_METAFIELDS, SET_NOTE

NAMESPACE, KEY = "$app:sms", "status"
TAG = "sms:failed"

FAILED = frozenset({Status.UNDELIVERED, Status.FAILED, Status.EXPIRED})
FINAL = FAILED | {Status.DELIVERED, Status.CANCELED, Status.REFUSED}

#: metafieldsSet takes 25 at once, all or none
_AT_ONCE = 25


def write_back(changes: Sequence[StatusChange], link: Link) -> None:
    """Write each object's newest status. Writing the same again changes nothing. Raises PlatformError.

    One object that is refused does not keep the others from being written; it is raised at the end.
    """
    refused: list[PlatformRejected] = []
    newest = _newest(changes, refused)
    if newest:
        _write(Admin(link), newest, link.installation.settings, refused)
    if refused:
        raise refused[0]


def _write(admin: Admin, newest: Mapping[str, StatusChange], settings: Mapping[str, Any], refused: list[PlatformRejected]) -> None:
    targets = list(newest)
    for start in range(0, len(targets), _AT_ONCE):
        _set(admin, targets[start : start + _AT_ONCE], newest, refused)
    for target, change in newest.items():
        try:
            if settings.get("write_back_tag"):
                _tag(admin, target, change)
            if settings.get("write_back_note"):
                _note(admin, target, change)
        except PlatformRejected as e:
            refused.append(e)


def target_of(change: StatusChange) -> str:
    """The gid that a status is written on: the order (or customer) the event is about, else the person; "" for neither."""
    return target_named(change.subject, change.customer_ref)


def value_of(change: StatusChange) -> dict[str, Json]:
    """What stands in the metafield. No name, no whole number; the text only where the setting asked for it."""
    value: dict[str, Json] = {
        "status": change.status.value,
        "message_id": change.message_id,
        "at": stamp(change.at),
        "trigger": change.trigger,
        "reason": change.reason,
        "msisdn_tail": change.msisdn_tail,
        "text": change.text,
    }
    return {name: part for name, part in value.items() if part}


def _newest(changes: Iterable[StatusChange], refused: list[PlatformRejected]) -> Mapping[str, StatusChange]:
    newest: dict[str, StatusChange] = {}
    for change in changes:
        target = target_of(change)
        if not target:
            refused.append(PlatformRejected("shopify: neither an order nor a customer to write on", code="no_target"))
        elif target not in newest or _rank(change) >= _rank(newest[target]):
            newest[target] = change
    return newest


def _rank(change: StatusChange) -> tuple[datetime, bool]:
    return change.at, change.status in FINAL


def _set(admin: Admin, targets: Sequence[str], newest: Mapping[str, StatusChange], refused: list[PlatformRejected]) -> None:
    fields: list[Any] = [
        {
            "ownerId": target,
            "namespace": NAMESPACE,
            "key": KEY,
            "type": "json",
            "value": json.dumps(value_of(newest[target]), ensure_ascii=False, sort_keys=True),
        }
        for target in targets
    ]
    try:
        admin.change(SET_METAFIELDS, metafields=fields)
    except PlatformRejected as e:
        if len(targets) == 1:
            refused.append(e)
            return
        for target in targets:
            _set(admin, [target], newest, refused)


def _tag(admin: Admin, target: str, change: StatusChange) -> None:
    if change.status in FAILED:
        admin.change(ADD_TAGS, id=target, tags=[TAG])
    elif change.status is Status.DELIVERED:
        admin.change(REMOVE_TAGS, id=target, tags=[TAG])


def _note(admin: Admin, target: str, change: StatusChange) -> None:
    """A line at the end of the order's note, once a message and status. The merchant's own words stay."""
    if change.status not in FINAL or not target.startswith("gid://shopify/Order/"):
        return
    note = str((admin.ask(NOTE, id=target).get("order") or {}).get("note") or "")
    line = f"SMS {change.status.value} {stamp(change.at)} ({change.message_id})"
    if f"SMS {change.status.value} " in note and change.message_id in note:
        return
    admin.change(SET_NOTE, input={"id": target, "note": f"{note}\n{line}".strip()})
