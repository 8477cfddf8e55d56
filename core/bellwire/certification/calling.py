"""Does writing back get through once, whatever the platform does? Asked of a stand-in on this machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from bellwire.certification.kit import Kit
from bellwire.certification.link import BOUNDS, IMPATIENT, SLOW_S
from bellwire.certification.platform import Platform, Written
from bellwire.certification.quiet import leak, secrets_of
from bellwire.certification.rules import Level, NotJudged, Rule, claim
from bellwire.errors import PlatformError, PlatformThrottled, Retry
from bellwire.model import Msisdn, ReplyNote, Status
from bellwire.testing import NOW
from bellwire.testing.fault_server import FaultServer
from bellwire.testing.standins import Fault

_OFTEN = 20  # more than anybody tries within one job
_FEW = 8  # calls of one job, its own repeats among them
_WAIT_S = 7
_PHONE = "+15550100199"


def _writes(kit: Kit) -> None:
    if kit.connector.write_back is None:
        raise NotJudged("it writes no statuses back")


def _said(error: Exception | None) -> str:
    return "nothing was raised" if error is None else f"raised {type(error).__name__}"


def _clean(at: Platform) -> tuple[str, Written]:
    """One write without any fault. What the generic server's answers are too poor for is not judged."""
    subject = at.stand_in.subject()
    done = at.write(at.change(subject))
    if done.error is not None and at.generic:
        raise NotJudged(f"the generic server's answers are not enough ({type(done.error).__name__}): bring a stand-in")
    claim(done.error is None, f"a plain write {_said(done.error)}: {done.error}")
    return subject, done


def _write_back(kit: Kit) -> None:
    _writes(kit)
    with kit.platform() as at:
        before = at.stand_in.written()
        _, done = _clean(at)
        claim(done.calls > 0, "nothing was called")
        claim(at.stand_in.written() != before, "nothing stands there that was not there before")


def _base_url(kit: Kit) -> None:
    _writes(kit)
    with kit.platform() as at:
        done = at.write(at.change(at.stand_in.subject()))
        others = sorted(set(at.watch.addresses))
        claim(not others, f"called {', '.join(others)}; `settings.base_url` is where everything goes, over link.http")
        if not done.calls:
            raise NotJudged(f"nothing was called: {_said(done.error)}")


def _idempotent(kit: Kit) -> None:
    _writes(kit)
    with kit.platform() as at:
        subject, _ = _clean(at)
        once = at.stand_in.written()
        for _ in range(2):
            again = at.write(at.change(subject))
            claim(again.error is None, f"the same again {_said(again.error)}")
        _same(at, once, "the same status written again stands there twice")
        if kit.connector.write_reply is not None:
            _replies(kit, at, subject)


def _replies(kit: Kit, at: Platform, subject: str) -> None:
    write_reply = kit.connector.write_reply
    if write_reply is None:
        return
    note = ReplyNote(reply_id="rpl_1", msisdn=Msisdn(_PHONE), text="Thanks", at=NOW, subject=subject)
    before = at.stand_in.written()
    at.run(lambda: write_reply(note, at.link()))
    once = at.stand_in.written()
    claim(once != before or at.generic, "the reply stands nowhere")
    at.run(lambda: write_reply(note, at.link()))
    _same(at, once, "a reply that is written again stands there twice")


def _same(at: Platform, once: object, otherwise: str) -> None:
    now = at.stand_in.written()
    if now != once and isinstance(at.stand_in, FaultServer) and at.stand_in.ambiguous:
        raise NotJudged("it writes by POST or PATCH without an Idempotency-Key: only a stand-in of the platform can judge repeats")
    claim(now == once, otherwise)


# -- tokens -------------------------------------------------------------------------------------------------------


def _refresh_once(kit: Kit) -> None:
    _writes(kit)
    with kit.platform(own=True) as at:
        at.stand_in.expire_tokens()
        done = at.write(at.change(at.stand_in.subject()))
        claim(done.error is None, f"an expired token {_said(done.error)} though a refresh would have helped")
        many = at.stand_in.refreshes()
        claim(many == 1, f"refreshed {many} times for one expired token")


