"""Which waiting messages start now: picked by account and lane, judged by what is true at this moment, and marked as being sent."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain import pricing
from bellwire.domain.admit import Expire, Hold, Refuse, Reroute, Send, admit
from bellwire.domain.health import Permit
from bellwire.domain.ledger import SILENT, Standing
from bellwire.domain.tenant import HeldAccount, TenantConfig
from bellwire.engine.accounts import Accounts
from bellwire.engine.calls import Claim, Job
from bellwire.engine.caps import Caps
from bellwire.engine.followups import Followups
from bellwire.engine.notes import noted
from bellwire.engine.purse import Purse, Wallet, micros
from bellwire.engine.rates import BUSY, Rates
from bellwire.engine.routes import Ways
from bellwire.engine.runtime import Engine
from bellwire.errors import FieldInvalid
from bellwire.ids import new_id, show
from bellwire.model import Capability, Carrier, CarrierAccount, Encoding, Msisdn, Outgoing, Purpose, Reason, Status
from bellwire.store import contacts, dispatch
from bellwire.store.doubt import WHY
from bellwire.store.schema import LANES, STATUS_CODES
from bellwire.store.types import AnyRow

log = logging.getLogger(__name__)

PER_ACCOUNT = 512  # one account's calls under way: a carrier that hangs leaves room for the others
LOOK = 512  # rows of one account and lane looked at in one cycle
ASIDE = timedelta(seconds=60)  # how long a message that can't be read, or an account that can't be judged, is left alone
_NEVER = datetime(9999, 1, 1, tzinfo=UTC)
_PURPOSES, _ENCODINGS = {str(one): one for one in Purpose}, {str(one): one for one in Encoding}


@dataclass(slots=True)
class _Found:
    """What one cycle claims: jobs to start, their rows, and the verdicts on those that don't start."""

    jobs: list[Job] = field(default_factory=list)
    starts: list[dict[str, Any]] = field(default_factory=list)
    verdicts: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Desk:
    """One account of the cycle. `wallet`: what its tenant may spend, None: no limit; `most`: starts of one sender in any second;
    `dlr_url`: to be followed by the message's id.
    """

    config: TenantConfig
    account: CarrierAccount
    carrier: Carrier
    prices: pricing.PriceList | None
    wallet: Wallet | None
    most: int | None
    dlr_url: str


