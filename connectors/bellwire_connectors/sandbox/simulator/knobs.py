"""How the simulator behaves, changeable while it runs, and the faults it can be told to have."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Cut(StrEnum):
    """Where a connection is closed."""

    NONE = ""
    CONNECT = "connect"  # at the request line: nothing else was read
    HEADERS = "headers"  # the head was read, no body
    BODY = "body"  # half of the body was read
    STATUS = "status"  # all was read, nothing is answered
    ANSWER = "answer"  # half of the answer is written
    END = "end"  # the whole answer is written


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way to go wrong. `takes`: whether the message reaches the handset all the same. `status`: 0 = as without the fault.

    `own_body`: the carrier's own error stands in the answer (proof that it took nothing).
    """

    says: str
    takes: bool = False
    status: int = 0
    own_body: bool = False
    garbage: bool = False
    hang: bool = False
    cut: Cut = Cut.NONE


FAULTS: Mapping[str, Fault] = {
    "error_500": Fault(says="500 with the carrier's own error body", status=500, own_body=True),
    "error_503": Fault(says="503 with the carrier's own error body and Retry-After", status=503, own_body=True),
    "bare_500": Fault(says="500 without a body, not taken", status=500),
    "bare_500_taken": Fault(says="500 without a body, but taken", status=500, takes=True),
    "throttle": Fault(says="429 with Retry-After", status=429, own_body=True),
    "unauthorized": Fault(says="401", status=401, own_body=True),
    "garbage": Fault(says="taken, answered with nonsense", status=200, takes=True, garbage=True),
    "hang": Fault(says="taken, never answered", takes=True, hang=True),
    "hang_untaken": Fault(says="not taken, never answered", hang=True),
    "cut_connect": Fault(says="closed at the request line", cut=Cut.CONNECT),
    "cut_headers": Fault(says="closed after the headers", cut=Cut.HEADERS),
    "cut_body": Fault(says="closed after half of the body", cut=Cut.BODY),
    "cut_status": Fault(says="taken, closed before the status line", takes=True, cut=Cut.STATUS),
    "cut_answer": Fault(says="taken, closed in the middle of the answer", takes=True, cut=Cut.ANSWER),
    "cut_end": Fault(says="taken, answered, then closed", takes=True, cut=Cut.END),
}

FaultName = Literal[
    "error_500", "error_503", "bare_500", "bare_500_taken", "throttle", "unauthorized", "garbage", "hang", "hang_untaken",
    "cut_connect", "cut_headers", "cut_body", "cut_status", "cut_answer", "cut_end",
]  # fmt: skip


class Armed(BaseModel):
    """A fault for the next `count` sends."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: FaultName
    count: Annotated[int, Field(ge=1, le=1_000_000)] = 1


class Knobs(BaseModel):
    """Every knob. Times in the unit of their names; `rate` in messages a second, 0 = no limit; `reset`: cut by RST, not FIN."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    latency_ms: Annotated[float, Field(ge=0, le=600_000)] = 0.0
    jitter_ms: Annotated[float, Field(ge=0, le=600_000)] = 0.0
    error_rate: Annotated[float, Field(ge=0, le=1)] = 0.0
    error: FaultName = "error_500"
    reset: bool = False
    hang_s: Annotated[float, Field(ge=0, le=3_600)] = 60.0
    dlr: Literal["once", "none", "late", "twice", "first"] = "once"
    dlr_delay_ms: Annotated[float, Field(ge=0, le=3_600_000)] = 200.0
    late_ms: Annotated[float, Field(ge=0, le=3_600_000)] = 10_000.0
    rate: Annotated[float, Field(ge=0, le=1_000_000)] = 0.0
    idempotent: bool = True
    stops: bool = True
    price: Annotated[str, Field(pattern=r"^([0-9]{1,6}(\.[0-9]{1,8})?)?$")] = ""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    callback_attempts: Annotated[int, Field(ge=1, le=10)] = 5

    def changed(self, **more: Any) -> Knobs:
        """A copy with some knobs turned. Raises ValidationError naming the knob."""
        return Knobs.model_validate({**self.model_dump(), **more})


class Trouble:
    """Which send goes wrong, and how: armed faults first, in order, then the error rate by a seeded dice."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)  # noqa: S311 - a repeatable simulation, no secret
        self._armed: deque[tuple[str, int]] = deque()

    def arm(self, one: Armed) -> None:
        """Put a fault behind those that wait."""
        self._armed.append((one.kind, one.count))

    def disarm(self) -> None:
        """Forget the faults that wait."""
        self._armed.clear()

    def waiting(self) -> list[dict[str, object]]:
        """The faults that wait, in order."""
        return [{"kind": kind, "count": count} for kind, count in self._armed]

    def next(self, knobs: Knobs) -> tuple[str, Fault] | None:
        """The fault of this send, None for none."""
        if self._armed:
            kind, count = self._armed.popleft()
            if count > 1:
                self._armed.appendleft((kind, count - 1))
            return kind, FAULTS[kind]
        if knobs.error_rate and self._dice.random() < knobs.error_rate:
            return knobs.error, FAULTS[knobs.error]
        return None

    def delay_s(self, knobs: Knobs) -> float:
        """The answer's delay: latency, and up to jitter more."""
        return (knobs.latency_ms + (self._dice.random() * knobs.jitter_ms if knobs.jitter_ms else 0.0)) / 1000


class Limit:
    """At most `rate` messages a second, with a second's worth of burst."""

    def __init__(self) -> None:
        self._tokens, self._at, self._rate = 0.0, 0.0, 0.0

    def take(self, count: int, rate: float, now: float) -> bool:
        """Whether `count` messages may pass at `now` (monotonic seconds)."""
        if rate != self._rate:
            self._tokens, self._at, self._rate = max(rate, 1.0), now, rate
        self._tokens = min(max(rate, 1.0), self._tokens + (now - self._at) * rate)
        self._at = now
        if self._tokens < count:
            return False
        self._tokens -= count
        return True
