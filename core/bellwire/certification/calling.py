"""Does writing back get through once, whatever the platform does? Asked of a stand-in on this machine."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from bellwire.certification.kit import Kit
from bellwire.certification.platform import Platform, Written
from bellwire.certification.quiet import leak, secrets_of
from bellwire.certification.rules import Level, NotJudged, Rule, claim
from bellwire.model import Msisdn, ReplyNote, Status
from bellwire.testing import NOW
from bellwire.testing.fault_server import FaultServer
from bellwire.testing.standins import Fault

_OFTEN = 20  # more than anybody tries within one job
_PHONE = "+15550100199"


def writes(kit: Kit) -> None:
    """Pass for a connector that writes statuses back. Raises NotJudged."""
    if kit.connector.write_back is None:
        raise NotJudged("it writes no statuses back")


def said(error: Exception | None) -> str:
    """What a job raised, without its text."""
    return "nothing was raised" if error is None else f"raised {type(error).__name__}"


def clean(at: Platform) -> tuple[str, Written]:
    """One write without any fault. What the generic server's answers are too poor for is not judged."""
    subject = at.stand_in.subject()
    done = at.write(at.change(subject))
    if done.error is not None and at.generic:
        raise NotJudged(f"the generic server's answers are not enough ({type(done.error).__name__}): bring a stand-in")
    claim(done.error is None, f"a plain write {said(done.error)}: {done.error}")
    return subject, done


def _write_back(kit: Kit) -> None:
    writes(kit)
    with kit.platform() as at:
        before = at.stand_in.written()
        _, done = clean(at)
        claim(done.calls > 0, "nothing was called")
        claim(at.stand_in.written() != before, "nothing stands there that was not there before")


def _base_url(kit: Kit) -> None:
    writes(kit)
    with kit.platform() as at:
        done = at.write(at.change(at.stand_in.subject()))
        others = sorted(set(at.watch.addresses))
        claim(not others, f"called {', '.join(others)}; `settings.base_url` is where everything goes, over link.http")
        if not done.calls:
            raise NotJudged(f"nothing was called: {said(done.error)}")


def _idempotent(kit: Kit) -> None:
    writes(kit)
    with kit.platform() as at:
        subject, _ = clean(at)
        once = at.stand_in.written()
        for _ in range(2):
            again = at.write(at.change(subject))
            claim(again.error is None, f"the same again {said(again.error)}")
        same(at, once, "the same status written again stands there twice")
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
    same(at, once, "a reply that is written again stands there twice")


def same(at: Platform, once: object, otherwise: str) -> None:
    """Claim that what stands there is what stood there once. Raises NotJudged where only the platform could tell."""
    now = at.stand_in.written()
    if now != once and isinstance(at.stand_in, FaultServer) and at.stand_in.ambiguous:
        raise NotJudged("it writes by POST or PATCH without an Idempotency-Key: only a stand-in of the platform can judge repeats")
    claim(now == once, otherwise)


# -- tokens -------------------------------------------------------------------------------------------------------


def _refresh_once(kit: Kit) -> None:
    writes(kit)
    with kit.platform(own=True) as at:
        at.stand_in.expire_tokens()
        done = at.write(at.change(at.stand_in.subject()))
        claim(done.error is None, f"an expired token {said(done.error)} though a refresh would have helped")
        many = at.stand_in.refreshes()
        claim(many == 1, f"refreshed {many} times for one expired token")


def _one_refresh(kit: Kit) -> None:
    writes(kit)
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
        claim(not errors, f"{len(errors)} of {len(threads)} jobs failed: {said(errors[0]) if errors else ''}")
        many = at.stand_in.refreshes()
        claim(many == 1, f"{len(threads)} jobs with one expired token refreshed {many} times")


def _quiet(kit: Kit) -> None:
    writes(kit)
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
        claim(done.error is None, f"a refused token {said(done.error)} instead of a line that says so")
        claim(any(not one.ok for one in found), "a refused token shows in no line")


def _all_statuses(kit: Kit) -> None:
    writes(kit)
    with kit.platform(own=True) as at:
        for status in Status:
            done = at.write(at.change(at.stand_in.subject(), status))
            claim(done.error is None, f"the status {status} {said(done.error)}")


_ANY = ("write-back",)

RULES = (
    Rule("write-back", Level.SILVER, "A status that is written stands at the platform.", _write_back),
    Rule("base-url", Level.SILVER, "Calls go to `settings.base_url` and to nobody else.", _base_url),
    Rule("idempotent", Level.SILVER, "A status or reply that is written again stands there once.", _idempotent, needs=_ANY),
    Rule("every-status", Level.SILVER, "Every status can be written.", _all_statuses, needs=_ANY),
    Rule("refresh-once", Level.SILVER, "An expired token is refreshed once, and the job goes on.", _refresh_once, needs=_ANY),
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
