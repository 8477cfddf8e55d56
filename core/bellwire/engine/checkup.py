"""Is all well with what is installed here? What `doctor` reads of it in the database. `inquiry` asks the other sides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa

from bellwire.domain.countries import rules
from bellwire.domain.schedule import missing_calendar, read_quiet
from bellwire.engine.runtime import Engine
from bellwire.ids import show
from bellwire.store import checkup as stored
from bellwire.store import tenants
from bellwire.store.checkup import Account, Installed
from bellwire.store.database import reading

BEAT_MAX = timedelta(seconds=15)
SKEW_LOOK, SKEW_WRONG = timedelta(seconds=2), timedelta(seconds=60)  # platforms' signatures are good for 300 s
LATE_LOOK, LATE_WRONG = timedelta(minutes=1), timedelta(minutes=10)
RECONCILE_LATE = timedelta(hours=1)


class Verdict(StrEnum):
    """How a thing looks. `look` is worth a person's eye; `wrong` keeps something from working."""

    OK = "ok"
    LOOK = "look"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line: what was looked at, how it is, and what to do about it ("" when nothing)."""

    what: str
    verdict: Verdict
    detail: str
    do: str = ""


def ok(what: str, detail: str) -> Finding:
    """All is well."""
    return Finding(what=what, verdict=Verdict.OK, detail=detail)


def look(what: str, detail: str, do: str) -> Finding:
    """Somebody should look."""
    return Finding(what=what, verdict=Verdict.LOOK, detail=detail, do=do)


def wrong(what: str, detail: str, do: str) -> Finding:
    """Something does not work."""
    return Finding(what=what, verdict=Verdict.WRONG, detail=detail, do=do)


def running(engine: Engine) -> Iterator[Finding]:
    """What the database tells: clock, workers, tenants, accounts, what waits, what was given up. Raises StoreUnavailable."""
    now = engine.now()
    with reading(engine.store.engine) as connection:
        yield _clock(engine, connection)
        accounts, installed = stored.accounts(connection, now), stored.installations(connection)
        yield _workers(connection, now, waiting=sum(one.due for one in accounts))
        yield from _tenants(connection, accounts, now)
        for account in accounts:
            yield _account(account, now)
        for installation in installed:
            yield _installation(installation, now)
        yield from _twice(installed)
        yield from _given_up(connection, now)


def _clock(engine: Engine, connection: sa.Connection) -> Finding:
    before = engine.now()
    there = stored.clock(connection)
    if there is None:
        return ok("clock", "the database runs on this machine's clock")
    skew = abs(there - (before + (engine.now() - before) / 2))
    detail = f"{skew.total_seconds():.1f} s between this machine and the database"
    if skew > SKEW_WRONG:
        return wrong("clock", detail, "set both by NTP: signatures are refused and texts go out at the wrong time")
    return look("clock", detail, "set both by NTP") if skew > SKEW_LOOK else ok("clock", detail)


def _workers(connection: sa.Connection, now: datetime, *, waiting: int) -> Finding:
    many, last = stored.processes(connection)
    if last is not None and now - last <= BEAT_MAX:
        return ok("worker", f"{many} process(es), the last beat {max((now - last).total_seconds(), 0):.0f} s ago")
    detail = "nobody is registered" if last is None else f"the last beat was at {last:%Y-%m-%d %H:%M} UTC"
    do = "start `bellwire serve` (or `bellwire work` beside others on PostgreSQL): nothing is sent meanwhile"
    return wrong("worker", f"{detail}, and {waiting} text(s) are due", do) if waiting else look("worker", detail, do)


def _tenants(connection: sa.Connection, accounts: Sequence[Account], now: datetime) -> Iterator[Finding]:
    found = tenants.listed(connection)
    if not found:
        yield look("tenants", "there is none", "bellwire tenant create SLUG --country CC")
        return
    active = {one.tenant for one in accounts if one.status == "active"}
    without = [one.slug for one in found if one.slug not in active]
    if without:
        do = "add one (POST /v1/carrier-accounts), or set one active again: until then texts are refused as no_route"
        yield look("tenants", f"without an active carrier account: {', '.join(without)}", do)
    else:
        yield ok("tenants", f"{len(found)}, each with an active carrier account")
    empty = stored.empty_balances(connection)
    if empty:
        yield look("balance", f"nothing left: {', '.join(empty)}", "bellwire credit add SLUG AMOUNT: texts are refused as no_funds")
    used = stored.countries(connection)
    for one in found:
        quiet = read_quiet(one.settings.get("quiet_hours"))
        for country in sorted({one.country, *one.settings.get("countries", ()), *used.get(one.id, ())}):
            for year in {now.year, (now + timedelta(days=31)).year}:
                if missing_calendar(country, year, quiet):
                    yield look(
                        "holidays",
                        f"{one.slug}: nobody has told which days of {year} are holidays in {rules(country).name}",
                        f"list them in quiet_hours.holidays (`bellwire tenant set {one.slug} 'quiet_hours={{\"holidays\": […]}}'`)",
                    )


def _account(one: Account, now: datetime) -> Finding:
    what = f"carrier account {called(one.tenant, one.name or one.carrier, show('acc', one.id))}"
    late = now - one.oldest_due if one.oldest_due is not None else timedelta()
    detail = f"{one.status}, {one.due} due" + (f", the oldest for {_length(late)}" if one.due else "")
    if one.status != "active":
        why = f"{detail}: {one.status_detail}" if one.status_detail else detail
        do = "set it active again (PATCH /v1/carrier-accounts), or route around it"
        return wrong(what, why, do) if one.due else look(what, why, do)
    if late > LATE_WRONG:
        return wrong(what, detail, "is a worker running, and does the carrier answer? See the check below and `why` of a message")
    if late > LATE_LOOK:
        return look(what, detail, "a worker is missing, or the account's rate is too small for what comes in")
    if one.receipts_late:
        do = "is PUBLIC_URL reachable for the carrier, and are receipts switched on there?"
        return look(what, f"{detail}; {one.receipts_late} receipt(s) of the last day did not come", do)
    return ok(what, detail)


def _installation(one: Installed, now: datetime) -> Finding:
    what = f"installation {called(one.tenant, one.name or one.connector, show('ins', one.id))}"
    if one.status != "active":
        detail = f"{one.status}: {one.status_detail}" if one.status_detail else one.status
        return look(what, detail, "finish its installation, or set it active again: its events are not taken")
    if one.status_detail:
        return look(what, one.status_detail, "see its check below; this goes away when it works again")
    if one.reconcile_due is not None and now - one.reconcile_due > RECONCILE_LATE:
        detail = f"nobody has looked for missed events since {one.reconcile_due:%Y-%m-%d %H:%M} UTC"
        return look(what, detail, "start `bellwire serve`: it catches up by itself")
    return ok(what, "active")


def _twice(installed: Sequence[Installed]) -> Iterator[Finding]:
    """Accounts of which a tenant has two installations: each hears, and texts, for itself."""
    of: dict[tuple[str, str, str], list[Installed]] = {}
    for one in installed:
        if one.status == "active" and one.account_ref:
            of.setdefault((one.tenant, one.connector, one.account_ref), []).append(one)
    for (tenant, connector, _), some in of.items():
        if len(some) > 1:
            ids = ", ".join(show("ins", one.id) for one in some)
            do = "keep one and delete the others, unless each has triggers of its own: what both hear of is texted twice"
            yield look(f"the same account twice ({tenant}, {connector})", ids, do)


def _given_up(connection: sa.Connection, now: datetime) -> Iterator[Finding]:
    found = stored.given_up(connection, now)
    told = [
        (found.unknown, "unknown messages", "nobody knows whether they arrived", "settle them: POST /v1/messages/{id}/resolve"),
        (found.events, "dead letters", "events that could not be decided in 5 tries", "GET /v1/events?status=dead, then …/replay"),
        (found.write_backs, "write-backs", "given up", "see the installation's check; `write_backs` of a message says which"),
        (found.callbacks, "callbacks", "given up", "repair the receiver, then POST /v1/callbacks/{id}/redeliver"),
        (found.endpoints_disabled, "callback endpoints", "disabled", "repair the receiver, then set the endpoint active again"),
    ]
    for count, what, detail, do in told:
        yield look(what, f"{count}: {detail}", do) if count else ok(what, "none")
    if found.privacy_requests:
        detail = f"{found.privacy_requests} request(s) to erase or export could not be done; the law sets a time for them"
        yield wrong("privacy requests", detail, "look at their error, then repeat them by POST or DELETE /v1/people")


def called(tenant: str, name: str, shown: str) -> str:
    """How a finding names an account."""
    return f"{tenant}/{name} ({shown})"


def _length(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
