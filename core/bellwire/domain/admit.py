"""May this waiting message go now? Asked at its claim, of what is true then: consent, time, caps, quiet hours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from bellwire.domain import limits
from bellwire.domain.consent import CONFIRMATION, Policy, Standing, may_text
from bellwire.domain.quiet import both, read_quiet
from bellwire.domain.schedule import held
from bellwire.model import Purpose, Reason


@dataclass(frozen=True, slots=True)
class Send:
    """It may go."""


@dataclass(frozen=True, slots=True)
class Hold:
    """It waits until then."""

    until: datetime
    line: str
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Expire:
    """Its time is over."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """It never goes."""

    reason: Reason
    line: str


@dataclass(frozen=True, slots=True)
class Reroute:
    """It goes by another account of the tenant."""

    account: UUID
    sender_id: str
    line: str


SEND, EXPIRE = Send(), Expire()


def admit(
    *,
    purpose: Purpose,
    basis: str,
    expires_at: datetime,
    country: str,
    options: Mapping[str, Any],
    standing: Standing,
    settings: Mapping[str, Any],
    caps: Sequence[limits.Cap],
    counts: Mapping[str, int],
    now: datetime,
) -> Send | Hold | Expire | Refuse:
    """Judge one message. `options`: what intake kept for this (`timezones`, `quiet_hours`, `collection`); `settings`: the tenant's.
    `counts`: by the cap's name, the texts that have left; events that came together could not see each other's.

    The answer to a person's own STOP, START or HELP rests on that alone: consent and quiet hours are not asked.
    """
    if expires_at <= now:
        return EXPIRE
    if basis == CONFIRMATION:
        return SEND
    consent = may_text(purpose, standing, Policy.from_settings(settings), basis=basis)
    if not consent.allowed:
        return Refuse(consent.reason or Reason.NO_CONSENT, consent.line)
    cap = limits.exceeded(caps, counts)
    if cap is not None:
        return Refuse(Reason.CAP, f"{cap.count} texts in {cap.window_s} s is the cap {cap.name}")
    if purpose is Purpose.OTP:
        return SEND
    quiet = both(read_quiet(settings.get("quiet_hours")), read_quiet(options.get("quiet_hours"), trigger=purpose))
    wait = held(
        now,
        purpose=purpose,
        country=country,
        timezones=options.get("timezones", ()),
        quiet=quiet,
        collection=bool(options.get("collection")),
    )
    if wait is None:
        return SEND
    if wait.until >= expires_at:
        return Refuse(Reason.QUIET_HOURS, f"{wait.line}; it would be over before it may go")
    return Hold(wait.until, wait.line, Reason.QUIET_HOURS)
