"""From a text somebody wants sent to a message: consent, route, caps, quiet hours. The last pure step before rows are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from bellwire.domain import limits, segments
from bellwire.domain import msisdn as numbers
from bellwire.domain.consent import CONFIRMATION, Policy, Standing, Statement, Verdict, may_text
from bellwire.domain.quiet import both, read_quiet
from bellwire.domain.routing import Choice, Refusal
from bellwire.domain.schedule import held
from bellwire.domain.tenant import TenantConfig, Trigger
from bellwire.model import Encoding, Msisdn, Purpose, Reason, Status

#: How long a text is worth sending after it was due, when nobody says: a code is dead in minutes.
TTL: Mapping[Purpose, timedelta] = {
    Purpose.OTP: timedelta(minutes=10),
    Purpose.TRANSACTIONAL: timedelta(hours=24),
    Purpose.MARKETING: timedelta(hours=72),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A text that somebody wants sent to one person. `refused`: why it can't be, known before this step."""

    purpose: Purpose
    basis: str  # event | api | verification | confirmation
    msisdn: Msisdn | None = None
    text: str = field(default="", repr=False)
    refused: tuple[Reason, str] | None = None
    trigger: Trigger | None = None
    test: bool = False
    timezones: Sequence[str] = ()
    encoding: str = segments.AUTO
    sender_id: str = ""
    carrier: str = ""
    delay: timedelta = timedelta()
    send_at: datetime | None = None
    ttl: timedelta | None = None
    not_after: datetime | None = None  # worthless from then on, whatever its time to live
    template: str = ""
    template_version: int | None = None
    locale: str = ""
    quiet_hours: Any = None
    collection: bool = False
    caps: Sequence[limits.Cap] = ()
    answers: str = ""  # the keyword that a confirmation answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What the store knows of the draft's recipient: consent, and how many texts went out per cap."""

    standing: Standing
    sent: Mapping[str, int] = field(default_factory=dict)


#: The route for (country, purpose, sender_id, carrier); bound to the tenant by the caller.
Router = Callable[[str, Purpose, str, str, bool], Choice | Refusal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A message to be stored, refused ones included. `line` says what decided; `record`: a consent this send rests on."""

    draft: Draft
    status: Status
    reason: Reason | None
    line: str
    country: str = ""
    account: str = ""
    sender_id: str = ""
    encoding: Encoding | None = None
    segments: int | None = None
    due: datetime
    expires_at: datetime
    record: Statement | None = None
    held: bool = False


def settle(
    draft: Draft, person: Person, tenant: TenantConfig, route: Router, is_sandbox: Callable[[str], bool], now: datetime
) -> Planned:
    """Judge one draft. Total: every draft becomes a message, sent or refused with a reason and the line that decided."""
    due = max(draft.send_at or now, now) + draft.delay
    latest = draft.not_after or datetime.max.replace(tzinfo=UTC)
    expires_at = min(due + (draft.ttl or _ttl(tenant, draft.purpose)), latest)
    country = numbers.country_of(draft.msisdn) if draft.msisdn else ""

    def refused(reason: Reason, line: str) -> Planned:
        return Planned(
            draft=draft,
            status=Status.REFUSED,
            reason=reason,
            line=line,
            country=country,
            due=due,
            expires_at=expires_at,
            **_measured(draft),
        )

    if draft.refused is not None:
        return refused(*draft.refused)
    if latest <= due:
        return refused(Reason.EXPIRED, f"it is worthless after {latest.isoformat().replace('+00:00', 'Z')}")
    answers = draft.basis == CONFIRMATION
    consent = (
        Verdict(allowed=True, line="the answer to the person's own reply")
        if answers
        else may_text(draft.purpose, person.standing, Policy.from_settings(tenant.settings), basis=draft.basis)
    )
    if not consent.allowed:
        return refused(consent.reason or Reason.NO_CONSENT, consent.line)
    choice = route(country, draft.purpose, draft.sender_id, draft.carrier, bool(draft.template))
    if draft.test and not (isinstance(choice, Choice) and is_sandbox(choice.account)):
        return refused(Reason.TEST_EVENT, "a test event texts nobody outside the sandbox")
    if isinstance(choice, Refusal):
        return refused(choice.reason, choice.line)
    cap = limits.exceeded(draft.caps, person.sent)
    if cap is not None:
        return refused(Reason.CAP, f"{cap.count} texts in {cap.window_s} s is the cap {cap.name}")
    quiet = both(read_quiet(tenant.settings.get("quiet_hours")), read_quiet(draft.quiet_hours, trigger=draft.purpose))
    wait = (
        None
        if answers
        else held(due, purpose=draft.purpose, country=country, timezones=draft.timezones, quiet=quiet, collection=draft.collection)
    )
    if wait is not None:
        expires_at = min(max(expires_at, wait.until + (expires_at - due)), latest) if draft.ttl is None else expires_at
        if wait.until >= expires_at:
            return refused(Reason.QUIET_HOURS, f"{wait.line}; it would be over before it may go")
        due = wait.until
    return Planned(
        draft=draft,
        status=Status.SCHEDULED if due > now else Status.QUEUED,
        reason=None,
        line=wait.line if wait else choice.line,
        country=country,
        account=choice.account,
        sender_id=choice.sender_id,
        due=due,
        expires_at=expires_at,
        record=consent.record,
        held=wait is not None,
        **_measured(draft),
    )


def _measured(draft: Draft) -> dict[str, Any]:
    if not draft.text:
        return {}
    measured = segments.measure(draft.text, draft.encoding)
    return {"encoding": measured.encoding, "segments": measured.segments}


def _ttl(tenant: TenantConfig, purpose: Purpose) -> timedelta:
    """The tenant's `expires_in` for a purpose, in seconds, or ours."""
    own = tenant.settings.get("expires_in", {}).get(str(purpose))
    return timedelta(seconds=own) if own else TTL[purpose]
