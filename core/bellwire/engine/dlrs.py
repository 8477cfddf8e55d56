"""Delivery receipts: straight to the message they name, or parked, committed, and matched in a second transaction.

Looking and parking in one transaction would lose receipts that arrive while the send's answer is being stored: each side
looks before the other has written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain import status as statuses
from bellwire.engine.followups import Changes, Followups
from bellwire.errors import FieldInvalid
from bellwire.ids import new_id, parse_id
from bellwire.model import CarrierAccount, Dlr, Status
from bellwire.store import receipts
from bellwire.store.schema import SEEN_DLR, STATUS_CODES, STATUS_OF
from bellwire.store.types import AnyRow
from bellwire.store.vault import fingerprint
from bellwire.store.writer import Group

if TYPE_CHECKING:
    from bellwire.engine.runtime import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A receipt on its way to its message. `message_id`: ours, when the URL or the carrier named it."""

    account: CarrierAccount
    dlr: Dlr
    message_id: UUID | None
    received_at: datetime


def read(account: CarrierAccount, dlrs: Sequence[Dlr], message_id: UUID | None, now: datetime) -> list[Receipt]:
    """Receipts from what a carrier's `read_dlrs` gave."""
    return [Receipt(account=account, dlr=dlr, message_id=message_id or _named(dlr), received_at=now) for dlr in dlrs]


def _named(dlr: Dlr) -> UUID | None:
    try:
        return parse_id("msg", dlr.message_ref) if dlr.message_ref else None
    except FieldInvalid:
        return None  # an echo of something that is not ours


def accept(engine: Engine, found: Sequence[Receipt]) -> None:
    """Store receipts and follow them up; returns after the commit. Raises StoreUnavailable: the carrier repeats."""
    engine.notify(engine.store.writer.run_in(TAKEN, _Batch(engine, found)))
    parked = [(one.account.id, one.dlr.carrier_ref) for one in found if one.message_id is None]
    if parked:
        engine.notify(engine.write(lambda connection: match_parked(engine, connection, parked)))
    engine.wake()


@dataclass(frozen=True, slots=True)
class _Batch:
    """The receipts of one caller."""

    engine: Engine
    found: Sequence[Receipt]


def _take_together(connection: sa.Connection, batches: Sequence[_Batch]) -> list[Changes]:
    """Many callers' receipts in one transaction. All locks of messages in one order: nobody waits in a ring."""
    places = [(receipt, place) for place, batch in enumerate(batches) for receipt in batch.found]
    gathered = [batch.engine.followups() for batch in batches]
    for receipt, place in sorted(places, key=lambda one: (_named_bytes(one[0]), _key(one[0]))):
        _take_one(batches[place].engine, connection, receipt, gathered[place])
    for followups in gathered:
        followups.insert(connection)
    return [followups.changes for followups in gathered]


TAKEN: Group[Changes] = Group(_take_together)  # type: ignore[arg-type]  # the group's items are batches


def take(engine: Engine, connection: sa.Connection, found: Sequence[Receipt]) -> Changes:
    """Inside a transaction: move the messages that receipts name, park the others. Repeated receipts change nothing."""
    return _take_together(connection, [_Batch(engine, found)])[0]


def _named_bytes(receipt: Receipt) -> bytes:
    return receipt.message_id.bytes if receipt.message_id else b""


def _key(receipt: Receipt) -> bytes:
    """A receipt is told from another by account, carrier's id, raw status, raw error and segment."""
    dlr = receipt.dlr
    return fingerprint(_named_bytes(receipt), dlr.carrier_ref, dlr.raw_status, dlr.raw_code, str(dlr.part))


def _take_one(engine: Engine, connection: sa.Connection, receipt: Receipt, followups: Followups) -> None:
    if not receipts.remember(connection, _key(receipt), SEEN_DLR, receipt.account.id, receipt.received_at):
        return
    row = receipts.message(connection, receipt.message_id, receipt.account.id) if receipt.message_id else None
    details: dict[str, Any] = _details(receipt.dlr)
    if row is not None:
        details["moved"] = _move(engine, connection, row, receipt.account.id, receipt.dlr, receipt.received_at, followups)
    receipts.insert(connection, _row(receipt, row.id if row is not None else None, details))


