"""How hard one outside system may be called, judged by the calls it had: a shop's API, a tenant's callback URL.

All calls go through few threads. Whoever fails or is slow gets one call at a time, then none for a while, so that nobody else
waits for it. The time is seconds of one steady clock, the caller's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from bellwire.domain import pace as paces
from bellwire.domain.pace import Pace, Use

MOST = 4  # calls at once to one system
AHEAD = 32  # calls that may be planned for one in good standing
SLOW_S = 2.0  # a call of this length makes a system slow, until one is faster
LONGEST_WAIT_S = 60.0  # between two calls to a system that is down
REFUSED_WAIT_S = 900.0  # between two calls to one that refuses our credentials: a person must act


class Answer(StrEnum):
    """How a call ended, as far as the system's standing goes."""

    WELL = "well"  # it did its work, also when it said no to what we asked
    DOWN = "down"  # no answer, or 5xx
    THROTTLED = "throttled"  # it asks for less
    REFUSED = "refused"  # our credentials are no good


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of one system. `known`: it has answered well before; `fails`: in a row, the last one at `failed_at`;
    `until`: nothing starts before; `pace`: what its limit leaves room for, where its connector says.
    """

    known: bool = False
    fails: int = 0
    failed_at: float = float("-inf")
    slow: bool = False
    until: float = float("-inf")
    pace: Pace | None = None

    @property
    def is_good(self) -> bool:
        """Whether it may have several calls at once."""
        return self.known and not self.fails and not self.slow

    def room(self, planned: int, now: float) -> int:
        """How many more calls may be planned."""
        if now < self.until:
            return 0
        room = max((AHEAD if self.is_good else 1) - planned, 0)
        return room if self.pace is None else min(room, self.pace.room(planned, now))


STRANGER = Standing()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call that ended at `now` after `took_s` seconds. `retry_after_s`: when the system said so; `use`: of its limit."""

    answer: Answer
    took_s: float
    now: float
    retry_after_s: float | None = None
    use: Use | None = None


def after(standing: Standing, call: Call, rand: float) -> Standing:
    """The standing after a call. `rand`: in [0, 1), spreads the next looks of many processes."""
    slow = call.took_s >= SLOW_S
    pace = standing.pace if call.use is None else paces.after(standing.pace, call.use, call.now)
    if call.answer is Answer.WELL:
        return Standing(known=True, slow=slow, pace=pace)
    # calls that were under way together when the system went down tell of one failure
    together = standing.fails > 0 and call.now - call.took_s <= standing.failed_at
    fails = standing.fails if together else standing.fails + 1
    longest_s = REFUSED_WAIT_S if call.answer is Answer.REFUSED else LONGEST_WAIT_S
    wait_s = min(2.0 ** min(fails - 1, 20), longest_s)
    wait_s = max(wait_s, call.retry_after_s or 0.0)
    until = max(standing.until, call.now + wait_s * (1 + rand / 10))
    return replace(standing, fails=fails, failed_at=call.now, slow=slow, until=until, pace=pace)
