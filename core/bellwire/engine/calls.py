"""What goes to the sender and comes back: claimed messages, the call they make, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from bellwire.errors import CarrierError, ErrorClass
from bellwire.model import Carrier, CarrierAccount, Outcome, Outgoing, Verdict
from bellwire.store.charges import Charge
from bellwire.store.types import AnyRow


class Claim(NamedTuple):
    """One claimed message: its row as it was locked, the epoch that fences it, and what is given back if it was not sent."""

    row: AnyRow
    epoch: int
    attempt_id: UUID
    charge: Charge | None


class Job(NamedTuple):
    """One call: the messages in it and who takes them.

    `start_at`: when its rate lets it start, monotonic seconds; `most`: how many of its account and sender may start in any second.
    """

    carrier: Carrier
    account: CarrierAccount
    messages: Sequence[Outgoing]
    claims: Sequence[Claim]
    owner: UUID
    start_at: float = 0.0
    most: int | None = None


class Begun(NamedTuple):
    """A job whose call has begun. `began`: monotonic seconds."""

    job: Job
    began: float
    started_at: datetime

    def ended(self, at: datetime, outcomes: Sequence[Outcome] | Exception, http_status: int | None = None) -> Finished:
        """The same, ended. An exception: what it means for each message."""
        messages = self.job.messages
        named = [_failed(message, outcomes) for message in messages] if isinstance(outcomes, Exception) else outcomes
        return Finished(self.job, _complete(messages, named), self.began, self.started_at, at, http_status)

    def never_started(self) -> Finished:
        """Its call was not begun after all: it stopped, or its worker was called dead."""
        return Finished(self.job, (), self.began, self.started_at, self.started_at, never_started=True)


@dataclass(slots=True)
class Finished:
    """A job and what came of it: one outcome per message, or that the call was never started. `began`: monotonic seconds."""

    job: Job
    outcomes: Sequence[Outcome]
    began: float
    started_at: datetime
    ended_at: datetime
    http_status: int | None = None
    never_started: bool = False


def _failed(message: Outgoing, error: Exception) -> Outcome:
    """What an exception means for one message: what is not certain not to have been sent is ambiguous."""
    error_class = error.error_class if isinstance(error, CarrierError) else ErrorClass.AMBIGUOUS
    verdict = Verdict.AMBIGUOUS if error_class is ErrorClass.AMBIGUOUS else Verdict.REJECTED
    return Outcome(
        message_id=message.message_id, verdict=verdict, error_class=error_class, detail=f"{type(error).__name__}: {error}"[:200]
    )


def _complete(messages: Sequence[Outgoing], outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    """One outcome per message, in order; one that the answer does not name is ambiguous."""
    if len(messages) == 1 and len(outcomes) == 1 and outcomes[0].message_id == messages[0].message_id:
        return outcomes
    named = {outcome.message_id: outcome for outcome in outcomes}
    return [
        named.get(message.message_id)
        or Outcome(
            message_id=message.message_id,
            verdict=Verdict.AMBIGUOUS,
            error_class=ErrorClass.AMBIGUOUS,
            detail="the answer does not name this message",
        )
        for message in messages
    ]
