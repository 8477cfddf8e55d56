"""A carrier account's circuit breaker: whether it works, told by the calls of the last seconds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from bellwire.errors import ErrorClass

WINDOW_S = 10  # what is judged
MAX_IN_A_ROW = 20  # failures without a success between them
MANY = 20  # failures in the window that matter even when few of the calls
MIN_CALLS = 10  # fewer calls say nothing of a rate
BAD_RATE = 0.25
POOR_RATE = 0.10  # with MANY
PROBE_EVERY_S = 5.0
PROBES_TO_CLOSE = 3  # a carrier that comes and goes is not back with its first good answer
SLOW_S = 5.0  # a call without an answer for so long is recorded as failed, then and only once


class Permit(StrEnum):
    """Whether an account may be given a message now."""

    SEND = "send"
    PROBE = "probe"  # one message, alone
    WAIT = "wait"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """One account's state. All times are seconds of one steady clock, the caller's.

    `calls`: (second, succeeded, failed) of the window, oldest first. `opened_at` None: closed, messages flow.
    `probed_at`: when the last probe was let out; `good_probes`: in a row.
    """

    calls: tuple[tuple[int, int, int], ...] = ()
    in_a_row: int = 0
    opened_at: float | None = None
    probed_at: float = 0.0
    good_probes: int = 0

    @property
    def is_healthy(self) -> bool:
        """True when messages flow."""
        return self.opened_at is None


HEALTHY = Health()

#: The carrier did its work and said no to the message, or asked for less: nothing is wrong with it.
_BAD_FOR_CARRIER = frozenset({ErrorClass.CARRIER_DOWN, ErrorClass.AMBIGUOUS})


def is_failure(error_class: ErrorClass | None) -> bool:
    """Whether an attempt's end counts against the carrier; None: it was accepted."""
    return error_class in _BAD_FOR_CARRIER


def counts(health: Health, began_at: float) -> bool:
    """Whether the end of a call that began then is news: not when the breaker opened while it was under way."""
    return health.opened_at is None or began_at >= health.opened_at


def record(health: Health, now: float, *, ok: bool) -> Health:
    """The state after a call that `counts`: 20 failures in a row or a bad rate over 10 s open it, three good probes close it."""
    if health.opened_at is not None:
        good = health.good_probes + 1 if ok else 0
        return replace(health, good_probes=good) if good < PROBES_TO_CLOSE else HEALTHY
    second = int(now // 1)
    calls = tuple(call for call in health.calls if second - WINDOW_S < call[0] <= second)
    if calls and calls[-1][0] == second:
        *rest, (_, succeeded, failed) = calls
        calls = (*rest, (second, succeeded + ok, failed + (not ok)))
    else:
        calls = (*calls, (second, int(ok), int(not ok)))
    in_a_row = 0 if ok else health.in_a_row + 1
    if not ok and _is_bad(calls, in_a_row):
        return Health(opened_at=now, probed_at=now)
    return Health(calls=calls, in_a_row=in_a_row)


def permit(health: Health, now: float) -> tuple[Permit, Health]:
    """Whether the account may be given a message now; to be stored when it is a probe, so that nobody else lets one out."""
    if health.opened_at is None:
        return Permit.SEND, health
    if abs(now - health.probed_at) < PROBE_EVERY_S:
        return Permit.WAIT, health
    return Permit.PROBE, replace(health, probed_at=now)


def _is_bad(calls: tuple[tuple[int, int, int], ...], in_a_row: int) -> bool:
    if in_a_row >= MAX_IN_A_ROW:
        return True
    failed = sum(call[2] for call in calls)
    total = failed + sum(call[1] for call in calls)
    rate = failed / total
    return (total >= MIN_CALLS and rate >= BAD_RATE) or (failed >= MANY and rate >= POOR_RATE)