def match_parked(engine: Engine, connection: sa.Connection, refs: Sequence[tuple[UUID, str]] | None = None) -> Changes:
    """Inside a later transaction: give parked receipts to the messages that are known by now."""
    now = engine.now()
    if refs is None:
        rows = receipts.parked_matches(connection, now)
    else:
        rows = [row for account_id, ref in refs for row in receipts.parked_matches(connection, now, account_id, ref)]
    followups = engine.followups()
    for row in sorted(rows, key=lambda one: (one.matched_id.bytes, one.id.bytes)):
        message = receipts.message(connection, row.matched_id, row.account_id, wait=False)
        if message is None:
            continue  # somebody writes it at this moment: the next look finds it
        dlr = Dlr(
            carrier_ref=row.carrier_ref,
            status=Status(row.status) if row.status else None,
            raw_status=row.raw_status,
            raw_code=row.raw_code,
            handed_over=bool(row.details.get("handed_over")),
            part=row.details.get("part"),
            parts=row.details.get("parts"),
        )
        moved = _move(engine, connection, message, row.account_id, dlr, row.received_at, followups)
        receipts.unpark(connection, row.id, message.id, {**row.details, "moved": moved})
    followups.insert(connection)
    return followups.changes


def _move(
    engine: Engine, connection: sa.Connection, row: AnyRow, account_id: UUID, dlr: Dlr, at: datetime, followups: Followups
) -> str:
    """Advance one message by one receipt of this account; the status it moved to, "" when nothing moved."""
    current = STATUS_OF[row.status]
    # a receipt of another account, or that names another id than the last attempt's, is about an earlier one
    same_ref = not (row.carrier_ref and dlr.carrier_ref) or row.carrier_ref == dlr.carrier_ref
    latest = row.account_id == account_id and same_ref
    reported = dlr.status
    parts: Mapping[str, str] | None = row.parts
    if dlr.part is not None and latest:
        segments = {int(number): Status(word) for number, word in (row.parts or {}).items()}
        segments = statuses.report_segment(segments, dlr.part, dlr.status)
        parts = {str(number): str(word) for number, word in segments.items()}
        reported = statuses.combine(segments, dlr.parts or row.segments or 1)
    elif dlr.part is not None:
        return ""  # one segment of an earlier attempt says too little
    moved = statuses.advance(current, reported, latest_attempt=latest)
    handed_over = latest and dlr.handed_over
    if moved is None and not handed_over and parts == row.parts:
        return ""
    after = moved or current
    receipts.move(
        connection,
        {
            "b_id": row.id,
            "b_status": STATUS_CODES[after],
            "b_handed_over": at if handed_over or after is Status.DELIVERED else None,
            "b_ref": dlr.carrier_ref or None,
            "b_parts": parts,
            "b_at": at,
        },
    )
    if moved is None:
        return ""
    held = engine.configs.get(connection, row.tenant_id, at)
    if held is not None:
        followups.moved(held.config, row, moved, at)
    return str(moved)


def _details(dlr: Dlr) -> dict[str, Any]:
    """What is kept of a receipt besides its columns: plain words and numbers."""
    kept = {
        "handed_over": dlr.handed_over or None,
        "part": dlr.part,
        "parts": dlr.parts,
        "price": str(dlr.price) if dlr.price is not None else None,
        "currency": dlr.currency or None,
        "segments": dlr.segments,
        "raw_text": dlr.raw_text[:200] or None,
        "occurred_raw": dlr.occurred_raw[:64] or None,
    }
    return {name: value for name, value in kept.items() if value is not None}


def _row(receipt: Receipt, message_id: UUID | None, details: Mapping[str, Any]) -> dict[str, Any]:
    dlr = receipt.dlr
    return {
        "id": new_id(),
        "tenant_id": receipt.account.tenant_id,
        "account_id": receipt.account.id,
        "message_id": message_id,
        "carrier_ref": dlr.carrier_ref[:128],
        "status": str(dlr.status) if dlr.status else None,
        "raw_status": dlr.raw_status[:64],
        "raw_code": dlr.raw_code[:64],
        "error_class": str(dlr.error_class) if dlr.error_class else None,
        "details": details,
        "received_at": receipt.received_at,
        "parked": message_id is None,
    }


__all__ = ["Receipt", "accept", "match_parked", "read", "take"]
