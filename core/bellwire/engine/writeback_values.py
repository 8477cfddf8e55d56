"""What write-back jobs carry, as the connectors' functions take it. Personal values are opened here, when the job runs."""

from __future__ import annotations

from collections.abc import Sequence

from bellwire.domain.status import is_final
from bellwire.ids import show
from bellwire.model import ConsentChange, ConsentState, Msisdn, Purpose, ReplyNote, Status, StatusChange
from bellwire.store.schema import STATUS_OF
from bellwire.store.types import AnyRow
from bellwire.store.vault import Vault

#: Which of two statuses of a message is the later one when both came at the same moment, in one batch of receipts.
_LATER = {status: place for place, status in enumerate((Status.QUEUED, Status.SENDING, Status.UNKNOWN, Status.SENT))}


def newest(rows: Sequence[AnyRow]) -> list[AnyRow]:
    """Of status jobs, oldest first, the last one of each message; none that its message has left behind for good."""
    ordered = sorted(rows, key=lambda row: (row.at, _order(Status(row.value))))
    last = {row.message_id: row for row in ordered}
    return [row for row in ordered if last[row.message_id] is row and not _left_behind(row)]


def _order(status: Status) -> int:
    """A message moves forward only, and `delivered` overrules other finals."""
    return len(_LATER) + (status is Status.DELIVERED) if is_final(status) else _LATER.get(status, -1)


def _left_behind(row: AnyRow) -> bool:
    """Whether the message has a final status and this job still tells of an earlier one: written later it would be wrong."""
    now = STATUS_OF.get(row.message_status)
    return now is not None and is_final(now) and not is_final(Status(row.value))


def status_change(vault: Vault, row: AnyRow, *, with_text: bool) -> StatusChange:
    """A message's new status. Raises DecryptionFailed."""
    details = row.details or {}
    text = ""
    if with_text and row.message_text is not None:
        text = vault.open(row.message_text, row.tenant_id, "messages.text", row.message_id)
    return StatusChange(
        message_id=show("msg", row.message_id),
        status=Status(row.value),
        at=row.at,
        subject=row.subject,
        customer_ref=row.customer_ref or "",
        trigger=details.get("trigger") or "",
        reason=details.get("reason") or "",
        msisdn_tail=(_msisdn(vault, row) or "")[-2:],
        text=text,
        event_id=show("evt", row.message_event) if row.message_event is not None else "",
        segments=row.message_segments,
        error_class=row.error_class or "",
        error_code=row.error_code or "",
    )


def consent_change(vault: Vault, row: AnyRow) -> ConsentChange | None:
    """A person's statement; None when the person was erased. Raises DecryptionFailed."""
    msisdn = _msisdn(vault, row)
    if msisdn is None:
        return None
    return ConsentChange(
        msisdn=msisdn,
        purpose=Purpose(row.details["purpose"]),
        state=ConsentState(row.value),
        at=row.at,
        source=row.details.get("source") or "",
        customer_ref=row.customer_ref or "",
    )


def reply_note(vault: Vault, row: AnyRow) -> ReplyNote | None:
    """A person's reply; None when it was erased. Raises DecryptionFailed."""
    if row.reply_text is None or row.reply_msisdn is None:
        return None
    return ReplyNote(
        reply_id=show("rpl", row.reply_id),
        msisdn=Msisdn(vault.open(row.reply_msisdn, row.tenant_id, "replies.msisdn", row.reply_id)),
        text=vault.open(row.reply_text, row.tenant_id, "replies.text", row.reply_id),
        at=row.at,
        subject=row.subject,
        customer_ref=row.customer_ref or "",
        kind=(row.details or {}).get("kind") or "",
        message_id=show("msg", row.message_id) if row.message_id is not None else "",
        event_id=show("evt", row.message_event) if row.message_event is not None else "",
        answer=row.reply_answer or "",
        answers=row.reply_answers or "",
    )


def _msisdn(vault: Vault, row: AnyRow) -> Msisdn | None:
    if row.msisdn is None:
        return None
    return Msisdn(vault.open(row.msisdn, row.tenant_id, "contacts.msisdn", row.person_id))
