"""From a draft to a message: when it is due, how long it lives, whether it is held, and what the claim asks again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from bellwire.domain.admit import EXPIRE, SEND, Expire, Hold, Refuse, Send, admit
from bellwire.domain.consent import CONFIRMATION, Source, Standing, Statement
from bellwire.domain.ledger import apply
from bellwire.domain.limits import Cap
from bellwire.domain.routing import Choice
from bellwire.domain.settle import TTL, Draft, Person, settle
from bellwire.domain.tenant import TenantConfig
from bellwire.model import ConsentState, Encoding, Msisdn, Purpose, Reason, Status
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

NOON = datetime(2026, 3, 4, 7, 0, tzinfo=UTC)  # in Tashkent, a Wednesday
NIGHT = NOON + timedelta(hours=12)
MORNING = datetime(2026, 3, 5, 4, 0, tzinfo=UTC)  # 09:00 there
ZONES = ("Asia/Tashkent",)
OWN_HOURS = {"quiet_hours": {"windows": "09:00-21:00", "transactional": True}}
DRAFT = Draft(purpose=Purpose.TRANSACTIONAL, basis="api", msisdn=Msisdn("+998901234567"), text="Hello", timezones=ZONES)
STOPPED = Statement(purpose=None, state=ConsentState.OPTED_OUT, source=Source.REPLY, at=NOON - timedelta(days=1))
WANTS = Statement(
    purpose=Purpose.MARKETING, state=ConsentState.OPTED_IN, source=Source.API, at=NOON - timedelta(days=1), proof="form"
)


def standing(*statements: Statement) -> Standing:
    made = Standing()
    for one in statements:
        made = apply(made, one, now=NOON)
    return made


def tenant(settings: Mapping[str, Any]) -> TenantConfig:
    return TenantConfig(
        id=UUID(int=1),
        slug="acme",
        name="Acme",
        country="UZ",
        locale="en",
        timezone="Asia/Tashkent",
        settings=settings,
        version=1,
        triggers={},
        trigger_names={},
        templates={},
        accounts=(),
        installations={},
        route_policy=None,
        route_version=None,
        callback_types=frozenset(),
        endpoints=(),
        has_balance=False,
    )


@dataclass(frozen=True)
class Case:
    label: str
    status: Status
    draft: Draft = DRAFT
    settings: Mapping[str, Any] = field(default_factory=dict)
    now: datetime = NOON
    due: datetime = NOON
    lives: timedelta = TTL[Purpose.TRANSACTIONAL]
    held: bool = False


def draft(**more: Any) -> Draft:
    return replace(DRAFT, **more)


OFFER = draft(purpose=Purpose.MARKETING)
CODE = draft(purpose=Purpose.OTP)
HOUR = timedelta(hours=1)

WHEN = [
    Case("at once", Status.QUEUED),
    Case("a code lives ten minutes", Status.QUEUED, CODE, lives=timedelta(minutes=10)),
    Case("an offer three days", Status.QUEUED, OFFER, lives=timedelta(hours=72)),
    Case("the tenant's own time to live", Status.QUEUED, settings={"expires_in": {"transactional": 7_200}}, lives=2 * HOUR),
    Case("the caller's own", Status.QUEUED, draft(ttl=HOUR), {"expires_in": {"transactional": 7_200}}, lives=HOUR),
    Case("later, by the caller's wish", Status.SCHEDULED, draft(send_at=NOON + HOUR), due=NOON + HOUR),
    Case("a time that is over is now", Status.QUEUED, draft(send_at=NOON - HOUR)),
    Case("later, by the trigger's delay", Status.SCHEDULED, draft(delay=HOUR), due=NOON + HOUR),
    Case("the delay counts from that time", Status.SCHEDULED, draft(send_at=NOON + HOUR, delay=HOUR), due=NOON + 2 * HOUR),
    Case("an offer at night waits for the morning", Status.SCHEDULED, OFFER, OWN_HOURS, NIGHT, MORNING, TTL[Purpose.MARKETING],
         held=True),
    Case("an ordinary text at night goes", Status.QUEUED, now=NIGHT, due=NIGHT),
    Case("it waits where the tenant says so", Status.SCHEDULED, DRAFT, OWN_HOURS, NIGHT, MORNING, held=True),
    Case("a code never waits", Status.QUEUED, CODE, OWN_HOURS, NIGHT, NIGHT, timedelta(minutes=10)),
    Case("what is due at night is held already", Status.SCHEDULED, draft(send_at=NIGHT), OWN_HOURS, due=MORNING, held=True),
    Case("worthless from then on", Status.QUEUED, draft(not_after=NOON + HOUR), lives=HOUR),
    Case("whatever its own time to live", Status.QUEUED, draft(not_after=NOON + HOUR, ttl=2 * HOUR), lives=HOUR),
    Case("held, and worthless soon after", Status.SCHEDULED, draft(not_after=MORNING + HOUR), OWN_HOURS, NIGHT, MORNING, HOUR,
         held=True),
    Case("an own expiry is not moved along", Status.SCHEDULED, draft(ttl=timedelta(hours=20)), OWN_HOURS, NIGHT, MORNING,
         timedelta(hours=20) - (MORNING - NIGHT), held=True),
]  # fmt: skip


@pytest.mark.parametrize("case", WHEN, ids=lambda case: case.label)
def test_when_a_text_goes_and_how_long_it_lives(case: Case) -> None:
    planned = settle(case.draft, Person(standing=standing(WANTS)), tenant(case.settings), _by_line, lambda _: False, case.now)
    assert (planned.status, planned.reason, planned.held) == (case.status, None, case.held), planned.line
    assert planned.due == case.due
    assert planned.expires_at - planned.due == case.lives
    assert (planned.account, planned.encoding, planned.segments) == ("acc_1", Encoding.GSM7, 1)


def _by_line(*_: Any) -> Choice:
    return Choice(account="acc_1", sender_id="ACME", line="acc_1 (line)")


def test_a_text_that_would_be_over_before_the_morning_is_refused() -> None:
    planned = settle(draft(ttl=HOUR), Person(standing=Standing()), tenant(OWN_HOURS), _by_line, lambda _: False, NIGHT)
    assert (planned.status, planned.reason) == (Status.REFUSED, Reason.QUIET_HOURS)


@pytest.mark.parametrize(
    "worthless", [draft(not_after=NOON), draft(not_after=NOON + HOUR, delay=HOUR)], ids=["now", "when it is due"]
)
def test_a_text_that_is_worthless_when_it_would_go_is_refused(worthless: Draft) -> None:
    planned = settle(worthless, Person(standing=Standing()), tenant({}), _by_line, lambda _: False, NOON)
    assert (planned.status, planned.reason) == (Status.REFUSED, Reason.EXPIRED)
    assert "Z" in planned.line


@pytest.mark.parametrize(("collection", "waits"), [(True, True), (False, False)])
def test_debt_is_not_collected_at_night_where_the_country_says_so(collection: bool, waits: bool) -> None:
    """Colombia, Ley 2300: 23:00 in Bogotá waits for 07:00."""
    at, opens = datetime(2026, 3, 5, 4, 0, tzinfo=UTC), datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
    there = draft(msisdn=Msisdn("+573001234567"), timezones=("America/Bogota",), collection=collection)
    planned = settle(there, Person(standing=Standing()), tenant({}), _by_line, lambda _: False, at)
    assert (planned.held, planned.due) == (waits, opens if waits else at)
    options = {"timezones": ["America/Bogota"], "collection": collection}
    verdict = claim(country="CO", options=options, now=at, expires_at=at + timedelta(days=1))
    assert (verdict.until if isinstance(verdict, Hold) else verdict) == (opens if waits else SEND)


def test_a_text_records_the_consent_it_rests_on_once() -> None:
    first = settle(DRAFT, Person(standing=Standing()), tenant({}), _by_line, lambda _: False, NOON)
    assert first.record is not None
    assert (first.record.purpose, first.record.state) == (Purpose.TRANSACTIONAL, ConsentState.IMPLIED)
    known = standing(replace(first.record, at=NOON))
    assert settle(DRAFT, Person(standing=known), tenant({}), _by_line, lambda _: False, NOON).record is None


def test_a_refused_draft_is_not_judged_further() -> None:
    refused = draft(refused=(Reason.TEMPLATE_ERROR, "tracking.url is missing"), text="")
    planned = settle(refused, Person(standing=standing(STOPPED)), tenant({}), _by_line, lambda _: False, NOON)
    assert (planned.reason, planned.line, planned.encoding) == (Reason.TEMPLATE_ERROR, "tracking.url is missing", None)


def test_a_cap_without_its_count_does_not_open() -> None:
    with pytest.raises(KeyError):
        settle(draft(caps=(Cap(name="x", count=1, window_s=60),)), Person(standing=Standing()), tenant({}), _by_line, bool, NOON)


# -- at the claim ---------------------------------------------------------------------------------------------------

DAILY = Cap(name="day", count=1, window_s=86_400)


def claim(**more: Any) -> Send | Hold | Expire | Refuse:
    facts: dict[str, Any] = {
        "purpose": Purpose.TRANSACTIONAL,
        "basis": "api",
        "expires_at": NOON + timedelta(days=2),
        "country": "UZ",
        "options": {"timezones": list(ZONES)},
        "standing": Standing(),
        "settings": {},
        "caps": (),
        "counts": {},
        "now": NOON,
    }
    return admit(**{**facts, **more})


CLAIMS = [
    ("nothing is against it", {}, SEND),
    ("its time is over", {"expires_at": NOON}, EXPIRE),
    ("over, and stopped: it expires", {"expires_at": NOON, "standing": standing(STOPPED)}, EXPIRE),
    ("stopped since", {"standing": standing(STOPPED)}, Reason.OPTED_OUT),
    ("marketing nobody asked for", {"purpose": Purpose.MARKETING}, Reason.NO_CONSENT),
    ("marketing by day", {"purpose": Purpose.MARKETING, "standing": standing(WANTS)}, SEND),
    (
        "marketing by night",
        {"purpose": Purpose.MARKETING, "standing": standing(WANTS), "now": NIGHT, "settings": OWN_HOURS},
        MORNING,
    ),
    ("explicit consent asked for since", {"settings": {"consent": {"transactional": "explicit"}}}, Reason.NO_CONSENT),
    ("quiet hours set since", {"settings": OWN_HOURS, "now": NIGHT}, MORNING),
    ("quiet hours of its trigger", {"options": {"timezones": list(ZONES), "quiet_hours": "20:00-09:00"}, "now": NIGHT}, MORNING),
    ("over before the morning", {"settings": OWN_HOURS, "now": NIGHT, "expires_at": NIGHT + HOUR}, Reason.QUIET_HOURS),
    ("over at the very minute", {"settings": OWN_HOURS, "now": NIGHT, "expires_at": MORNING}, Reason.QUIET_HOURS),
    (
        "night where the person is, day in the number's country",
        {"settings": OWN_HOURS, "now": NOON + 6 * HOUR, "options": {"timezones": ["Asia/Tokyo"]}},
        datetime(2026, 3, 5, 0, 0, tzinfo=UTC),
    ),
    (
        "the answer to a STOP, by night",
        {"basis": CONFIRMATION, "standing": standing(STOPPED), "settings": OWN_HOURS, "now": NIGHT},
        SEND,
    ),
    ("that answer, too late", {"basis": CONFIRMATION, "standing": standing(STOPPED), "expires_at": NOON}, EXPIRE),
    ("a code by night", {"purpose": Purpose.OTP, "settings": OWN_HOURS, "now": NIGHT}, SEND),
    ("a cap that others have filled", {"caps": (DAILY,), "counts": {"day": 1}}, Reason.CAP),
    ("a cap with room", {"caps": (DAILY,), "counts": {"day": 0}}, SEND),
    ("a code's cap", {"purpose": Purpose.OTP, "caps": (DAILY,), "counts": {"day": 1}}, Reason.CAP),
]


@pytest.mark.parametrize(("label", "facts", "expected"), CLAIMS, ids=[row[0] for row in CLAIMS])
def test_the_claim_judges_by_what_is_true_then(label: str, facts: Mapping[str, Any], expected: Any) -> None:
    verdict = claim(**facts)
    if isinstance(expected, Reason):
        assert isinstance(verdict, Refuse)
        assert verdict.reason is expected
        assert verdict.line
    elif isinstance(expected, datetime):
        assert isinstance(verdict, Hold)
        assert (verdict.until, verdict.reason) == (expected, Reason.QUIET_HOURS)
    else:
        assert verdict == expected


@profile(max_examples=200, deadline=None)
@given(
    st.sampled_from(Purpose),
    st.sampled_from([Standing(), standing(STOPPED), standing(WANTS)]),
    st.integers(0, 3 * 86_400),
    st.integers(1, 3 * 86_400),
    st.sampled_from([{}, OWN_HOURS, {"consent": {"transactional": "explicit"}}]),
    st.integers(0, 2),
)
def test_a_hold_is_always_later_and_within_its_time(
    purpose: Purpose, known: Standing, after_s: int, ttl_s: int, settings: Mapping[str, Any], gone: int
) -> None:
    now = NOON + timedelta(seconds=after_s)
    expires_at = NOON + timedelta(seconds=ttl_s)
    facts = {"purpose": purpose, "standing": known, "now": now, "expires_at": expires_at, "settings": settings}
    verdict = claim(**facts, caps=(DAILY,), counts={"day": gone})
    assert verdict == claim(**facts, caps=(DAILY,), counts={"day": gone})
    assert (verdict == EXPIRE) == (expires_at <= now)
    if isinstance(verdict, Hold):
        assert now < verdict.until < expires_at
    if isinstance(verdict, Send | Hold):
        assert gone == 0
        assert known.state(purpose) is not ConsentState.OPTED_OUT
