"""What follows a failed attempt: the same carrier later, the backup, an end, or `unknown`. And when write-backs try again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum

from bellwire.errors import ErrorClass, Retry
from bellwire.model import Status

MAX_ATTEMPTS = 5  # at carriers that are up; an outage is bounded by the message's expiry only
BACKOFF_CAP_S = 60.0
MAX_RETRY_AFTER_S = 86_400.0
#: Seconds before the next try of a write-back or callback (Standard Webhooks: after the first failure 5 s, …).
WRITE_BACK_SCHEDULE_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)

_SECONDS = re.compile(r"\d{1,9}(?:\.\d{1,9})?", re.ASCII)


class Action(StrEnum):
    """What the engine does with the message now."""

    RETRY_SAME = "retry_same"
    NEXT_CARRIER = "next_carrier"
    FAIL = "fail"
    UNKNOWN = "unknown"
    EXPIRE = "expire"


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """What follows, when, and the status the message takes until then (`queued`) or for good."""

    action: Action
    at: datetime
    status: Status


def after(
    error_class: ErrorClass,
    attempt: int,
    now: datetime,
    expires_at: datetime,
    *,
    rand: float,
    retry_after_s: float | None = None,
    has_backup: bool = False,
    outages: int = 0,
    unknown_tried: bool = False,
    maybe_sent: bool = False,
    idempotent: bool = False,
    second_send: bool = False,
) -> Next:
    """What follows an attempt that ended with `error_class`.

    `attempt`: how many attempts the message has had, this one included, from 1; `outages`: how many of them ended
    `carrier_down`. `rand`: in [0, 1). `has_backup`: the route has a healthy account that was not tried.
    `unknown_tried`: an earlier attempt ended with class `unknown`. `maybe_sent`: an earlier attempt was ambiguous.
    `idempotent`: the account answers a repeated reference with the first result, and every ambiguous attempt was there.
    `second_send`: the policy's `on_ambiguous` is `backup` and the purpose otp.

    A message that a carrier may have taken goes to no other one without `second_send`, and ends as `unknown`.
    """
    maybe_sent = maybe_sent or error_class.retry is Retry.ASK_FIRST
    may_switch = has_backup and (second_send or not maybe_sent)
    action = _wanted(error_class, attempt - outages, may_switch=may_switch, unknown_tried=unknown_tried, idempotent=idempotent)
    at = now + timedelta(seconds=_delay_s(attempt, rand, retry_after_s))
    if action is Action.RETRY_SAME and may_switch and retry_after_s is not None and retry_after_s > BACKOFF_CAP_S:
        action = Action.NEXT_CARRIER
    if action is Action.RETRY_SAME and at >= expires_at:
        action = Action.NEXT_CARRIER if may_switch else Action.EXPIRE
    if action is Action.NEXT_CARRIER and now >= expires_at:
        action = Action.EXPIRE
    if action is Action.RETRY_SAME:
        return Next(action=action, at=at, status=Status.QUEUED)
    if action is Action.NEXT_CARRIER:
        return Next(action=action, at=now, status=Status.QUEUED)
    # an idempotent account's NEVER tells the first attempt's result too; any other end leaves that open
    if maybe_sent and not (idempotent and error_class.retry is Retry.NEVER):
        action = Action.UNKNOWN
    if action is Action.FAIL and error_class is ErrorClass.UNREACHABLE:
        return Next(action=action, at=now, status=Status.UNDELIVERED)
    return Next(action=action, at=now, status=_ENDS[action])


_ENDS = {Action.FAIL: Status.FAILED, Action.UNKNOWN: Status.UNKNOWN, Action.EXPIRE: Status.EXPIRED}


def _wanted(error_class: ErrorClass, attempt: int, *, may_switch: bool, unknown_tried: bool, idempotent: bool) -> Action:
    """What the class asks for while there is time."""
    tries_left = attempt < MAX_ATTEMPTS
    switch_or_fail = Action.NEXT_CARRIER if may_switch else Action.FAIL
    match error_class:
        case ErrorClass.EXPIRED:
            return Action.EXPIRE
        case ErrorClass.AMBIGUOUS:
            if idempotent and tries_left:
                return Action.RETRY_SAME
            return Action.NEXT_CARRIER if may_switch else Action.UNKNOWN
        case ErrorClass.UNKNOWN:
            return Action.RETRY_SAME if tries_left and not unknown_tried else Action.FAIL
        case ErrorClass.THROTTLED:
            return Action.RETRY_SAME if tries_left else switch_or_fail
        case ErrorClass.CARRIER_DOWN:  # nothing was taken: the outage may last as long as the message is of use
            return Action.NEXT_CARRIER if may_switch else Action.RETRY_SAME
    return switch_or_fail if error_class.retry is Retry.NEXT_CARRIER else Action.FAIL


def _delay_s(attempt: int, rand: float, retry_after_s: float | None) -> float:
    """Full jitter over 1 s × 2^n; after a Retry-After up to a second more, so that not all come back at once."""
    if retry_after_s is not None:
        return min(max(retry_after_s, 0.0), MAX_RETRY_AFTER_S) + rand
    return rand * min(2.0 ** min(attempt - 1, 30), BACKOFF_CAP_S)


def parse_retry_after(header: str, now: datetime) -> float | None:
    """Seconds to wait by a Retry-After header (RFC 9110 10.2.3: seconds or an HTTP date), 0 to 24 h. None: not readable."""
    text = header.strip()[:64]
    if _SECONDS.fullmatch(text):
        return min(float(text), MAX_RETRY_AFTER_S)
    try:
        at = parsedate_to_datetime(text)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        wait_s = (at - now).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(max(wait_s, 0.0), MAX_RETRY_AFTER_S)


def writeback_retry(attempt: int, *, rand: float, retry_after_s: float | None = None) -> float | None:
    """Seconds until the next try of a write-back or callback after its `attempt`-th failure, from 1. None: give up.

    Up to a tenth is added, and a longer Retry-After is honoured.
    """
    if not 1 <= attempt <= len(WRITE_BACK_SCHEDULE_S):
        return None
    wait_s = float(WRITE_BACK_SCHEDULE_S[attempt - 1])
    if retry_after_s is not None:
        wait_s = max(wait_s, min(retry_after_s, MAX_RETRY_AFTER_S))
    return wait_s * (1 + rand / 10)
