"""What is a carrier's answer taken for where HTTP itself tells it, and do its calls keep what is secret?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bellwire.certification.kit import Kit
from bellwire.certification.rules import Level, NotJudged, Rule, claim
from bellwire.certification.sending import interpreted
from bellwire.errors import ErrorClass
from bellwire.model import Carrier, CarrierAccount, HttpAnswer, HttpCall, Outcome, Verdict
from bellwire.testing import account, outgoing

_NOT_ITS_OWN = (b"", b"<html>Bad gateway</html>", b"{}")
_PLANTED = "planted-0123456789abcdef"
_ELSEWHERE = "https://carrier.example"


def _told(carrier: Carrier, given: HttpAnswer) -> Outcome:
    [outcome] = interpreted(carrier, given, [outgoing()])
    return outcome


def _refused_key(carrier: Carrier) -> None:
    for body in _NOT_ITS_OWN:
        told = _told(carrier, HttpAnswer(status=401, body=body))
        claim(
            (told.verdict, told.error_class) == (Verdict.REJECTED, ErrorClass.AUTH),
            f"HTTP 401 with a body of {len(body)} bytes is {told.verdict} as {told.error_class}, not rejected as auth",
        )


def _too_many(carrier: Carrier) -> None:
    for headers, wait_s in (({"retry-after": "7"}, 7.0), ({}, None)):
        told = _told(carrier, HttpAnswer(status=429, headers=headers))
        claim(
            (told.verdict, told.error_class) == (Verdict.REJECTED, ErrorClass.THROTTLED),
            f"HTTP 429 is {told.verdict} as {told.error_class}, not rejected as throttled",
        )
        claim(told.retry_after_s == wait_s, f"HTTP 429 with {headers or 'no Retry-After'} waits {told.retry_after_s} s")


def _server_error(carrier: Carrier) -> None:
    for status in (500, 502, 503, 504):
        for body in _NOT_ITS_OWN:
            told = _told(carrier, HttpAnswer(status=status, body=body))
            claim(
                told.verdict is Verdict.AMBIGUOUS,
                f"HTTP {status} with a body of {len(body)} bytes is {told.verdict}: the message may be on its way",
            )


def _hiding(carrier: Carrier) -> None:
    at = account(carrier)
    planted = {one.name: _PLANTED for one in carrier.fields if one.secret and one.kind is str}
    if not planted:
        raise NotJudged(f"{carrier.name} has no secret")
    at = replace(at, credentials={**at.credentials, **planted}, settings={**at.settings, "base_url": _ELSEWHERE})
    for name, call in _calls(carrier, at):
        claim(_PLANTED not in call.url, f"`{name}` has a secret in the call's address: proxies and logs keep addresses")
        claim(_PLANTED not in repr(call), f"the repr of the call of `{name}` shows a secret")


def _calls(carrier: Carrier, at: CarrierAccount) -> list[tuple[str, HttpCall]]:
    if carrier.build is None:
        raise NotJudged(f"{carrier.name} does not go over HTTP")
    found = [("build", carrier.build([outgoing()], at))]
    if carrier.build_query is not None:
        found.append(("build_query", carrier.build_query("ref-1", outgoing(), at)))
    if carrier.check is not None:
        found.append(("check", carrier.check(at)))
    return found


def _checking(carrier: Carrier) -> None:
    if carrier.check is None or carrier.checked is None:
        raise NotJudged(f"{carrier.name} has no check")
    usual = account(carrier)
    call = carrier.check(replace(usual, settings={**usual.settings, "base_url": _ELSEWHERE}))
    claim(call.url.startswith(f"{_ELSEWHERE}/"), "`settings.base_url` is not where the check asks")
    for status in (401, 404, 500, 302, 200):
        for body in _NOT_ITS_OWN:
            said = carrier.checked(HttpAnswer(status=status, body=body))
            claim(bool(said), f"HTTP {status} with a body of {len(body)} bytes is well to the check")


def _asking(check: Callable[[Carrier], None]) -> Callable[[Kit], Any]:
    return lambda kit: check(kit.subject) if isinstance(kit.subject, Carrier) else None


RULES = (
    Rule("answer-401", Level.SILVER, "401 is a refusal of the account, for a person to act.", _asking(_refused_key)),
    Rule("answer-429", Level.SILVER, "429 is no acceptance: later, and the Retry-After is kept.", _asking(_too_many)),
    Rule("answer-5xx", Level.SILVER, "5xx without the carrier's own error is ambiguous.", _asking(_server_error)),
    Rule("hidden-secrets", Level.SILVER, "No call has a secret in its address or shows one.", _asking(_hiding)),
    Rule("check-answers", Level.SILVER, "The check says that a key is refused, and that nobody is there.", _asking(_checking)),
)
