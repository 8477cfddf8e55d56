"""What becomes of a write when the platform refuses, throttles, fails, cuts or is slow?"""

from __future__ import annotations

import time
from collections.abc import Callable

from bellwire.certification.calling import clean, said, same, writes
from bellwire.certification.kit import Kit
from bellwire.certification.link import BOUNDS, IMPATIENT, SLOW_S
from bellwire.certification.platform import Platform, Written
from bellwire.certification.rules import Level, NotJudged, Rule, claim
from bellwire.errors import PlatformError, PlatformThrottled, Retry
from bellwire.testing.standins import Fault

OFTEN = 20  # more than anybody tries within one job
_FEW = 8  # calls of one job, its own repeats among them
_WAIT_S = 7


def _refused_token(kit: Kit) -> None:
    _never(kit, Fault(status=401), calls=3)


def _faulted(at: Platform, *faults: Fault) -> Written:
    subject = at.stand_in.subject()
    at.stand_in.fail(*faults)
    done = at.write(at.change(subject))
    if not done.calls:
        raise NotJudged(f"nothing was called: {said(done.error)}")
    return done


def _never(kit: Kit, fault: Fault, *, calls: int, may_pass: bool = False) -> None:
    """Claim that an answer ends the job for good, without many tries."""
    writes(kit)
    with kit.platform() as at:
        done = _faulted(at, *[fault] * OFTEN)
        claim(done.calls <= calls, f"{fault.status} was tried {done.calls} times; trying again changes nothing")
        if may_pass and done.error is None:
            return
        claim(isinstance(done.error, PlatformError), f"{fault.status}: {said(done.error)}; raise a PlatformError")
        retry = getattr(done.error, "retry", None)
        claim(retry is Retry.NEVER, f"{fault.status}: {said(done.error)}, which is tried again; trying again changes nothing")


def _later(done: Written, what: str) -> PlatformError:
    claim(isinstance(done.error, PlatformError), f"{what}: {said(done.error)}; raise a PlatformError")
    error = done.error
    if not isinstance(error, PlatformError) or error.retry is not Retry.LATER:
        raise AssertionError(f"{what}: {said(error)}, which is never tried again")
    claim(done.calls <= _FEW, f"{what}: {done.calls} calls in one job; the queue tries again, not the client")
    return error


def _conflict(kit: Kit) -> None:
    writes(kit)
    with kit.platform() as at:
        done = _faulted(at, *[Fault(status=409)] * OFTEN)
        claim(done.calls <= _FEW, f"409 was tried {done.calls} times within one job")
        claim(done.error is None or isinstance(done.error, PlatformError), f"409: {said(done.error)}; raise a PlatformError")


def _throttled(kit: Kit) -> None:
    writes(kit)
    with kit.platform() as at:
        done = _faulted(at, Fault(status=429, headers={"Retry-After": str(_WAIT_S)}))
        if done.error is None:
            claim(done.waited_s >= _WAIT_S, f"429 with Retry-After {_WAIT_S}: called again after {done.waited_s:g} s")
            return
        error = _later(done, "429")
        asked = error.retry_after_s if isinstance(error, PlatformThrottled) else None
        claim(asked is not None and asked + done.waited_s >= _WAIT_S, f"429: its Retry-After of {_WAIT_S} s got lost ({asked})")


def _throttled_silently(kit: Kit) -> None:
    writes(kit)
    with kit.platform() as at:
        _later(_faulted(at, *[Fault(status=429)] * OFTEN), "429 without Retry-After")


def _server_error(kit: Kit) -> None:
    writes(kit)
    for status in (500, 503):
        with kit.platform() as at:
            _later(_faulted(at, *[Fault(status=status, body=b"<html>oops</html>")] * OFTEN), str(status))


def _broken(fault: Fault, what: str) -> Callable[[Kit], None]:
    """Claim that a job whose call broke is done once in the end."""

    def check(kit: Kit) -> None:
        writes(kit)
        with kit.platform() as at:
            clean(at)
            once = at.stand_in.written()
        with kit.platform() as at:
            subject = at.stand_in.subject()
            at.stand_in.fail(fault)
            at.stored.http.bounds = IMPATIENT if fault.slow_s else BOUNDS
            started = time.monotonic()
            done = at.write(at.change(subject))
            at.stored.http.bounds = BOUNDS
            took = time.monotonic() - started
            claim(took < 5, f"{what}: the job hung for {took:.1f} s")
            waited_it_out = fault.slow_s > 0 and done.error is None and done.calls == 1
            claim(not waited_it_out, f"{what}: the time-out of link.http was gone round; call over link.http")
            if done.error is not None:
                _later(done, what)
                again = at.write(at.change(subject))
                claim(again.error is None, f"{what}: the next try {said(again.error)}")
            same(at, once, f"{what}: in the end it does not stand there once, as after a plain write")

    return check


RULES = (
    Rule("refused-token", Level.SILVER, "A token that is refused for ever ends the job, for a person to act.", _refused_token),
    Rule("forbidden", Level.SILVER, "403 ends the job.", lambda kit: _never(kit, Fault(status=403), calls=2)),
    Rule("missing", Level.SILVER, "404 ends the job.", lambda kit: _never(kit, Fault(status=404), calls=4, may_pass=True)),
    Rule("conflict", Level.SILVER, "409 ends the job or leaves it to the queue.", _conflict),
    Rule("throttled", Level.SILVER, "429: the Retry-After is kept.", _throttled),
    Rule("throttled-silently", Level.SILVER, "429 without Retry-After: tried again later.", _throttled_silently),
    Rule("server-error", Level.SILVER, "5xx: tried again later, by the queue.", _server_error),
    Rule(
        "cut-before",
        Level.SILVER,
        "A connection that breaks before the request was looked at loses nothing.",
        _broken(Fault(cut="before"), "cut before"),
        needs=("write-back", "idempotent"),
    ),
    Rule(
        "cut-after",
        Level.SILVER,
        "A connection that breaks after the request was done writes nothing twice.",
        _broken(Fault(cut="after"), "cut after"),
        needs=("write-back", "idempotent"),
    ),
    Rule(
        "slow",
        Level.SILVER,
        "An answer that never comes ends the call in time, and nothing is written twice.",
        _broken(Fault(slow_s=SLOW_S), "a slow answer"),
        needs=("write-back", "idempotent", "cut-after"),
    ),
)