def _one_refresh(kit: Kit) -> None:
    _writes(kit)
    write_back = kit.connector.write_back
    with kit.platform(own=True) as at:
        subjects = [at.stand_in.subject() for _ in range(4)]
        links = [at.link() for _ in subjects]
        at.stand_in.expire_tokens()
        errors: list[Exception] = []

        def job(number: int) -> None:
            try:
                if write_back is not None:
                    write_back([at.change(subjects[number])], links[number])
            except Exception as e:
                errors.append(e)

        threads = [threading.Thread(target=job, args=(number,)) for number in range(len(subjects))]
        with at.watch.network(loopback=True):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(10)
        claim(not errors, f"{len(errors)} of {len(threads)} jobs failed: {_said(errors[0]) if errors else ''}")
        many = at.stand_in.refreshes()
        claim(many == 1, f"{len(threads)} jobs with one expired token refreshed {many} times")


def _refused_token(kit: Kit) -> None:
    _never(kit, Fault(status=401), calls=3)


# -- answers ------------------------------------------------------------------------------------------------------


def _faulted(at: Platform, *faults: Fault) -> Written:
    subject = at.stand_in.subject()
    at.stand_in.fail(*faults)
    done = at.write(at.change(subject))
    if not done.calls:
        raise NotJudged(f"nothing was called: {_said(done.error)}")
    return done


def _never(kit: Kit, fault: Fault, *, calls: int, may_pass: bool = False) -> None:
    """Claim that an answer ends the job for good, without many tries."""
    _writes(kit)
    with kit.platform() as at:
        done = _faulted(at, *[fault] * _OFTEN)
        claim(done.calls <= calls, f"{fault.status} was tried {done.calls} times; trying again changes nothing")
        if may_pass and done.error is None:
            return
        claim(isinstance(done.error, PlatformError), f"{fault.status}: {_said(done.error)}; raise a PlatformError")
        retry = getattr(done.error, "retry", None)
        claim(retry is Retry.NEVER, f"{fault.status}: {_said(done.error)}, which is tried again; trying again changes nothing")


def _later(done: Written, what: str) -> PlatformError:
    claim(isinstance(done.error, PlatformError), f"{what}: {_said(done.error)}; raise a PlatformError")
    error = done.error
    if not isinstance(error, PlatformError) or error.retry is not Retry.LATER:
        raise AssertionError(f"{what}: {_said(error)}, which is never tried again")
    claim(done.calls <= _FEW, f"{what}: {done.calls} calls in one job; the queue tries again, not the client")
    return error


def _conflict(kit: Kit) -> None:
    _writes(kit)
    with kit.platform() as at:
        done = _faulted(at, *[Fault(status=409)] * _OFTEN)
        claim(done.calls <= _FEW, f"409 was tried {done.calls} times within one job")
        claim(done.error is None or isinstance(done.error, PlatformError), f"409: {_said(done.error)}; raise a PlatformError")


def _throttled(kit: Kit) -> None:
    _writes(kit)
    with kit.platform() as at:
        done = _faulted(at, Fault(status=429, headers={"Retry-After": str(_WAIT_S)}))
        if done.error is None:
            claim(done.waited_s >= _WAIT_S, f"429 with Retry-After {_WAIT_S}: called again after {done.waited_s:g} s")
            return
        error = _later(done, "429")
        asked = error.retry_after_s if isinstance(error, PlatformThrottled) else None
        claim(asked is not None and asked + done.waited_s >= _WAIT_S, f"429: its Retry-After of {_WAIT_S} s got lost ({asked})")


def _throttled_silently(kit: Kit) -> None:
    _writes(kit)
    with kit.platform() as at:
        _later(_faulted(at, *[Fault(status=429)] * _OFTEN), "429 without Retry-After")


