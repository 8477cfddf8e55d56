"""Whether a text may go: the tenant's consent policy over what the person said.

Policy is applied when a text is judged and when a STOP is read, never to what is kept: changing it needs no second look at the
ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeVar

from bellwire.domain.keywords import Kind, Match, Rule
from bellwire.domain.ledger import SILENT, Said, Source, Standing, Statement, apply
from bellwire.errors import FieldInvalid
from bellwire.model import ConsentState, Purpose, Reason

__all__ = [
    "CONFIRMATION",
    "Basis",
    "Policy",
    "Said",
    "Scope",
    "Source",
    "Standing",
    "Statement",
    "Transactional",
    "Verdict",
    "apply",
    "heard",
    "may_text",
]

_Word = TypeVar("_Word", bound=StrEnum)


class Basis(StrEnum):
    """What a text rests on beside recorded consent."""

    EVENT = "event"
    API = "api"
    VERIFICATION = "verification"


#: The basis of our answer to a person's own STOP, START or HELP. It is no text in the sense of `may_text`: it rests on that reply
#: alone, goes once, and at once (47 CFR 64.1200(a)(12): within five minutes, nothing else in it).
CONFIRMATION = "confirmation"


class Transactional(StrEnum):
    """What a transactional text needs."""

    IMPLIED = "implied"  # the transaction itself is enough
    EXPLICIT = "explicit"


class Scope(StrEnum):
    """What a STOP ends. US law asks for `all` from 31 January 2027 (47 CFR 64.1200(a)(10))."""

    ALL = "all"
    CATEGORY = "category"  # the purpose of the text that was answered


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A tenant's consent rules. `double_opt_in`: marketing needs a confirmed opt-in."""

    transactional: Transactional = Transactional.IMPLIED
    revocation_scope: Scope = Scope.ALL
    double_opt_in: bool = False

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Policy:
        """From a tenant's settings, `consent` as an object. Raises FieldInvalid naming the setting."""
        raw = settings.get("consent")
        if raw is None:
            return _DEFAULT
        if not isinstance(raw, Mapping):
            raise FieldInvalid("consent", "must be an object with transactional, revocation_scope, double_opt_in")
        for name in raw:
            if name not in ("transactional", "revocation_scope", "double_opt_in"):
                raise FieldInvalid(f"consent.{str(name)[:40]}", "is not known here", "unknown_field")
        double = raw.get("double_opt_in", False)
        if not isinstance(double, bool):
            raise FieldInvalid("consent.double_opt_in", "must be true or false")
        return cls(
            transactional=_one_of(Transactional, raw.get("transactional", "implied"), "consent.transactional"),
            revocation_scope=_one_of(Scope, raw.get("revocation_scope", "all"), "consent.revocation_scope"),
            double_opt_in=double,
        )


_DEFAULT = Policy()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a text may go. `line`: what decided, without a personal value.

    `record`: the statement that the text itself makes, for the ledger; None when nothing new is said.
    """

    allowed: bool
    line: str
    reason: Reason | None = None
    record: Statement | None = None


def may_text(purpose: Purpose, standing: Standing, policy: Policy, *, basis: Basis | str) -> Verdict:
    """Judge one text. Total, and never in favour of a suppressed number.

    marketing needs an explicit opt-in. transactional goes on one, or on the transaction that `basis` names (an event, or the API
    caller's word) unless the tenant wants it explicit. otp needs the person's own request only. No purpose goes after an opt-out.
    The answers to STOP and HELP are no texts in this sense (`CONFIRMATION`).
    """
    if not standing.marks:
        return _to_the_silent(purpose, policy, basis)
    return _judged(Purpose(purpose), standing, policy, Basis(basis))


@lru_cache(maxsize=256)
def _to_the_silent(purpose: Purpose, policy: Policy, basis: Basis | str) -> Verdict:
    """Most people have said nothing yet: theirs is one of a few verdicts."""
    return _judged(Purpose(purpose), SILENT, policy, Basis(basis))


def _judged(purpose: Purpose, standing: Standing, policy: Policy, basis: Basis) -> Verdict:
    suppression = standing.suppression
    if suppression is not None:
        return _refused(Reason.SUPPRESSED, f"suppressed since {_day(suppression.at)} ({suppression.source})")
    record = standing.record(purpose)
    if record is not None and record.state is ConsentState.OPTED_OUT:
        return _refused(Reason.OPTED_OUT, f"opted out of {purpose} on {_said(record)}")
    if purpose is Purpose.OTP:
        return Verdict(allowed=True, line="otp is sent at the person's own request")
    if record is not None and record.state is ConsentState.OPTED_IN:
        if purpose is Purpose.MARKETING and policy.double_opt_in and not standing.is_confirmed(purpose):
            return _refused(
                Reason.NO_CONSENT, f"opted in to {purpose} on {_said(record)}, and has not confirmed it (double opt-in)"
            )
        return Verdict(allowed=True, line=f"opted in to {purpose} on {_said(record)}")
    if purpose is Purpose.MARKETING or policy.transactional is Transactional.EXPLICIT:
        return _refused(Reason.NO_CONSENT, f"{purpose} needs an opt-in, and none is recorded")
    source, by = (Source.EVENT, "the event") if basis is Basis.EVENT else (Source.API, "the caller's request")
    implied = Statement(purpose=purpose, state=ConsentState.IMPLIED, source=source) if record is None else None
    return Verdict(allowed=True, line=f"{purpose} is implied by {by}", record=implied)


def heard(
    match: Match, *, policy: Policy, replied_to: Purpose | None = None, at: datetime | None = None, proof: str = ""
) -> Statement | None:
    """The statement that a reply makes, None for HELP and for what is no keyword.

    `replied_to`: the purpose of the text it answers, None when we know of none. A STOP ends all purposes, or that one where the
    tenant's `revocation_scope` is `category`; a phrase that only sounds like it ends marketing. START resumes as much as STOP ends;
    a yes to our question is a confirmed opt-in to marketing. `proof`: the reply's id.
    """
    scope = None if policy.revocation_scope is Scope.ALL else replied_to
    if match.kind is Kind.STOP:
        scope = Purpose.MARKETING if match.rule is Rule.INTENT else scope
        return Statement(purpose=scope, state=ConsentState.OPTED_OUT, source=Source.REPLY, at=at, proof=proof)
    if match.kind is Kind.START:
        answered = match.rule is Rule.ANSWER
        scope = Purpose.MARKETING if answered else scope
        return Statement(purpose=scope, state=ConsentState.OPTED_IN, source=Source.REPLY, at=at, proof=proof, confirmed=answered)
    return None


def _refused(reason: Reason, line: str) -> Verdict:
    return Verdict(allowed=False, reason=reason, line=line)


def _day(at: datetime | None) -> str:
    return str(at.date()) if at else "an unknown day"


def _said(record: Statement) -> str:
    return f"{_day(record.at)} ({record.source})"


def _one_of(words: type[_Word], value: object, field: str) -> _Word:
    try:
        return words(str(value))
    except ValueError as error:
        raise FieldInvalid(field, f"must be one of {', '.join(words)}") from error
