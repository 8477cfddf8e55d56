"""What dead workers were sending: each message is settled by what its worker's marks say of its call."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bellwire.engine import marks, purse
from bellwire.engine.accounts import Accounts
from bellwire.engine.followups import Followups
from bellwire.engine.marks import Mark
from bellwire.engine.recording import DLR_AFTER
from bellwire.ids import new_id
from bellwire.model import Status
from bellwire.store import charges as money
from bellwire.store import dispatch, workers
from bellwire.store.schema import STATUS_CODES
from bellwire.store.types import AnyRow

log = logging.getLogger(__name__)


def settle(connection: sa.Connection, accounts: Accounts, followups: Followups, now: datetime) -> None:
    """Inside the sweep's transaction. What was not begun waits again, what the carrier took is sent, the rest is `unknown`."""
    rows = workers.orphans(connection)
    if not rows:
        return
    begun: list[tuple[AnyRow, Mark | None]] = []
    waits: list[AnyRow] = []
    for owner in sorted({row.owner for row in rows}):
        left = marks.left(owner)
        held = [(row, None if left is None else left.get((row.id, row.epoch))) for row in rows if row.owner == owner]
        begun += [(row, mark) for row, mark in held if left is None or mark is not None]
        unbegun = [row.id for row, mark in held if left is not None and mark is None]
        waits += workers.let_wait(connection, unbegun, now, owner=owner)
    money.move(connection, purse.unclaimed(accounts, waits), now)
    taken = [(row, mark) for row, mark in begun if mark is not None and mark.carrier_ref is not None]
    lost = [row for row, mark in begun if mark is None or mark.carrier_ref is None]
    dispatch.record(connection, [_sent(row, mark) for row, mark in taken], now, now + DLR_AFTER)
    workers.doubt(connection, [row.id for row in lost], now)
    dispatch.add_attempts(connection, [_attempt(row, mark, now) for row, mark in begun])
    _follow(accounts, followups, lost, Status.UNKNOWN, now)
    _follow(accounts, followups, [row for row, _ in taken], Status.SENT, now)
    log.warning("dead workers were sending", extra={"lost": len(lost), "sent": len(taken), "waiting": len(waits)})


def _follow(accounts: Accounts, followups: Followups, rows: Sequence[AnyRow], status: Status, now: datetime) -> None:
    for row in rows:
        config = accounts.config(row.tenant_id)
        if config is not None:
            followups.moved(config, row, status, now)


def _sent(row: AnyRow, mark: Mark) -> dict[str, Any]:
    return {
        "id": row.id,
        "epoch": row.epoch,
        "status": STATUS_CODES[Status.SENT],
        "ref": mark.carrier_ref or None,
        "handed_over": 0,
        "reason": None,
        "notes": None,
    }


def _attempt(row: AnyRow, mark: Mark | None, now: datetime) -> dict[str, Any]:
    taken = mark is not None and mark.carrier_ref is not None
    told: Mapping[str, Any] = (
        {"outcome": "accepted", "error_class": None, "detail": "the worker that sent it ended before it had recorded the answer"}
        if taken
        else {"outcome": "lost", "error_class": "ambiguous", "detail": "the worker that was sending it ended"}
    )
    return {
        "id": new_id(),
        "tenant_id": row.tenant_id,
        "message_id": row.id,
        "account_id": row.account_id,
        "number": row.attempts,
        "started_at": mark.began_at if mark else now,
        "ended_at": mark.ended_at if mark else None,
        "code": None,
        "http_status": None,
        "carrier_ref": (mark.carrier_ref if mark else None) or None,
        "charge": None,
        **told,
    }
