"""What carriers answered becomes rows: accepted, tried again, given to the backup, failed, or unknown."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain import retries
from bellwire.domain import status as statuses
from bellwire.domain.consent import Source, Statement
from bellwire.engine import consents
from bellwire.engine.accounts import Accounts
from bellwire.engine.calls import Claim, Finished, Job
from bellwire.engine.followups import Followups
from bellwire.engine.notes import noted, notes_of
from bellwire.engine.rates import Rates
from bellwire.engine.routes import backup_for, second_send
from bellwire.engine.runtime import Engine
from bellwire.errors import ErrorClass
from bellwire.ids import show
from bellwire.masking import mask
from bellwire.model import Capability, ConsentState, Outcome, Reason, Status, Verdict
from bellwire.store import dispatch
from bellwire.store.charges import Charge
from bellwire.store.schema import STATUS_CODES, STATUS_OF
from bellwire.store.types import AnyRow

DLR_AFTER = timedelta(hours=24)  # a receipt that has not come by then is overdue

_OPEN = (Status.SENDING, Status.UNKNOWN)  # otherwise a receipt has told more than the answer can

#: A carrier that refuses an opted-out number tells us of a STOP that went to it.
_CARRIER_STOP = Statement(purpose=None, state=ConsentState.OPTED_OUT, source=Source.CARRIER)


@dataclass(slots=True)
class _Rows:
    """What one cycle writes of finished calls."""

    recorded: list[dict[str, Any]] = field(default_factory=list)
    given_back: list[dict[str, Any]] = field(default_factory=list)
    attempts: list[dict[str, Any]] = field(default_factory=list)
    refunds: list[Charge] = field(default_factory=list)


class Recorder:
    """Records finished calls inside the cycle's transaction."""

    def __init__(
        self,
        engine: Engine,
        accounts: Accounts,
        connection: sa.Connection,
        rates: Rates,
        followups: Followups,
        now: datetime,
        rand: random.Random,
    ) -> None:
        self._engine, self._accounts, self._connection = engine, accounts, connection
        self._rates, self._followups, self._now, self._rand = rates, followups, now, rand

    def run(self, finished: Sequence[Finished]) -> Sequence[Charge]:
        """Write what ended; the refunds that follow, to be paid by the caller."""
        rows = _Rows()
        ended = [{"id": claim.row.id, "owner": one.job.owner, "epoch": claim.epoch} for one in finished for claim in one.job.claims]
        as_claimed = dispatch.still_claimed(self._connection, ended) == len(ended)  # nearly always: then nothing more is read
        held = {} if as_claimed else dispatch.held(self._connection, [one["id"] for one in ended])
        for one in finished:
            for place, claim in enumerate(one.job.claims):
                current = Status.SENDING if as_claimed else _current(held.get(claim.row.id), one.job, claim)
                if one.never_started:
                    self._unstarted(one.job, claim, current, rows)
                else:
                    self._ended(one, claim, one.outcomes[place], current, rows)
        dispatch.record(self._connection, rows.recorded, self._now, self._now + DLR_AFTER)
        dispatch.give_back(self._connection, rows.given_back, self._now)
        dispatch.add_attempts(self._connection, rows.attempts)
        return rows.refunds

    def _unstarted(self, job: Job, claim: Claim, current: Status | None, rows: _Rows) -> None:
        """No call was begun: it waits again as if it had not been claimed."""
        if current is None:
            return
        if current is Status.SENDING:
            row = claim.row
            rows.given_back.append(self._back(claim, job, row.due, row.account_id, row.sender_id, attempts=row.attempts))
        if claim.charge is not None:
            rows.refunds.append(claim.charge)

    def _ended(self, one: Finished, claim: Claim, outcome: Outcome, current: Status | None, rows: _Rows) -> None:
        """A call was made. `current` None: the message is not this claim's any more; the attempt is still told of."""
        error_class = effective_class(outcome)
        rows.attempts.append(_attempt(one, claim, outcome, error_class))
        self._heed(one, outcome, error_class)
        if error_class is ErrorClass.OPTED_OUT:
            self._stopped(claim.row)
        if error_class is None:
            if current is not None:
                rows.recorded.append(self._result(claim, Status.SENT, outcome, current))
            return
        next_, backup, note = self._next(one, claim, outcome, error_class)
        again_here = next_.action is retries.Action.RETRY_SAME and current is Status.SENDING
        if claim.charge is not None and (again_here or error_class is not ErrorClass.AMBIGUOUS):
            rows.refunds.append(claim.charge)  # nothing was taken, or an idempotent carrier counts both tries as one
        if current is None:
            return
        row, job = claim.row, one.job
        if again_here:
            rows.given_back.append(self._back(claim, job, next_.at, row.account_id, row.sender_id, note=note))
        elif next_.action is retries.Action.NEXT_CARRIER and backup is not None and current is Status.SENDING:
            tried = [*(row.tried or ()), show("acc", row.account_id)]
            rows.given_back.append(self._back(claim, job, next_.at, backup[0], backup[1], tried=tried, note=note))
        else:
            status = next_.status if next_.status is not Status.QUEUED else self._too_late(row, error_class)
            rows.recorded.append(self._result(claim, status, outcome, current, note))

    def _stopped(self, row: AnyRow) -> None:
        """The carrier has the person on its stop list: it heard a STOP that we did not."""
        held = self._engine.configs.get(self._connection, row.tenant_id, self._now)
        if held is not None:
            consents.record(self._engine, self._connection, held, statement=_CARRIER_STOP, now=self._now, contact_id=row.contact_id)

    def _next(
        self, one: Finished, claim: Claim, outcome: Outcome, error_class: ErrorClass
    ) -> tuple[retries.Next, tuple[UUID, str] | None, dict[str, Any]]:
        row = claim.row
        config = self._accounts.config(row.tenant_id)
        notes = notes_of(row.notes)
        tried = [*(row.tried or ()), show("acc", row.account_id)]
        backup = backup_for(config, self._engine.plugins.carriers, self._accounts.is_healthy, row, tried) if config else None
        next_ = retries.after(
            error_class,
            row.attempts + 1,
            self._now,
            row.expires_at,
            rand=self._rand.random(),
            retry_after_s=outcome.retry_after_s,
            has_backup=backup is not None,
            outages=sum(note.get("times", 1) for note in notes if note.get("class") == ErrorClass.CARRIER_DOWN)
            + (error_class is ErrorClass.CARRIER_DOWN),
            unknown_tried=any(note.get("class") == ErrorClass.UNKNOWN for note in notes),
            idempotent=Capability.IDEMPOTENT_BY_REFERENCE in one.job.carrier.capabilities,
            maybe_sent=bool(row.doubt),
            second_send=second_send(config, row) if config else False,
        )
        note = {"step": "attempt", "outcome": str(next_.action), "class": str(error_class), "account": show("acc", row.account_id)}
        return next_, backup, note

    @staticmethod
    def _too_late(row: AnyRow, error_class: ErrorClass) -> Status:
        """Another try was allowed, but the message is called `unknown` meanwhile, and goes nowhere by itself any more."""
        return Status.UNKNOWN if error_class is ErrorClass.AMBIGUOUS or row.doubt else Status.FAILED

    def _heed(self, one: Finished, outcome: Outcome, error_class: ErrorClass | None) -> None:
        """Do what the answer asks of the account itself: go slower, or stop."""
        account_id = one.job.account.id
        if error_class is ErrorClass.THROTTLED:
            self._rates.throttle(account_id, one.job.messages[0].sender_id, outcome.retry_after_s)
        elif error_class in (ErrorClass.AUTH, ErrorClass.INSUFFICIENT_FUNDS):
            dispatch.disable_account(self._connection, account_id, str(error_class), outcome.code, self._now)

    def _back(
        self,
        claim: Claim,
        job: Job,
        due: datetime,
        account_id: UUID,
        sender_id: str | None,
        *,
        attempts: int | None = None,
        tried: list[str] | None = None,
        note: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        row = claim.row
        return {
            "id": row.id,
            "owner": job.owner,
            "epoch": claim.epoch,
            "due": due,
            "account": account_id,
            "sender": sender_id,
            "tried": tried if tried is not None else row.tried,
            "attempts": row.attempts + 1 if attempts is None else attempts,
            "notes": noted(row.notes, note, self._now) if note else None,
        }

    def _result(
        self, claim: Claim, status: Status, outcome: Outcome, current: Status, note: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """The row of a message whose attempt settled it, and what follows where it moved: an early receipt may have said more."""
        row = claim.row
        moved = statuses.end_attempt(current, status) if current in _OPEN else None
        after = moved or current
        reason = Reason.EXPIRED if moved is Status.EXPIRED else None
        if moved is not None and moved is not current:
            config = self._accounts.config(row.tenant_id)
            if config is not None:
                self._followups.moved(config, row, moved, self._now, reason)
        return {
            "id": row.id,
            "epoch": claim.epoch,
            "status": STATUS_CODES[after],
            "ref": outcome.carrier_ref or None,
            "handed_over": int(outcome.handed_over),
            "reason": reason,
            "notes": noted(row.notes, note, self._now) if note else None,
        }


def effective_class(outcome: Outcome) -> ErrorClass | None:
    """What an outcome means for what follows; None: accepted. What is not certain is ambiguous, whatever class it names."""
    if outcome.verdict is Verdict.ACCEPTED:
        return None
    if outcome.verdict is Verdict.AMBIGUOUS:
        return ErrorClass.AMBIGUOUS
    return outcome.error_class or ErrorClass.UNKNOWN


def _current(held: AnyRow | None, job: Job, claim: Claim) -> Status | None:
    """Where the message of a claim stands; None when it is another's by now."""
    if held is None or held.owner != job.owner or held.epoch != claim.epoch:
        return None
    return STATUS_OF[held.status]


def _attempt(one: Finished, claim: Claim, outcome: Outcome, error_class: ErrorClass | None) -> dict[str, Any]:
    return {
        "id": claim.attempt_id,
        "tenant_id": claim.row.tenant_id,
        "message_id": claim.row.id,
        "account_id": claim.row.account_id,
        "number": claim.row.attempts + 1,
        "started_at": one.started_at,
        "ended_at": one.ended_at,
        "outcome": str(outcome.verdict),
        "error_class": error_class and str(error_class),
        "code": outcome.code[:64] or None,
        "detail": (mask(outcome.detail)[:200] or None) if outcome.detail else None,
        "http_status": one.http_status,
        "carrier_ref": outcome.carrier_ref or None,
        "charge": None,
    }
