"""Does a carrier build its call and understand any answer, also one that makes no sense?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product

from bellwire.certification.kit import Kit
from bellwire.certification.rules import Level, NotJudged, Rule, claim
from bellwire.model import Carrier, Encoding, HttpAnswer, Outcome, Outgoing, Purpose, Verdict
from bellwire.testing import account, answer, outgoing, samples

_STATUSES = (200, 201, 202, 204, 301, 400, 401, 402, 403, 404, 409, 422, 429, 500, 502, 503, 504)
_BODIES = (b"", b"{", b"null", b"[]", b"{}", b'"ok"', b"7", b"<html>Bad gateway</html>", b"\xff\xfe", b"[" * 50_000)

MESSAGES = (
    outgoing(),
    outgoing(text="Привет, ваш заказ готов", encoding=Encoding.UCS2),
    outgoing(text="code 123456", purpose=Purpose.OTP, validity_s=120),
    outgoing(text="", sender_id="", dlr_url=""),
)


def interpreted(carrier: Carrier, given: HttpAnswer, messages: Sequence[Outgoing]) -> Sequence[Outcome]:
    """What the carrier takes an answer for, one outcome a message. Raises NotJudged, AssertionError."""
    if carrier.interpret is None:
        raise NotJudged(f"{carrier.name} does not go over HTTP")
    outcomes = carrier.interpret(given, messages, account(carrier))
    claim(
        [one.message_id for one in outcomes] == [one.message_id for one in messages], "not one outcome for each message, in order"
    )
    return outcomes


def _build(carrier: Carrier) -> None:
    if carrier.build is None:
        raise NotJudged(f"{carrier.name} does not go over HTTP")
    usual = account(carrier)
    elsewhere = replace(usual, settings={**usual.settings, "base_url": "https://carrier.example"})
    for message in MESSAGES:
        call = carrier.build([message], elsewhere)
        claim(call == carrier.build([message], elsewhere), "`build` is not a pure function")
        claim(call.url.startswith("https://carrier.example/"), "`settings.base_url` is not where the call goes")
        claim(not message.text or message.text not in repr(call), "the call's repr shows the text")
        if not carrier.by_session(usual):
            claim(carrier.build([message], usual).url.startswith("https://"), "the vendor's address is not https")


def _samples(carrier: Carrier) -> None:
    names = [name for name in samples(carrier.samples) if name.startswith("answer")]
    if not names:
        raise NotJudged("there is no answer_… sample")
    for name in names:
        interpreted(carrier, answer(carrier.samples, name), [outgoing()])


def _nonsense(carrier: Carrier) -> None:
    for status, body in product(_STATUSES, _BODIES):
        (outcome,) = interpreted(carrier, HttpAnswer(status=status, body=body), [outgoing()])
        claim(
            outcome.verdict is not Verdict.ACCEPTED, f"HTTP {status} with a body of {len(body)} bytes was taken for an acceptance"
        )
        claim(outcome.error_class is not None, f"HTTP {status}: the outcome has no error class")
        if 200 <= status < 300:
            claim(outcome.verdict is Verdict.AMBIGUOUS, f"HTTP {status} without sense is ambiguous: the message may be on its way")


def _asking(check: Callable[[Carrier], None]) -> Callable[[Kit], None]:
    def ask(kit: Kit) -> None:
        if isinstance(kit.subject, Carrier):
            check(kit.subject)

    return ask


RULES = (
    Rule("call", Level.BRONZE, "A message's call goes to the account's address and hides its text.", _asking(_build)),
    Rule("answer-samples", Level.BRONZE, "An answer sample gives one outcome a message.", _asking(_samples)),
    Rule("nonsense", Level.BRONZE, "An answer without sense is never an acceptance.", _asking(_nonsense)),
)
