"""Consent: no order of statements brings back what a STOP ended, and a suppressed number is never texted."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from functools import reduce
from typing import Any

import pytest
from bellwire.domain.consent import Basis, Policy, Scope, Source, Standing, Statement, Transactional, apply, may_text
from bellwire.model import ConsentState, Purpose, Reason
from hypothesis import given, settings
from hypothesis import strategies as st

MARKETING, TRANSACTIONAL, OTP = Purpose.MARKETING, Purpose.TRANSACTIONAL, Purpose.OTP
IN, OUT, IMPLIED = ConsentState.OPTED_IN, ConsentState.OPTED_OUT, ConsentState.IMPLIED
START = datetime(2026, 11, 1, tzinfo=UTC)
NOW = START + timedelta(days=30)


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def say(purpose: Purpose | None, state: ConsentState, source: Source, at: float, **more: Any) -> Statement:
    return Statement(purpose=purpose, state=state, source=source, at=day(at), **more)


def stop(at: float) -> Statement:
    return say(None, OUT, Source.REPLY, at)


def start(at: float) -> Statement:
    return say(None, IN, Source.REPLY, at)


def form(at: float, **more: Any) -> Statement:
    return say(MARKETING, IN, Source.PLATFORM, at, **more)


def bought(at: float) -> Statement:
    return say(TRANSACTIONAL, IMPLIED, Source.EVENT, at)


def standing(statements: Iterable[Statement]) -> Standing:
    return reduce(lambda so_far, statement: apply(so_far, statement, now=NOW), statements, Standing())


ERASE = Source.ERASURE
# label, statements, marketing, transactional, otp, suppressed
LEDGERS: list[tuple[str, Sequence[Statement], ConsentState | None, ConsentState | None, ConsentState | None, bool]] = [
    ("nothing said", [], None, None, None, False),
    ("an opt-in", [form(1)], IN, None, None, False),
    ("an order", [bought(1)], None, IMPLIED, None, False),
    ("STOP ends all", [form(1), bought(1), stop(2)], OUT, OUT, OUT, False),
    ("STOP for one purpose", [form(1), bought(1), say(MARKETING, OUT, Source.REPLY, 2)], OUT, IMPLIED, None, False),
    ("a newer opt-in lifts STOP for its purpose", [stop(1), form(2)], IN, OUT, OUT, False),
    ("an older one that arrives late does not", [stop(2), form(1)], OUT, OUT, OUT, False),
    ("at the same instant STOP wins", [stop(1), form(1)], OUT, OUT, OUT, False),
    ("an import does not lift STOP", [stop(1), say(MARKETING, IN, Source.IMPORT, 2)], OUT, OUT, OUT, False),
    ("an import that came before STOP does not either", [say(MARKETING, IN, Source.IMPORT, 2), stop(1)], OUT, OUT, OUT, False),
    ("an import with newer proof does", [stop(1), say(MARKETING, IN, Source.IMPORT, 2, proof="form 7")], IN, OUT, OUT, False),
    ("a sync does not lift STOP", [stop(1), say(MARKETING, IN, Source.SYNC, 2)], OUT, OUT, OUT, False),
    ("an import alone is an opt-in", [say(MARKETING, IN, Source.IMPORT, 1)], IN, None, None, False),
    ("a sync tells of an opt-out", [form(1), say(MARKETING, OUT, Source.SYNC, 2)], OUT, None, None, False),
    ("an order after STOP lifts nothing", [stop(1), bought(2)], OUT, OUT, OUT, False),
    ("START lifts STOP", [form(1), stop(2), start(3)], IN, IN, IN, False),
    ("START lifts the carrier's stop", [say(None, OUT, Source.CARRIER, 1), start(2)], IN, IN, IN, False),
    (
        "START lifts the echo of STOP from a platform",
        [stop(1), say(MARKETING, OUT, Source.PLATFORM, 2), start(3)],
        IN,
        IN,
        IN,
        False,
    ),
    ("START does not lift a person's no", [say(MARKETING, OUT, Source.MANUAL, 1), start(2)], OUT, IN, IN, False),
    ("not even with a STOP between", [say(MARKETING, OUT, Source.MANUAL, 1), stop(2), start(3)], OUT, IN, IN, False),
    (
        "nor does it where an opt-in was said in the same instant",
        [form(1), say(MARKETING, OUT, Source.MANUAL, 1), start(2)],
        OUT,
        IN,
        IN,
        False,
    ),
    ("a newer opt-in lifts a person's no", [say(MARKETING, OUT, Source.MANUAL, 1), form(2)], IN, None, None, False),
    ("then STOP and START again", [say(MARKETING, OUT, Source.MANUAL, 1), form(2), stop(3), start(4)], IN, IN, IN, False),
    ("a person's no to all is a suppression", [form(1), say(None, OUT, Source.MANUAL, 2)], IN, None, None, True),
    ("a complaint suppresses and ends marketing", [form(1), say(MARKETING, OUT, Source.COMPLAINT, 2)], OUT, None, None, True),
    ("a bounce suppresses", [form(1), say(None, OUT, Source.BOUNCE, 2)], IN, None, None, True),
    ("START does not lift a suppression", [say(None, OUT, Source.BOUNCE, 1), start(2)], IN, IN, IN, True),
    ("nor does a new opt-in", [say(None, OUT, Source.COMPLAINT, 1), form(2)], IN, None, None, True),
    ("a release does", [form(1), say(None, OUT, Source.MANUAL, 2), say(None, IN, Source.RELEASE, 3)], IN, None, None, False),
    ("an older release does not", [say(None, OUT, Source.BOUNCE, 2), say(None, IN, Source.RELEASE, 1)], None, None, None, True),
    ("a release is no opt-in", [say(None, IN, Source.RELEASE, 1)], None, None, None, False),
    (
        "a complaint keeps marketing ended when it is released",
        [form(1), say(None, OUT, Source.COMPLAINT, 2), say(None, IN, Source.RELEASE, 3)],
        OUT,
        None,
        None,
        False,
    ),
    ("erasure forgets an opt-in and keeps marketing ended", [form(1), bought(1), say(None, OUT, ERASE, 2)], OUT, None, None, False),
    (
        "an import after erasure brings nobody back",
        [form(1), say(None, OUT, ERASE, 2), say(MARKETING, IN, Source.IMPORT, 3)],
        OUT,
        None,
        None,
        False,
    ),
    ("STOP survives erasure", [stop(1), say(None, OUT, ERASE, 2), bought(3)], OUT, OUT, OUT, False),
    ("a suppression survives erasure", [say(None, OUT, Source.BOUNCE, 1), say(None, OUT, ERASE, 2)], OUT, None, None, True),
    ("an order after erasure is a new one", [bought(1), say(None, OUT, ERASE, 2), bought(3)], OUT, IMPLIED, None, False),
    ("a STOP that was lifted does not come back by erasure", [stop(1), start(2), say(None, OUT, ERASE, 3)], OUT, None, None, False),
    ("a new opt-in after erasure", [form(1), say(None, OUT, ERASE, 2), form(3)], IN, None, None, False),
]


@pytest.mark.parametrize(
    ("label", "said", "marketing", "transactional", "otp", "suppressed"), LEDGERS, ids=[row[0] for row in LEDGERS]
)
def test_ledgers(
    label: str,
    said: Sequence[Statement],
    marketing: ConsentState | None,
    transactional: ConsentState | None,
    otp: ConsentState | None,
    suppressed: bool,
) -> None:
    for order in (said, said[::-1], (*said, *said)):
        found = standing(order)
        assert found.states == {MARKETING: marketing, TRANSACTIONAL: transactional, OTP: otp}
        assert found.suppressed == suppressed


# -- any order ----------------------------------------------------------------------------------------------------


class Reference:
    """The same law as a story: statements are heard in the order in which they were said, an opt-out last at its instant."""

    def __init__(self, purpose: Purpose) -> None:
        self.purpose, self.consent, self.out, self.held, self.suppressed = purpose, "", False, False, False

    def hear(self, said: Statement) -> None:
        if said.source is Source.RELEASE:
            self.suppressed = False
        elif said.source is Source.ERASURE:
            self.consent = ""
            self.out |= self.purpose is MARKETING
        elif said.source in (Source.COMPLAINT, Source.BOUNCE) or (said.source, said.purpose, said.state) == (
            Source.MANUAL,
            None,
            OUT,
        ):
            self.suppressed = True
            self.out |= said.source is Source.COMPLAINT and self.purpose is MARKETING
        elif said.purpose not in (None, self.purpose):
            return
        elif said.state is OUT:
            self.out, self.held = True, self.held or said.source is Source.MANUAL
        elif said.state is IMPLIED:
            self.consent = self.consent or "implied"
        elif said.source in (Source.IMPORT, Source.SYNC) and not said.proof:
            self.consent = "in"
        elif said.source is Source.REPLY:
            self.consent, self.out = "in", self.held
        else:
            self.consent, self.out, self.held = "in", False, False

    @property
    def state(self) -> str | None:
        return "opted_out" if self.out else {"in": "opted_in", "implied": "implied", "": None}[self.consent]


def order_of(said: Statement) -> tuple[datetime, int]:
    assert said.at
    rank = 2 if said.source is Source.ERASURE else 1 if said.state is OUT else 0
    return said.at, rank


PURPOSES = [None, MARKETING, TRANSACTIONAL, OTP]
KINDS: list[tuple[ConsentState, Source, str]] = [
    *(
        (OUT, source, "")
        for source in (Source.REPLY, Source.API, Source.PLATFORM, Source.SYNC, Source.IMPORT, Source.MANUAL, Source.REGISTRY)
    ),
    *((OUT, source, "") for source in (Source.COMPLAINT, Source.BOUNCE, Source.ERASURE, Source.CARRIER)),
    *((IN, source, "") for source in (Source.REPLY, Source.API, Source.PLATFORM, Source.SYNC, Source.IMPORT, Source.MANUAL)),
    *((IN, source, "form 7") for source in (Source.SYNC, Source.IMPORT)),
    (IN, Source.RELEASE, ""),
    (IMPLIED, Source.EVENT, ""),
    (IMPLIED, Source.API, ""),
]


def a_statement(chance: random.Random) -> Statement:
    state, source, proof = chance.choice(KINDS)
    return say(chance.choice(PURPOSES), state, source, chance.randrange(12), proof=proof)


def test_500_orderings_agree_with_the_story() -> None:
    chance = random.Random(4)
    for _ in range(500):
        said = [a_statement(chance) for _ in range(chance.randrange(1, 10))]
        arrived = [*said, *chance.choices(said, k=3)]
        chance.shuffle(arrived)
        found = standing(arrived)
        assert found == standing(said)
        for purpose in Purpose:
            story = Reference(purpose)
            for statement in sorted(said, key=order_of):
                story.hear(statement)
            assert found.state(purpose) == story.state, said
            assert found.suppressed == story.suppressed, said


STATEMENTS = st.builds(
    lambda purpose, kind, at, confirmed: say(purpose, kind[0], kind[1], at, proof=kind[2], confirmed=confirmed and kind[0] is IN),
    st.sampled_from(PURPOSES),
    st.sampled_from(KINDS),
    st.integers(0, 12),
    st.booleans(),
)
POLICIES = st.builds(
    Policy, transactional=st.sampled_from(Transactional), revocation_scope=st.sampled_from(Scope), double_opt_in=st.booleans()
)


@settings(max_examples=200)
@given(st.lists(STATEMENTS, max_size=8), STATEMENTS, POLICIES, st.sampled_from(Basis))
def test_a_suppressed_or_opted_out_person_is_never_texted(
    said: list[Statement], last: Statement, policy: Policy, basis: Basis
) -> None:
    found = standing([*said, last])
    for purpose in Purpose:
        verdict = may_text(purpose, found, policy, basis=basis)
        assert verdict == may_text(purpose, found, policy, basis=basis)
        assert verdict.allowed == (verdict.reason is None)
        assert verdict.line
        if found.suppressed:
            assert verdict.reason is Reason.SUPPRESSED
        elif found.state(purpose) is OUT:
            assert verdict.reason is Reason.OPTED_OUT
        if verdict.allowed and purpose is MARKETING:
            assert found.state(MARKETING) is IN
        if verdict.record:
            assert apply(found, verdict.record, now=NOW).state(purpose) is IMPLIED


@settings(max_examples=200)
@given(st.lists(STATEMENTS, max_size=8), POLICIES)
def test_after_stop_nothing_goes_until_a_newer_opt_in(said: list[Statement], policy: Policy) -> None:
    found = apply(standing(said), stop(13), now=NOW)
    assert not any(may_text(purpose, found, policy, basis=Basis.API).allowed for purpose in Purpose)
    later = apply(found, say(None, IN, Source.IMPORT, 14), now=NOW)
    assert not any(may_text(purpose, later, policy, basis=Basis.API).allowed for purpose in Purpose)


@settings(max_examples=200)
@given(st.lists(STATEMENTS, max_size=8))
def test_a_row_brings_the_standing_back(said: list[Statement]) -> None:
    found = standing(said)
    row = found.to_row()
    assert Standing.from_row({**row, "consent_marks": json.loads(json.dumps(row["consent_marks"]))}) == found
    # the plain columns alone judge a text in the same way, a second step of an opt-in apart
    plain = Standing.from_row({name: value for name, value in row.items() if name != "consent_marks"})
    for purpose in Purpose:
        assert may_text(purpose, plain, Policy(), basis=Basis.API) == may_text(purpose, found, Policy(), basis=Basis.API)


def test_a_row_with_plain_columns_alone() -> None:
    row = {"transactional": "implied", "transactional_at": day(1), "transactional_by": "event", "marketing": None}
    found = Standing.from_row(row)
    assert found.state(TRANSACTIONAL) is IMPLIED
    assert standing([bought(1)]) == found
    stopped = apply(found, stop(2), now=NOW).to_row()
    # an order's `implied` may reach the columns beside marks that are there already
    assert Standing.from_row({**stopped, "transactional": "implied"}).state(TRANSACTIONAL) is OUT
    # an order after an erasure is a new one, whatever came before
    erased = standing([bought(1), say(None, OUT, ERASE, 2)]).to_row()
    again = {**erased, "transactional": "implied", "transactional_at": day(3), "transactional_by": "event"}
    assert Standing.from_row(again).state(TRANSACTIONAL) is IMPLIED
    assert Standing.from_row({"suppressed": "21610", "suppressed_at": None}).suppressed


def test_plain_columns_say_no_more_than_they_know() -> None:
    row = {"marketing": "opted_in", "marketing_at": day(2), "marketing_by": "import"}
    found = Standing.from_row(row)
    assert found.state(MARKETING) is IN
    assert not found.is_confirmed(MARKETING)
    # a list's word is no proof: a STOP that reaches us late ends it all the same
    assert apply(found, stop(1), now=NOW).state(MARKETING) is OUT
    # one that nobody gave a time to was said before everything else
    assert apply(Standing.from_row({"marketing": "opted_in"}), stop(1), now=NOW).state(MARKETING) is OUT


# -- time ---------------------------------------------------------------------------------------------------------


def test_a_clock_that_is_ahead_does_not_outlive_the_next_stop() -> None:
    ahead = Statement(purpose=MARKETING, state=IN, source=Source.API, at=datetime(2999, 1, 1, tzinfo=UTC))
    found = apply(apply(Standing(), ahead, now=day(1)), stop(2), now=day(2))
    assert found.state(MARKETING) is OUT


def test_times_of_all_zones_and_ages_are_taken() -> None:
    for at in (
        datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
        datetime.max.replace(tzinfo=timezone(-timedelta(hours=12))),
    ):
        found = apply(Standing(), Statement(purpose=None, state=OUT, source=Source.API, at=at), now=NOW)
        assert found.stop_all
        assert Standing.from_row(found.to_row()) == found


def test_a_statement_without_a_time_was_said_when_it_is_kept() -> None:
    record = apply(Standing(), Statement(purpose=OTP, state=IN, source=Source.API), now=NOW).record(OTP)
    assert record
    assert record.at == NOW


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        Statement(purpose=None, state=OUT, source=Source.API, at=datetime(2026, 1, 1))  # noqa: DTZ001
    for source in (Source.COMPLAINT, Source.BOUNCE, Source.REGISTRY, Source.ERASURE):
        with pytest.raises(ValueError, match="can't say"):
            Statement(purpose=None, state=IN, source=source)
    with pytest.raises(ValueError, match="can't say"):
        Statement(purpose=None, state=OUT, source=Source.RELEASE)


@pytest.mark.parametrize(
    ("written", "source"),
    [
        ("manual", Source.MANUAL),
        (" Import ", Source.IMPORT),
        ("web_form", Source.API),
        ("", Source.API),
        ("release", Source.API),
        ("erasure", Source.API),
    ],
)
def test_a_callers_own_word_for_its_source(written: str, source: Source) -> None:
    assert Source.read(written) is source