def _server_error(kit: Kit) -> None:
    _writes(kit)
    for status in (500, 503):
        with kit.platform() as at:
            _later(_faulted(at, *[Fault(status=status, body=b"<html>oops</html>")] * _OFTEN), str(status))


def _broken(fault: Fault, what: str) -> Callable[[Kit], None]:
    """Claim that a job whose call broke is done once in the end."""

    def check(kit: Kit) -> None:
        _writes(kit)
        with kit.platform() as at:
            _clean(at)
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
                claim(again.error is None, f"{what}: the next try {_said(again.error)}")
            _same(at, once, f"{what}: in the end it does not stand there once, as after a plain write")

    return check


# -- what is said -------------------------------------------------------------------------------------------------


def _quiet(kit: Kit) -> None:
    _writes(kit)
    with kit.platform() as at:
        secrets = secrets_of(kit.connector.fields, at.stored.installation.credentials)
        echo = f'{{"error": "{_PHONE} {" ".join(sorted(secrets))}", "message": "{_PHONE}"}}'.encode()
        faults: Sequence[Fault] = (
            Fault(status=400, body=echo),
            Fault(status=401, body=echo),
            Fault(status=422, body=echo),
            Fault(status=429, body=echo),
            Fault(status=500, body=echo),
            Fault(cut="before"),
        )
        errors: list[tuple[str, Exception]] = []
        calls = 0
        with at.watch.speech() as seen:
            for fault in faults:
                at.stand_in.fail(fault)
                done = at.write(at.change(at.stand_in.subject()))
                calls += done.calls
                if done.error is not None:
                    errors.append((str(fault.status or f"cut {fault.cut}"), done.error))
        if not calls:
            raise NotJudged("nothing was called")
        claim(bool(errors), "no fault raised anything")
        for what, error in errors:
            chain: Any = error
            found = leak(f"{chain} {chain!r}", secrets, [_PHONE])
            claim(not found, f"{what}: the {type(error).__name__} quotes {found}")
        for line in seen.said:
            found = leak(line, secrets, [_PHONE])
            claim(not found, f"a log line tells {found}")


def _check(kit: Kit) -> None:
    check = kit.connector.check
    if check is None:
        raise NotJudged("it has no check")
    with kit.platform(own=True) as at:
        at.stand_in.fail(*[Fault(status=401)] * _OFTEN)
        found: list[Any] = []
        done = at.run(lambda: found.extend(check(at.link())))
        claim(done.error is None, f"a refused token {_said(done.error)} instead of a line that says so")
        claim(any(not one.ok for one in found), "a refused token shows in no line")


def _all_statuses(kit: Kit) -> None:
    _writes(kit)
    with kit.platform(own=True) as at:
        for status in Status:
            done = at.write(at.change(at.stand_in.subject(), status))
            claim(done.error is None, f"the status {status} {_said(done.error)}")


_ANY = ("write-back",)

RULES = (
    Rule("write-back", Level.SILVER, "A status that is written stands at the platform.", _write_back),
    Rule("base-url", Level.SILVER, "Calls go to `settings.base_url` and to nobody else.", _base_url),
    Rule("idempotent", Level.SILVER, "A status or reply that is written again stands there once.", _idempotent, needs=_ANY),
    Rule("every-status", Level.SILVER, "Every status can be written.", _all_statuses, needs=_ANY),
    Rule("refresh-once", Level.SILVER, "An expired token is refreshed once, and the job goes on.", _refresh_once, needs=_ANY),
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
    Rule("quiet-calls", Level.SILVER, "No error and no log line of a call tells a secret or a number.", _quiet),
    Rule(
        "one-refresh",
        Level.PLATINUM,
        "Jobs that meet one expired token at once refresh it once.",
        _one_refresh,
        needs=("refresh-once",),
    ),
    Rule("check-tells", Level.PLATINUM, "`check` says that a token is refused, and raises nothing.", _check),
)
