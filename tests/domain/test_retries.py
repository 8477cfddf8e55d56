"""What follows a failed attempt, by its class and the message's history; Retry-After; the schedule of write-backs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest
from bellwire.domain.retries import MAX_ATTEMPTS, WRITE_BACK_SCHEDULE_S, Action, after, parse_retry_after, writeback_retry
from bellwire.errors import ErrorClass, Retry
from bellwire.model import Status
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = datetime(2026, 1, 31, 9, 0, tzinfo=UTC)
E, S = ErrorClass, Status
BACKUP = {"has_backup": True}


@dataclass(frozen=True)
class Case:
    label: str
    error: ErrorClass
    action: Action
    status: Status
    attempt: int = 1
    wait_s: float = 0.0
    ttl_s: float = 3600
    more: dict[str, Any] = field(default_factory=dict)


A = Action
CASES = [
    Case("a wrong number ends it", E.INVALID_NUMBER, A.FAIL, S.FAILED, more=BACKUP),
    Case("an opt-out ends it, whoever else could send", E.OPTED_OUT, A.FAIL, S.FAILED, more=BACKUP),
    Case("it failed, also when its time was over by then", E.INVALID_NUMBER, A.FAIL, S.FAILED, ttl_s=0, more=BACKUP),
    Case("a blocked text is not taken to the backup", E.BLOCKED_CONTENT, A.FAIL, S.FAILED, more=BACKUP),
    Case("our own bug is not taken to the backup", E.BAD_REQUEST, A.FAIL, S.FAILED, more=BACKUP),
    Case("a handset that is off", E.UNREACHABLE, A.FAIL, S.UNDELIVERED, more=BACKUP),
    Case("the carrier says it is too late", E.EXPIRED, A.EXPIRE, S.EXPIRED, more=BACKUP),
    Case("a sender ID that is not registered there: the backup at once", E.SENDER_REJECTED, A.NEXT_CARRIER, S.QUEUED, more=BACKUP),
    Case("the same without a backup", E.SENDER_REJECTED, A.FAIL, S.FAILED),
    Case("a country that is off there", E.NOT_ALLOWED_REGION, A.NEXT_CARRIER, S.QUEUED, more=BACKUP),
    Case("no funds there", E.INSUFFICIENT_FUNDS, A.NEXT_CARRIER, S.QUEUED, more=BACKUP),
    Case("no funds anywhere", E.INSUFFICIENT_FUNDS, A.FAIL, S.FAILED),
    Case("a wrong key there", E.AUTH, A.NEXT_CARRIER, S.QUEUED, more=BACKUP),
    Case("the backup may come too late", E.AUTH, A.EXPIRE, S.EXPIRED, ttl_s=0, more=BACKUP),
    Case("throttled: the same carrier within 1 s", E.THROTTLED, A.RETRY_SAME, S.QUEUED, wait_s=0.5, more=BACKUP),
    Case("throttled again: within 2 s", E.THROTTLED, A.RETRY_SAME, S.QUEUED, attempt=2, wait_s=1.0),
    Case("throttled a fourth time: within 8 s", E.THROTTLED, A.RETRY_SAME, S.QUEUED, attempt=4, wait_s=4.0),
    Case("throttled for good: the backup", E.THROTTLED, A.NEXT_CARRIER, S.QUEUED, attempt=5, more=BACKUP),
    Case("throttled for good without a backup", E.THROTTLED, A.FAIL, S.FAILED, attempt=5),
    Case("Retry-After is honoured", E.THROTTLED, A.RETRY_SAME, S.QUEUED, wait_s=30.5, more={"retry_after_s": 30.0, **BACKUP}),
    Case(
        "an hour of Retry-After: the backup is sooner",
        E.THROTTLED,
        A.NEXT_CARRIER,
        S.QUEUED,
        more={"retry_after_s": 3500.0, **BACKUP},
    ),
    Case(
        "an hour of Retry-After without a backup",
        E.THROTTLED,
        A.RETRY_SAME,
        S.QUEUED,
        wait_s=3500.5,
        more={"retry_after_s": 3500.0},
    ),
    Case("a negative Retry-After is none", E.THROTTLED, A.RETRY_SAME, S.QUEUED, wait_s=0.5, more={"retry_after_s": -5.0}),
    Case("Retry-After beyond the expiry", E.THROTTLED, A.EXPIRE, S.EXPIRED, ttl_s=30, more={"retry_after_s": 30.0}),
    Case("the next try would come too late, the backup not", E.THROTTLED, A.NEXT_CARRIER, S.QUEUED, ttl_s=0.4, more=BACKUP),
    Case("an outage: the backup at once", E.CARRIER_DOWN, A.NEXT_CARRIER, S.QUEUED, more=BACKUP),
    Case("an outage without a backup: later", E.CARRIER_DOWN, A.RETRY_SAME, S.QUEUED, wait_s=0.5),
    Case("a long outage is bounded by the expiry only", E.CARRIER_DOWN, A.RETRY_SAME, S.QUEUED, attempt=40, wait_s=30.0),
    Case("an outage until the expiry", E.CARRIER_DOWN, A.EXPIRE, S.EXPIRED, attempt=40, ttl_s=30),
    Case(
        "throttled after an outage has all its tries",
        E.THROTTLED,
        A.RETRY_SAME,
        S.QUEUED,
        attempt=12,
        wait_s=30.0,
        more={"outages": 11},
    ),
    Case("an unmapped code: once more", E.UNKNOWN, A.RETRY_SAME, S.QUEUED, wait_s=0.5, more=BACKUP),
    Case("an unmapped code again", E.UNKNOWN, A.FAIL, S.FAILED, attempt=2, more={"unknown_tried": True, **BACKUP}),
    Case("no answer: nobody knows, the backup never gets it", E.AMBIGUOUS, A.UNKNOWN, S.UNKNOWN, more=BACKUP),
    Case("no answer, expired meanwhile: still nobody knows", E.AMBIGUOUS, A.UNKNOWN, S.UNKNOWN, ttl_s=0),
    Case("no answer, a knowing second send", E.AMBIGUOUS, A.NEXT_CARRIER, S.QUEUED, more={"second_send": True, **BACKUP}),
    Case("a knowing second send without a backup", E.AMBIGUOUS, A.UNKNOWN, S.UNKNOWN, more={"second_send": True}),
    Case("a knowing second send, too late", E.AMBIGUOUS, A.UNKNOWN, S.UNKNOWN, ttl_s=0, more={"second_send": True, **BACKUP}),
    Case(
        "no answer, but asking again is safe there",
        E.AMBIGUOUS,
        A.RETRY_SAME,
        S.QUEUED,
        wait_s=0.5,
        more={"idempotent": True, **BACKUP},
    ),
    Case("no answer five times", E.AMBIGUOUS, A.UNKNOWN, S.UNKNOWN, attempt=5, more={"idempotent": True, **BACKUP}),
    Case(
        "asking again, the carrier is down: not to the backup",
        E.CARRIER_DOWN,
        A.RETRY_SAME,
        S.QUEUED,
        attempt=2,
        wait_s=1.0,
        more={"maybe_sent": True, "idempotent": True, **BACKUP},
    ),
    Case(
        "asking again until the expiry",
        E.CARRIER_DOWN,
        A.UNKNOWN,
        S.UNKNOWN,
        ttl_s=0.1,
        more={"maybe_sent": True, "idempotent": True},
    ),
    Case(
        "asking again, refused: so was the first", E.INVALID_NUMBER, A.FAIL, S.FAILED, more={"maybe_sent": True, "idempotent": True}
    ),
    Case(
        "asking again, the key is wrong now: tells nothing of the first",
        E.AUTH,
        A.UNKNOWN,
        S.UNKNOWN,
        more={"maybe_sent": True, "idempotent": True, **BACKUP},
    ),
    Case(
        "the second send is refused: the first may be there",
        E.INVALID_NUMBER,
        A.UNKNOWN,
        S.UNKNOWN,
        more={"maybe_sent": True, "second_send": True},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_after(case: Case) -> None:
    following = after(case.error, case.attempt, NOW, NOW + timedelta(seconds=case.ttl_s), rand=0.5, **case.more)
    assert (following.action, following.status) == (case.action, case.status)
    assert following.at == NOW + timedelta(seconds=case.wait_s)


histories = st.fixed_dictionaries(
    {
        "rand": st.floats(0, 1, exclude_max=True),
        "retry_after_s": st.none() | st.floats(-10, 1e9),
        "has_backup": st.booleans(),
        "unknown_tried": st.booleans(),
        "idempotent": st.booleans(),
        "maybe_sent": st.booleans(),
    }
)


@settings(max_examples=200)
@given(
    error=st.sampled_from(ErrorClass),
    attempt=st.integers(1, 200),
    ttl_s=st.floats(-100, 1e6),
    history=histories,
    second=st.booleans(),
)
def test_laws(error: ErrorClass, attempt: int, ttl_s: float, history: dict[str, Any], second: bool) -> None:
    expires_at = NOW + timedelta(seconds=ttl_s)
    following = after(error, attempt, NOW, expires_at, second_send=second, **history)
    maybe_sent = history["maybe_sent"] or error is E.AMBIGUOUS
    if following.status is S.QUEUED:
        assert NOW <= following.at < expires_at
        assert error.retry is not Retry.NEVER
    else:
        assert following.at == NOW
    if following.action is A.NEXT_CARRIER:  # never both carriers for one message
        assert history["has_backup"]
        assert second or not maybe_sent
    if following.action is A.RETRY_SAME and maybe_sent and error is E.AMBIGUOUS:
        assert history["idempotent"]
    if following.action is A.RETRY_SAME and error is not E.CARRIER_DOWN:
        assert attempt < MAX_ATTEMPTS
    if maybe_sent and not history["idempotent"]:  # what may be there is never called failed
        assert following.status in (S.QUEUED, S.UNKNOWN)


HEADERS: list[tuple[str, str, float | None]] = [
    ("seconds", "120", 120.0),
    ("a fraction of a second", " 1.5 ", 1.5),
    ("at once", "0", 0.0),
    ("more than a day is a day", "999999", 86_400.0),
    ("a date to come", "Sat, 31 Jan 2026 09:01:30 GMT", 90.0),
    ("a date gone by", "Sat, 31 Jan 2026 08:00:00 GMT", 0.0),
    ("the form of RFC 850", "Saturday, 31-Jan-26 09:00:05 GMT", 5.0),
    ("the form of C's asctime", "Sat Jan 31 09:00:05 2026", 5.0),
    ("a date years ahead is a day", "Sat, 31 Jan 2099 09:00:00 GMT", 86_400.0),
    ("nothing", "", None),
    ("a word", "soon", None),
    ("a negative number", "-5", None),
    ("an exponent", "1e3", None),
    ("digits of another script", "٥", None),
    ("not a number", "nan", None),
    ("a day that does not exist", "Sat, 31 Feb 2026 09:00:00 GMT", None),
    ("a zone out of range", "Sat, 31 Jan 2026 09:00:00 +99999999", None),
    ("a very long header", "9" * 10_000, None),
]


@pytest.mark.parametrize(("header", "wait_s"), [row[1:] for row in HEADERS], ids=[row[0] for row in HEADERS])
def test_retry_after(header: str, wait_s: float | None) -> None:
    assert parse_retry_after(header, NOW) == wait_s


@settings(max_examples=200)
@given(header=st.text(max_size=80) | st.text(alphabet="0123456789 ,:.+-GMTJanSt", max_size=60))
def test_any_header_is_read_or_not(header: str) -> None:
    wait_s = parse_retry_after(header, NOW)
    assert wait_s is None or 0 <= wait_s <= 86_400


@given(at=st.datetimes(datetime(2026, 1, 31), datetime(2026, 2, 1)), hours=st.integers(-12, 14))  # noqa: DTZ001  # Hypothesis wants naive bounds
def test_a_date_in_any_zone_is_its_instant(at: datetime, hours: int) -> None:
    when = at.replace(microsecond=0, tzinfo=timezone(timedelta(hours=hours)))
    expected = min(max((when - NOW).total_seconds(), 0.0), 86_400.0)
    assert parse_retry_after(format_datetime(when), NOW) == expected


def test_write_backs_follow_the_schedule_and_end() -> None:
    waits = [writeback_retry(attempt, rand=0.0) for attempt in range(1, len(WRITE_BACK_SCHEDULE_S) + 2)]
    assert waits == [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400, None]


WRITE_BACKS: list[tuple[str, int, float, float | None, float | None]] = [
    ("up to a tenth is added", 1, 0.5, None, 5.25),
    ("a longer Retry-After is honoured", 1, 0.0, 60.0, 60.0),
    ("a shorter one does not hurry", 2, 0.0, 60.0, 300.0),
    ("Retry-After is bounded", 1, 0.0, 1e9, 86_400.0),
    ("no failure, no retry", 0, 0.0, None, None),
]


@pytest.mark.parametrize(
    ("attempt", "rand", "header_s", "wait_s"), [row[1:] for row in WRITE_BACKS], ids=[row[0] for row in WRITE_BACKS]
)
def test_writeback_retry(attempt: int, rand: float, header_s: float | None, wait_s: float | None) -> None:
    assert writeback_retry(attempt, rand=rand, retry_after_s=header_s) == wait_s
