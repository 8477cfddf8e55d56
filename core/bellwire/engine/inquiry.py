"""Asks platforms and carriers whether accounts work, and ourselves from outside: all at once, within a bounded time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import requests

from bellwire.engine import checking, checks
from bellwire.engine.checkup import Finding, called, look, ok, wrong
from bellwire.engine.runtime import Engine
from bellwire.errors import BellwireError
from bellwire.ids import show
from bellwire.masking import name as named
from bellwire.model import CarrierAccount, CheckResult
from bellwire.store import checkup as stored
from bellwire.store.checkup import Account
from bellwire.store.database import reading

_AT_ONCE = 8
_TOLD_ONCE = "public_url"  # what each check says while it is unset

#: What is asked, and how; findings are named after the first.
Question = tuple[str, Callable[[], Sequence[CheckResult]]]


def questions(engine: Engine) -> Iterator[Question]:
    """What to ask of the other side of each active installation and account. Nothing is called yet. Raises StoreUnavailable."""
    with reading(engine.store.engine) as connection:
        accounts, installed = stored.accounts(connection, engine.now()), stored.installations(connection)
    for one in installed:
        if one.status == "active":
            what = f"check of {called(one.tenant, one.name or one.connector, show('ins', one.id))}"
            yield what, partial(checks.check, engine, one.tenant_id, one.id)
    for account in accounts:
        if account.status == "active" and not _is_here(engine, account):
            what = f"check of {called(account.tenant, account.name or account.carrier, show('acc', account.id))}"
            yield what, partial(checking.check_account, engine, account.tenant_id, account.id)


def ask(asked: Sequence[Question], wait_s: float, advance: Callable[[int], None] = lambda _done: None) -> list[Finding]:
    """The answers, in order, few asked at a time; who says nothing within `wait_s` seconds of all is told so."""
    ends, answers = time.monotonic() + wait_s, dict[int, list[Finding]]()
    waiting, lock, answered = iter(enumerate(asked)), threading.Lock(), threading.Semaphore(0)

    def work() -> None:
        while True:
            with lock:
                place, question = next(waiting, (-1, None))
            if question is None:
                return
            answers[place] = _answer(*question)
            answered.release()

    for number in range(min(_AT_ONCE, len(asked))):
        threading.Thread(target=work, name=f"inquiry-{number}", daemon=True).start()
    for _ in asked:
        if not answered.acquire(timeout=max(ends - time.monotonic(), 0.0)):
            break
        advance(1)
    silent = f"no answer within {wait_s:g} s"
    do = "is the other side slow, or a firewall in the way?"
    return [one for place, (what, _) in enumerate(asked) for one in answers.get(place) or [look(what, silent, do)]]


def _answer(what: str, question: Callable[[], Sequence[CheckResult]]) -> list[Finding]:
    try:
        results = [one for one in question() if one.name != _TOLD_ONCE]
    except BellwireError as e:
        return [wrong(what, str(e), "run it again; --debug shows the way there")]
    except Exception as e:  # a plugin's bug must not end the whole check-up
        return [wrong(what, f"broke: {named(e)}", "tell whoever wrote the plugin")]
    bad = [wrong(what, f"{one.name}: {one.detail}", "") for one in results if not one.ok]
    return bad or [ok(what, ", ".join(one.name for one in results) or "there is nothing to ask")]


def from_outside(engine: Engine) -> Finding:
    """Whether PUBLIC_URL leads to a `serve` of ours."""
    do = "is `serve` running, and does the proxy in front pass everything on? From this machine it may also be the firewall"
    try:
        with engine.http.session() as session:
            answer = session.get(f"{engine.public_url}/livez", timeout=10)
    except requests.RequestException as e:
        return look("public address", f"{engine.public_url} does not answer from here ({type(e).__name__})", do)
    if answer.status_code == 200 and '"status"' in answer.text:
        return ok("public address", f"{engine.public_url} leads here")
    return look("public address", f"{engine.public_url} leads elsewhere (HTTP {answer.status_code})", do)


def _is_here(engine: Engine, one: Account) -> bool:
    """Whether the account's carrier has no other side: one that answers in this process."""
    carrier = engine.plugins.carriers.get(one.carrier)
    account = CarrierAccount(id=one.id, tenant_id=one.tenant_id, carrier=one.carrier, settings=one.settings)
    return carrier is not None and carrier.plan is not None and carrier.by_session(account)
