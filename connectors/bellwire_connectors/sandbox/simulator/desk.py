"""The simulator's judgement: takes or refuses each text, lets the handset have it, and sends the receipts that follow."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, Literal

from bellwire import ErrorClass
from pydantic import BaseModel, ConfigDict, Field

from ..plan import ORDINARY, THROTTLE_S, Scenario, scenario
from .book import Book, Call, Message
from .callbacks import Courier
from .knobs import Fault, Knobs, Limit
from .wire import Answer, Callback, Mo, Request, Result, Submission, Wire

#: Words that the carrier answers itself, by what they mean (Twilio's default keywords).
WORDS = dict.fromkeys(("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "OPTOUT", "REVOKE"), "STOP")
WORDS |= dict.fromkeys(("START", "UNSTOP", "YES"), "START") | dict.fromkeys(("HELP", "INFO"), "HELP")
CONFIRMATIONS = {
    "STOP": "You have been unsubscribed and will get no more messages. Reply START to resubscribe.",
    "START": "You are subscribed again. Reply STOP to unsubscribe.",
    "HELP": "Reply STOP to unsubscribe.",
}


@dataclass(slots=True, kw_only=True)
class Done:
    """A send, judged. `answer` None: silence. `first`: receipts to deliver before answering. `delay_s`: before the answer."""

    answer: Answer | None
    first: Sequence[Callable[[], Callback]] = ()
    delay_s: float = 0.0


class ReplyOrder(BaseModel):
    """A reply that somebody wants a handset to send. `secret`: what to sign with, that of the last send when left out."""

    model_config = ConfigDict(extra="forbid")
    carrier: Literal["sandbox", "twilio"]
    url: Annotated[str, Field(max_length=2_000)]
    msisdn: Annotated[str, Field(alias="from", min_length=1, max_length=32)]
    to: Annotated[str, Field(max_length=64)] = ""
    text: Annotated[str, Field(max_length=10_000)]
    id: Annotated[str, Field(max_length=64)] = ""
    secret: str = ""
    account: Annotated[str, Field(max_length=64)] = ""
    attempts: Annotated[int, Field(ge=1, le=10)] = 5


@dataclass(slots=True)
class Desk:
    """One simulated carrier."""

    book: Book
    courier: Courier
    knobs: Knobs = field(default_factory=Knobs)
    limit: Limit = field(default_factory=Limit)

    def submit(self, wire: Wire, request: Request, call: Call, fault: Fault | None) -> Done:
        """Judge one send."""
        if fault is not None and fault.status == 401:
            return Done(answer=wire.error(ErrorClass.AUTH, "the credentials are refused"))
        read = wire.read(request)
        if isinstance(read, Answer):
            return Done(answer=read)
        call.refs = [one.ref for one in read]
        if fault is not None and not fault.takes:
            return Done(answer=_failing(wire, fault))
        if self.knobs.rate and not self.limit.take(len(read), self.knobs.rate, time.monotonic()):
            self.book.rejected += len(read)
            return Done(answer=wire.error(ErrorClass.THROTTLED, "too many messages a second", THROTTLE_S))
        first: list[Callable[[], Callback]] = []
        results = [self._one(wire, one, call, first) for one in read]
        answer = wire.answer(results)
        if fault is not None and (fault.garbage or fault.status >= 500):
            answer = _failing(wire, fault)
        return Done(answer=answer, first=first, delay_s=max(scenario(one.to).answer_after_s for one in read))

    def _one(self, wire: Wire, wanted: Submission, call: Call, first: list[Callable[[], Callback]]) -> Result:
        found = scenario(wanted.to)
        self.book.secrets.pop((wire.name, wanted.account), None)
        self.book.secrets[wire.name, wanted.account] = wanted.secret
        known = (
            self.book.by_ref(wire.name, wanted.account, wanted.ref) if wire.name == "sandbox" and self.knobs.idempotent else None
        )
        if known is not None:
            self.book.repeats[wanted.ref] += 1
            return Result(submission=wanted, message=known, silent=found.silent)
        refusal = found.refusal
        if found.once and not self.book.throttle_once(wanted.ref):
            refusal = None
        if self.knobs.stops and (wanted.sender or wanted.service, wanted.to) in self.book.opted_out:
            refusal = ErrorClass.OPTED_OUT
        if refusal is not None:
            self.book.rejected += 1
            wait = THROTTLE_S if refusal is ErrorClass.THROTTLED else None
            return Result(submission=wanted, refusal=refusal, says=found.says, retry_after_s=wait)
        price = self.knobs.price
        message = Message(
            carrier=wire.name,
            id=wire.new_id(wanted),
            ref=wanted.ref,
            to=wanted.to,
            sender=wanted.sender,
            text=wanted.text,
            segments=wanted.segments,
            dlr_url=wanted.dlr_url,
            account=wanted.account,
            secret=wanted.secret,
            service=wanted.service,
            price=price,
            currency=self.knobs.currency if price else "",
        )
        self.book.take(message, call)
        self._schedule(wire, message, found, first)
        return Result(submission=wanted, message=message, silent=found.silent)

    def _schedule(self, wire: Wire, message: Message, found: Scenario, first: list[Callable[[], Callback]]) -> None:
        later = asyncio.get_running_loop().call_later
        if found is not ORDINARY:
            for step in found.steps:
                later(step.after_s, self._step, self.book, wire, message, step.status, step.code, 1)
            return
        delay_s, pushes = self.knobs.dlr_delay_ms / 1000, {"none": 0, "twice": 2}.get(self.knobs.dlr, 1)
        if self.knobs.dlr == "late":
            delay_s += self.knobs.late_ms / 1000
        if self.knobs.dlr == "first":
            delay_s, pushes = 0.0, 0
            if message.dlr_url:
                first.append(partial(wire.receipt, message, "delivered", ""))
        later(delay_s, self._step, self.book, wire, message, "delivered", "", pushes)

    def _step(self, book: Book, wire: Wire, message: Message, status: str, code: str, pushes: int) -> None:
        if book is not self.book:
            return  # forgotten by a reset
        if status == "delivered" and message.status != "delivered":
            self.book.show(wire.name, message.to, message.sender, message.text, message.ref, message.segments)
        if message.status != "delivered":
            message.status, message.code = status, code
        for _ in range(pushes if message.dlr_url else 0):
            self.courier.soon(partial(wire.receipt, message, status, code), self.knobs.callback_attempts)

    async def reply(self, wire: Wire, order: ReplyOrder) -> dict[str, Any]:
        """Let a handset text back: the id, and the HTTP status that Bellwire answered (0: none)."""
        meaning = WORDS.get(order.text.strip().upper(), "") if self.knobs.stops else ""
        if meaning == "STOP":
            self.book.opted_out.add((order.to, order.msisdn))
        if meaning == "START":
            self.book.opted_out.discard((order.to, order.msisdn))
        if meaning:
            self.book.show(wire.name, order.msisdn, order.to, CONFIRMATIONS[meaning])
        account, secret = self._signs(wire.name, order)
        mo = Mo(
            id=order.id or f"{'SM' if wire.name == 'twilio' else 'sbr_'}{secrets.token_hex(16)}",
            url=order.url,
            msisdn=order.msisdn,
            to=order.to,
            text=order.text,
            secret=secret,
            account=account,
            answered=meaning,
        )
        return {"id": mo.id, "status": await self.courier.now(partial(wire.reply, mo), order.attempts)}

    def _signs(self, carrier: str, order: ReplyOrder) -> tuple[str, str]:
        """The account and secret of a reply: what the order says, else those of the last send."""
        known = [(account, secret) for (name, account), secret in self.book.secrets.items() if name == carrier]
        account, secret = next((one for one in reversed(known) if not order.account or one[0] == order.account), ("", ""))
        return order.account or account, order.secret or secret


def _failing(wire: Wire, fault: Fault) -> Answer | None:
    """The answer of a fault that has one."""
    if fault.garbage:
        return Answer(status=200, body=b"<html>It works!</html>", content_type="text/html")
    if not fault.status:
        return None
    if not fault.own_body:
        return Answer(status=fault.status)
    if fault.status == 429:
        return wire.error(ErrorClass.THROTTLED, "too many messages", THROTTLE_S)
    own = wire.error(ErrorClass.CARRIER_DOWN, "out of order", THROTTLE_S if fault.status == 503 else None)
    return Answer(status=fault.status, body=own.body, content_type=own.content_type, headers=own.headers)
