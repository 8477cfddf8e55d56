"""The tenant's consent policy: what each purpose needs, and what a reply makes of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bellwire.domain.consent import Basis, Policy, Scope, Source, Standing, Statement, apply, heard, may_text
from bellwire.domain.keywords import classify
from bellwire.errors import FieldInvalid
from bellwire.model import ConsentState, Purpose, Reason

MARKETING, TRANSACTIONAL, OTP = Purpose.MARKETING, Purpose.TRANSACTIONAL, Purpose.OTP
IN, OUT, IMPLIED = ConsentState.OPTED_IN, ConsentState.OPTED_OUT, ConsentState.IMPLIED
NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)

DEFAULT = Policy()
EXPLICIT = Policy.from_settings({"consent": {"transactional": "explicit"}})
DOUBLE = Policy.from_settings({"consent": {"double_opt_in": True}})
CATEGORY = Policy.from_settings({"consent": {"revocation_scope": "category"}})

NOBODY = Standing()


def after(*said: Statement) -> Standing:
    found = NOBODY
    for place, statement in enumerate(said):
        found = apply(found, statement, now=NOW + timedelta(minutes=place))
    return found


def opt_in(purpose: Purpose | None, **more: Any) -> Statement:
    return Statement(purpose=purpose, state=IN, source=Source.PLATFORM, **more)


STOP = Statement(purpose=None, state=OUT, source=Source.REPLY)
ORDER = Statement(purpose=TRANSACTIONAL, state=IMPLIED, source=Source.EVENT)

# label, purpose, standing, policy, basis, reason (None = goes), line
VERDICTS = [
    (
        "marketing to somebody new",
        MARKETING,
        NOBODY,
        DEFAULT,
        "event",
        Reason.NO_CONSENT,
        "marketing needs an opt-in, and none is recorded",
    ),
    (
        "marketing by the API to somebody new",
        MARKETING,
        NOBODY,
        DEFAULT,
        "api",
        Reason.NO_CONSENT,
        "marketing needs an opt-in, and none is recorded",
    ),
    (
        "marketing to a buyer",
        MARKETING,
        after(ORDER),
        DEFAULT,
        "event",
        Reason.NO_CONSENT,
        "marketing needs an opt-in, and none is recorded",
    ),
    (
        "marketing on an opt-in",
        MARKETING,
        after(opt_in(MARKETING)),
        DEFAULT,
        "event",
        None,
        "opted in to marketing on 2026-11-21 (platform)",
    ),
    (
        "marketing after STOP",
        MARKETING,
        after(opt_in(MARKETING), STOP),
        DEFAULT,
        "api",
        Reason.OPTED_OUT,
        "opted out of marketing on 2026-11-21 (reply)",
    ),
    ("an order's text", TRANSACTIONAL, NOBODY, DEFAULT, "event", None, "transactional is implied by the event"),
    ("a text by the API", TRANSACTIONAL, NOBODY, DEFAULT, "api", None, "transactional is implied by the caller's request"),
    (
        "an order's text on an opt-in",
        TRANSACTIONAL,
        after(opt_in(None)),
        DEFAULT,
        "event",
        None,
        "opted in to transactional on 2026-11-21 (platform)",
    ),
    (
        "an order's text after STOP",
        TRANSACTIONAL,
        after(STOP),
        DEFAULT,
        "event",
        Reason.OPTED_OUT,
        "opted out of transactional on 2026-11-21 (reply)",
    ),
    (
        "a text by the API after STOP",
        TRANSACTIONAL,
        after(STOP),
        DEFAULT,
        "api",
        Reason.OPTED_OUT,
        "opted out of transactional on 2026-11-21 (reply)",
    ),
    (
        "explicit: an order is not enough",
        TRANSACTIONAL,
        after(ORDER),
        EXPLICIT,
        "event",
        Reason.NO_CONSENT,
        "transactional needs an opt-in, and none is recorded",
    ),
    (
        "explicit: nor is the API's word",
        TRANSACTIONAL,
        NOBODY,
        EXPLICIT,
        "api",
        Reason.NO_CONSENT,
        "transactional needs an opt-in, and none is recorded",
    ),
    (
        "explicit: an opt-in is",
        TRANSACTIONAL,
        after(opt_in(TRANSACTIONAL)),
        EXPLICIT,
        "event",
        None,
        "opted in to transactional on 2026-11-21 (platform)",
    ),
    ("a code", OTP, NOBODY, DEFAULT, "verification", None, "otp is sent at the person's own request"),
    ("a code by the API", OTP, NOBODY, EXPLICIT, "api", None, "otp is sent at the person's own request"),
    (
        "a code after an opt-out of everything",
        OTP,
        after(STOP),
        DEFAULT,
        "verification",
        Reason.OPTED_OUT,
        "opted out of otp on 2026-11-21 (reply)",
    ),
    (
        "a code after an opt-out of marketing",
        OTP,
        after(Statement(purpose=MARKETING, state=OUT, source=Source.API)),
        DEFAULT,
        "verification",
        None,
        "otp is sent at the person's own request",
    ),
    (
        "a code after a new opt-in",
        OTP,
        after(STOP, opt_in(None)),
        DEFAULT,
        "verification",
        None,
        "otp is sent at the person's own request",
    ),
    (
        "a code to a suppressed number",
        OTP,
        after(Statement(purpose=None, state=OUT, source=Source.COMPLAINT)),
        DEFAULT,
        "verification",
        Reason.SUPPRESSED,
        "suppressed since 2026-11-21 (complaint)",
    ),
    (
        "double opt-in without its second step",
        MARKETING,
        after(opt_in(MARKETING)),
        DOUBLE,
        "event",
        Reason.NO_CONSENT,
        "opted in to marketing on 2026-11-21 (platform), and has not confirmed it (double opt-in)",
    ),
    (
        "double opt-in with it",
        MARKETING,
        after(opt_in(MARKETING, confirmed=True)),
        DOUBLE,
        "event",
        None,
        "opted in to marketing on 2026-11-21 (platform)",
    ),
    (
        "double opt-in with it, then repeated",
        MARKETING,
        after(opt_in(MARKETING, confirmed=True), opt_in(MARKETING)),
        DOUBLE,
        "event",
        None,
        "opted in to marketing on 2026-11-21 (platform)",
    ),
    (
        "double opt-in asks nothing of an order's text",
        TRANSACTIONAL,
        NOBODY,
        DOUBLE,
        "event",
        None,
        "transactional is implied by the event",
    ),
]


@pytest.mark.parametrize(
    ("label", "purpose", "standing", "policy", "basis", "reason", "line"), VERDICTS, ids=[row[0] for row in VERDICTS]
)
def test_may_text(
    label: str, purpose: Purpose, standing: Standing, policy: Policy, basis: str, reason: Reason | None, line: str
) -> None:
    verdict = may_text(purpose, standing, policy, basis=basis)
    assert (verdict.allowed, verdict.reason, verdict.line) == (reason is None, reason, line)


def test_a_text_on_an_implied_basis_says_what_to_record_once() -> None:
    first = may_text(TRANSACTIONAL, NOBODY, DEFAULT, basis=Basis.EVENT)
    assert first.record == ORDER
    assert may_text(TRANSACTIONAL, NOBODY, DEFAULT, basis=Basis.API).record == Statement(
        purpose=TRANSACTIONAL, state=IMPLIED, source=Source.API
    )
    assert may_text(TRANSACTIONAL, after(ORDER), DEFAULT, basis=Basis.EVENT).record is None
    assert may_text(OTP, NOBODY, DEFAULT, basis=Basis.VERIFICATION).record is None


# label, reply, policy, purpose of the text that was answered, state, purpose (None = all)
REPLIES: list[tuple[str, str, Policy, Purpose | None, ConsentState | None, Purpose | None]] = [
    ("STOP ends all", "STOP", DEFAULT, MARKETING, OUT, None),
    ("STOP to an order's text ends all", "STOP", DEFAULT, TRANSACTIONAL, OUT, None),
    ("by category STOP ends what was answered", "STOP please", CATEGORY, MARKETING, OUT, MARKETING),
    ("by category STOP to nothing we know ends all", "STOP", CATEGORY, None, OUT, None),
    ("a phrase ends marketing", "Hello, please leave me alone, will you", DEFAULT, TRANSACTIONAL, OUT, MARKETING),
    ("START resumes all", "START", DEFAULT, MARKETING, IN, None),
    ("by category START resumes what was answered", "START", CATEGORY, TRANSACTIONAL, IN, TRANSACTIONAL),
    ("HELP says nothing", "HELP", DEFAULT, MARKETING, None, None),
    ("an ordinary reply says nothing", "Thanks!", DEFAULT, MARKETING, None, None),
]


@pytest.mark.parametrize(("label", "text", "policy", "replied_to", "state", "purpose"), REPLIES, ids=[row[0] for row in REPLIES])
def test_what_a_reply_says(
    label: str, text: str, policy: Policy, replied_to: Purpose | None, state: ConsentState | None, purpose: Purpose | None
) -> None:
    said = heard(classify(text), policy=policy, replied_to=replied_to, at=NOW, proof="rpl_1")
    if state is None:
        assert said is None
    else:
        assert said == Statement(purpose=purpose, state=state, source=Source.REPLY, at=NOW, proof="rpl_1")


def test_a_yes_to_our_question_confirms_an_opt_in_and_start_alone_does_not() -> None:
    yes = heard(classify("Yes!", asked=True), policy=DOUBLE)
    assert yes == Statement(purpose=MARKETING, state=IN, source=Source.REPLY, confirmed=True)
    assert may_text(MARKETING, after(yes), DOUBLE, basis=Basis.EVENT).allowed
    start = heard(classify("START"), policy=DOUBLE)
    assert start
    assert may_text(MARKETING, after(yes, STOP, start), DOUBLE, basis=Basis.EVENT).reason is Reason.NO_CONSENT
    assert may_text(TRANSACTIONAL, after(yes, STOP, start), DOUBLE, basis=Basis.EVENT).allowed
    assert may_text(MARKETING, after(yes, STOP, start, yes), DOUBLE, basis=Basis.EVENT).allowed


def test_the_default_policy() -> None:
    assert Policy.from_settings({}) == Policy.from_settings({"consent": None}) == Policy.from_settings({"consent": {}}) == Policy()
    assert Policy().revocation_scope is Scope.ALL


BAD = [
    ("not an object", {"consent": "explicit"}, "consent"),
    ("an unknown setting", {"consent": {"mode": "x"}}, "consent.mode"),
    ("an unknown word", {"consent": {"transactional": "maybe"}}, "consent.transactional"),
    ("a scope that is none", {"consent": {"revocation_scope": None}}, "consent.revocation_scope"),
    ("a flag that is none", {"consent": {"double_opt_in": "yes"}}, "consent.double_opt_in"),
]


@pytest.mark.parametrize(("label", "raw", "field"), BAD, ids=[row[0] for row in BAD])
def test_bad_settings_name_their_field(label: str, raw: dict[str, Any], field: str) -> None:
    with pytest.raises(FieldInvalid) as raised:
        Policy.from_settings(raw)
    assert raised.value.field == field
