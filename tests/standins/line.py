"""A carrier whose answers a test writes, and that notes each send with its time."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from bellwire.errors import ErrorClass
from bellwire.model import (
    Capability,
    Carrier,
    CarrierAccount,
    CredentialField,
    Outcome,
    Outgoing,
    Verdict,
    WebhookRequest,
)


@dataclass(frozen=True, slots=True)
class Sent:
    """One message that was handed over. `at`: monotonic seconds."""

    at: float
    account_id: UUID
    message: Outgoing


Answer = Callable[[Outgoing, CarrierAccount], "Outcome | Awaitable[Outcome]"]


def accepted(message: Outgoing, _account: CarrierAccount) -> Outcome:
    """The carrier has it, under an id of its own."""
    return Outcome(message_id=message.message_id, verdict=Verdict.ACCEPTED, carrier_ref=f"line-{message.message_id.hex}")


def says(error: ErrorClass, *, retry_after_s: float | None = None) -> Answer:
    """The carrier says no (or, for `ambiguous`, nobody knows)."""
    verdict = Verdict.AMBIGUOUS if error is ErrorClass.AMBIGUOUS else Verdict.REJECTED

    def answer(message: Outgoing, _account: CarrierAccount) -> Outcome:
        return Outcome(message_id=message.message_id, verdict=verdict, error_class=error, code=error, retry_after_s=retry_after_s)

    return answer


async def silence(message: Outgoing, _account: CarrierAccount) -> Outcome:
    """No answer for as long as anybody waits."""
    await asyncio.sleep(3_600)
    raise AssertionError(message)


def when(gate: threading.Event, then: Answer = accepted) -> Answer:
    """The answer comes once the gate is open."""

    async def answer(message: Outgoing, account: CarrierAccount) -> Outcome:
        while not gate.is_set():
            await asyncio.sleep(0.002)
        result = then(message, account)
        return await result if inspect.isawaitable(result) else result

    return answer


class Line:
    """`carrier` is what the engine gets; `answer` what the next send is told."""

    def __init__(self, name: str = "line", *capabilities: Capability, rate: float | None = None) -> None:
        self.answer: Answer = accepted
        self.sent: list[Sent] = []
        self._arrived = threading.Condition()
        self.carrier = Carrier(
            name=name,
            title="Line",
            capabilities=frozenset(capabilities),
            settings=(
                CredentialField(name="sender_id", help="what the handset shows", required=False, secret=False),
                CredentialField(name="prices", help="prices", required=False, secret=False, kind=dict),
            ),
            default_rate=rate,
            verify=_trusting,
            send=self._send,
        )

    async def _send(self, messages: Sequence[Outgoing], account: CarrierAccount) -> Sequence[Outcome]:
        outcomes = []
        for message in messages:
            with self._arrived:
                self.sent.append(Sent(time.monotonic(), account.id, message))
                self._arrived.notify_all()
            answer = self.answer(message, account)
            outcomes.append(await answer if inspect.isawaitable(answer) else answer)
        return outcomes

    def wait(self, count: int, within_s: float = 10.0) -> list[Sent]:
        """What was sent, once it is so many."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.sent) >= count, within_s), f"{len(self.sent)} of {count} sends"
            return list(self.sent)

    @property
    def times(self) -> Counter[UUID]:
        """How often each message was handed over."""
        with self._arrived:
            return Counter(one.message.message_id for one in self.sent)


def _trusting(_request: WebhookRequest, _account: CarrierAccount, _now: datetime) -> None:
    """Its callbacks are not signed."""