class Claimer:
    """Claims inside the cycle's transaction. `clock`: monotonic seconds at `now`; `flying`: calls under way by account."""

    def __init__(
        self,
        engine: Engine,
        accounts: Accounts,
        connection: sa.Connection,
        rates: Rates,
        followups: Followups,
        now: datetime,
        *,
        clock: float,
        worker_id: UUID,
        flying: Counter[UUID],
    ) -> None:
        self._engine, self._accounts, self._connection = engine, accounts, connection
        self._rates, self._followups, self._now = rates, followups, now
        self._clock, self._worker_id, self._flying = clock, worker_id, flying
        self._purse = Purse(connection, now)
        self._caps = Caps(connection, now)
        self._standings: dict[UUID, Standing] = {}  # of those who have said something
        self._ways = Ways(engine.plugins.carriers, accounts.is_healthy)

    def run(self, room: int) -> list[Job]:
        """Claim otp of all accounts, then transactional, then marketing; within a lane one account after the other."""
        found = _Found()
        due = dispatch.due_by_lane(self._connection)
        in_turn = [
            account
            for account in self._accounts.in_turn()
            if any(due.get((account.value.id, lane), _NEVER) <= self._now for lane in LANES.values())
        ]
        open_: dict[UUID, int] = {}
        for lane in LANES.values():
            for account in in_turn:
                key = account.value.id
                if room <= 0 or due.get((key, lane), _NEVER) > self._now:
                    continue
                if key not in open_:
                    open_[key], probe = self._free(account)
                    if probe:
                        self._ways.probing.add(key)
                if open_[key] <= 0:
                    continue
                rows = dispatch.due(self._connection, key, lane, self._now, min(room, open_[key], LOOK))
                started = self._judge(account, rows, found) if rows else 0
                room -= started
                open_[key] -= started
        dispatch.start(self._connection, found.starts, self._worker_id, self._now)
        dispatch.settle(self._connection, found.verdicts, self._now)
        self._purse.pay()
        return found.jobs

    def _free(self, account: HeldAccount) -> tuple[int, bool]:
        """How many messages this account may be given now, and whether it is one to find out if the carrier is back."""
        key = account.value.id
        config = self._accounts.config(account.value.tenant_id)
        if config is None or not self._accounts.takes_any(account) or not self._accounts.may_ask(key, self._now):
            return 0, False
        if not self._purse.is_open(config):
            self._accounts.wait_until(key, self._now + BUSY)
            return 0, False
        try:
            allowance = self._rates.allowance(account, PER_ACCOUNT)
        except FieldInvalid as e:
            self._leave_alone(account, e)
            return 0, False
        if allowance <= 0:
            return 0, False
        permit = self._accounts.permit(key)
        if permit is Permit.WAIT:
            return 0, False
        probe = permit is Permit.PROBE
        return min(1 if probe else PER_ACCOUNT, PER_ACCOUNT - self._flying[key], allowance), probe

    def _judge(self, account: HeldAccount, rows: Sequence[AnyRow], found: _Found) -> int:
        """Judge locked rows; those that may go now become jobs. How many did."""
        config = self._accounts.config(account.value.tenant_id)
        if config is None:
            return 0
        try:
            desk = self._desk(config, account)
            self._caps.count(config, rows)
            self._standings |= contacts.standings(self._connection, [row.contact_id for row in rows if row.spoke])
            sending, verdicts = self._judged(desk, rows)
        except FieldInvalid as e:  # a setting that nobody checked: this account waits, the others go on
            self._leave_alone(account, e)
            return 0
        found.verdicts.extend(self._settled(row, verdict) for row, verdict in verdicts)
        granted, offsets, later = self._rates.take(account, [row for row, _, _ in sending])
        for place, (row, outgoing, cost) in enumerate(sending):
            if place in granted:
                found.jobs.append(self._start(desk, row, outgoing, cost, offsets[place], found.starts))
            else:
                found.verdicts.append(_waits(row, later))
        return len(granted)

    def _desk(self, config: TenantConfig, account: HeldAccount) -> _Desk:
        """What all messages of an account have in common. Raises FieldInvalid for a setting that can't be used."""
        carrier = self._engine.plugins.carriers[account.value.carrier]
        with_url = self._engine.public_url and Capability.DLR_URL in carrier.capabilities
        return _Desk(
            config=config,
            account=account.value,
            carrier=carrier,
            prices=pricing.parse_prices(account.value.settings, currency=str(config.settings.get("currency", "USD"))),
            wallet=self._purse.wallet(config),
            most=self._rates.most(account),
            dlr_url=f"{self._engine.public_url}/dlr/{carrier.name}/{account.key}/" if with_url else "",
        )

    def _judged(
        self, desk: _Desk, rows: Sequence[AnyRow]
    ) -> tuple[list[tuple[AnyRow, Outgoing, Decimal | None]], list[tuple[AnyRow, Hold | Expire | Refuse | Reroute]]]:
        """The rows that may go, with what they cost, and the verdicts on the others. Each counts for those behind it."""
        sending: list[tuple[AnyRow, Outgoing, Decimal | None]] = []
        verdicts: list[tuple[AnyRow, Hold | Expire | Refuse | Reroute]] = []
        ahead = 0
        for row in rows:
            verdict = self._verdict(desk.config, desk.account.id, row)
            cost = pricing.price(row.segments or 1, desk.prices, row.country or "")
            if isinstance(verdict, Send) and desk.wallet is not None and not desk.wallet.affords(cost, ahead):
                verdict = Refuse(Reason.NO_FUNDS, "the balance does not cover it")
            if isinstance(verdict, Send):
                outgoing = self._outgoing(desk, row)
                if outgoing is not None:
                    sending.append((row, outgoing, cost))
                    self._caps.goes(desk.config, row)
                    ahead += micros(cost) if cost else 0
                    continue
                verdict = Hold(self._now + ASIDE, "what is stored of it can't be read")
            verdicts.append((row, verdict))
        return sending, verdicts

    def _verdict(self, config: TenantConfig, account_id: UUID, row: AnyRow) -> Send | Hold | Expire | Refuse | Reroute:
        caps, counts = self._caps.of(config, row)
        verdict = admit(
            purpose=_PURPOSES[row.purpose],
            basis=row.basis,
            expires_at=row.expires_at,
            country=row.country or "",
            options=row.options or {},
            standing=self._standings[row.contact_id] if row.spoke else SILENT,
            settings=config.settings,
            caps=caps,
            counts=counts,
            now=self._now,
        )
        return self._ways.verdict(config, account_id, row) if isinstance(verdict, Send) else verdict

    def _leave_alone(self, account: HeldAccount, error: FieldInvalid) -> None:
        """Its settings can't be used: it is asked again in a minute."""
        log.error("an account's settings can't be used", extra={"account": show("acc", account.value.id), "field": error.field})
        self._accounts.wait_until(account.value.id, self._now + ASIDE)

    def _outgoing(self, desk: _Desk, row: AnyRow) -> Outgoing | None:
        """The message as its carrier sees it; None when what is stored can't be opened: it must not stop the others."""
        vault, shown, tenant_id = self._engine.vault, show("msg", row.id), desk.config.id
        try:
            return Outgoing(
                message_id=row.id,
                ref=shown,
                msisdn=Msisdn(vault.open(row.msisdn, tenant_id, "contacts.msisdn", row.contact_id)),
                text=vault.open(row.text, tenant_id, "messages.text", row.id),
                encoding=_ENCODINGS[row.encoding],
                segments=row.segments,
                sender_id=row.sender_id or "",
                purpose=_PURPOSES[row.purpose],
                validity_s=max(1, math.floor((row.expires_at - self._now).total_seconds())),
                dlr_url=desk.dlr_url and desk.dlr_url + shown,
            )
        except Exception:  # altered, sealed under a key we don't hold, or empty: whatever it is, it is this message's own
            log.exception("%s can't be read; it waits", shown)
            return None

    def _start(
        self, desk: _Desk, row: AnyRow, outgoing: Outgoing, cost: Decimal | None, offset_s: float, starts: list[dict[str, Any]]
    ) -> Job:
        """Mark a message as being sent and make its job."""
        epoch, attempt_id = row.epoch + 1, new_id()
        starts.append(
            {
                "id": row.id,
                "epoch": epoch,
                "attempts": row.attempts + 1,
                "price": None if cost is None else format(cost, "f"),
                "currency": desk.prices.currency if desk.prices else None,
            }
        )
        charge = desk.wallet.spend(cost, attempt_id) if desk.wallet is not None else None
        claim = Claim(row=row, epoch=epoch, attempt_id=attempt_id, charge=charge)
        return Job(
            carrier=desk.carrier,
            account=desk.account,
            messages=(outgoing,),
            claims=(claim,),
            owner=self._worker_id,
            start_at=self._clock + offset_s,
            most=desk.most,
        )

    def _settled(self, row: AnyRow, verdict: Hold | Expire | Refuse | Reroute) -> dict[str, Any]:
        """The row of a message that does not start now, and what follows."""
        reason: Reason | None
        match verdict:
            case Hold(until=until, line=line):
                return _row(row, self._now, until, "held", line, reason=verdict.reason)
            case Reroute(account=account, sender_id=sender_id, line=line):
                kept = _row(row, self._now, row.due, "rerouted", line)
                return {**kept, "account": account, "sender": sender_id}
            case Expire():
                status, reason, line = Status.EXPIRED, Reason.EXPIRED, "its time was over before it could be sent"
            case Refuse(reason=reason, line=line):
                status = Status.REFUSED
        if row.doubt:  # what may have reached the person is not called "never sent"
            status, reason, line = Status.UNKNOWN, None, f"{line}; {WHY}"
        config = self._accounts.config(row.tenant_id)
        if config is not None:
            self._followups.moved(config, row, status, self._now, reason)
        ended = _row(row, self._now, row.due, str(status), line, reason=reason)
        return {**ended, "status": STATUS_CODES[status], "reason": reason and str(reason)}


def _row(row: AnyRow, now: datetime, due: datetime, outcome: str, line: str, *, reason: Reason | None = None) -> dict[str, Any]:
    note: Mapping[str, Any] = {"step": "claim", "outcome": outcome, "reason": reason and str(reason), "detail": line}
    return {**_waits(row, due), "notes": noted(row.notes, note, now)}


def _waits(row: AnyRow, due: datetime) -> dict[str, Any]:
    """A row that goes on waiting, as it was but for when it is due."""
    return {
        "id": row.id,
        "status": None,
        "reason": None,
        "due": due,
        "account": row.account_id,
        "sender": row.sender_id,
        "notes": None,
    }
