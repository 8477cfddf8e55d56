"""How a message's status moves: forward only, whoever reports it, in whatever order the reports arrive.

scheduled < queued < sending < unknown < sent < final. `unknown` is soft-final: any report of the carrier settles it.
"""

from __future__ import annotations

from collections.abc import Mapping

from bellwire.model import Status

#: Nothing is expected any more. `unknown` is not among them: a DLR, a query or a person settles it.
FINAL = frozenset({Status.DELIVERED, Status.UNDELIVERED, Status.FAILED, Status.EXPIRED, Status.CANCELED, Status.REFUSED})
#: A message in one of these may still be taken back by its owner.
CANCELABLE = frozenset({Status.SCHEDULED, Status.QUEUED})

#: What a carrier (or a person settling an `unknown`) can report; anything else is ours and moves nothing.
_REPORTABLE = frozenset({Status.SENT, Status.DELIVERED, Status.UNDELIVERED, Status.FAILED, Status.EXPIRED, Status.CANCELED})
#: Finals that a later `delivered` overrules: the handset knows better than the operator's clock.
_OVERRULED = frozenset({Status.UNDELIVERED, Status.EXPIRED})
#: How one attempt can end; `queued`: it certainly failed and another is allowed.
_ATTEMPT_ENDS = _REPORTABLE - {Status.CANCELED} | {Status.QUEUED, Status.UNKNOWN}
#: Which of several finally lost segments names the message, whatever the order they came in.
_WORST_FIRST = (Status.FAILED, Status.UNDELIVERED, Status.EXPIRED, Status.CANCELED)


def is_final(status: Status) -> bool:
    """True when nothing is expected any more; `unknown` is not final."""
    return status in FINAL


def advance(current: Status, reported: Status | None, *, latest_attempt: bool = True) -> Status | None:
    """The status after a report from outside: a DLR, a status query, a person. None: nothing moves.

    `delivered` overrules `undelivered` and `expired`; of other conflicting finals the first stays. A report moves the message
    straight from `sending` too, as DLRs overtake the answer to the submit.
    `latest_attempt` False: the report is about an earlier attempt than the last; only its `delivered` counts, since the
    message is on its way with another.
    """
    if reported not in _REPORTABLE or (not latest_attempt and reported is not Status.DELIVERED):
        return None
    if current in FINAL:
        return reported if reported is Status.DELIVERED and current in _OVERRULED else None
    if reported is Status.FAILED and current in CANCELABLE:
        return None  # that attempt is known to have failed: the message waits for its next one
    return reported if reported is not current else None


def end_attempt(current: Status, result: Status) -> Status | None:
    """The status after our own call to the carrier ended. None: nothing moves, an early DLR has said more.

    `result`: sent, queued (certainly failed, another try is allowed), unknown, or a final. Raises ValueError for others.
    """
    if result not in _ATTEMPT_ENDS:
        raise ValueError(f"an attempt can't end as {result}")
    if current is Status.SENDING:
        return result
    return advance(current, result)


def report_segment(segments: Mapping[int, Status], number: int, reported: Status | None) -> dict[int, Status]:
    """The statuses by segment after a segment's own DLR, by the same rule as `advance`."""
    before = segments.get(number, Status.SENDING)
    after = advance(before, reported) or before
    return {**segments, number: after} if after is not Status.SENDING else dict(segments)


def combine(segments: Mapping[int, Status], total: int) -> Status | None:
    """What the segments' statuses say of the message, to be given to `advance`. None: nothing yet.

    `delivered` when all `total` are; not delivered as soon as one is finally not; otherwise `sent`.
    Raises ValueError for a total below 1.
    """
    if total < 1:
        raise ValueError("a message has at least one segment")
    statuses = set(segments.values())
    for lost in _WORST_FIRST:
        if lost in statuses:
            return lost
    if statuses == {Status.DELIVERED} and len(segments) >= total:
        return Status.DELIVERED
    return Status.SENT if statuses & {Status.SENT, Status.DELIVERED} else None
