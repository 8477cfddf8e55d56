"""How many messages an account may start now: its buckets, shared by all processes."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from bellwire.domain import limits
from bellwire.domain.limits import Bucket
from bellwire.domain.tenant import HeldAccount
from bellwire.engine.accounts import Accounts
from bellwire.engine.runtime import Engine
from bellwire.store import buckets
from bellwire.store.types import AnyRow

Rate = tuple[float, float]  # messages a second, burst
BUSY = timedelta(milliseconds=20)  # when to look again at a bucket or a balance that another process holds


class Rates:
    """The buckets inside one cycle's transaction."""

    def __init__(self, engine: Engine, accounts: Accounts, connection: sa.Connection, now: datetime) -> None:
        self._engine, self._accounts, self._connection, self._now = engine, accounts, connection, now
        self._asked_for_less: set[UUID] | None = None
        self._held: dict[tuple[UUID, str], Bucket] = {}  # locked by this transaction

    def allowance(self, account: HeldAccount, most: int) -> int:
        """How many starts the account's buckets grant in this slice, so that no more rows are looked at than may go."""
        key, rate = account.value.id, self._rate(account)
        if rate is None and not self._throttled(key):
            return most
        senders = buckets.senders(self._connection, key)
        if not senders:
            return most
        held = [bucket for sender in senders if (bucket := self._bucket(account, sender, rate)) is not None]
        granted = sum(limits.take(bucket, self._now, most).granted for bucket in held)
        if granted == 0:
            free_at = min((limits.free_at(bucket, self._now) for bucket in held), default=self._now + BUSY)
            self._accounts.wait_until(key, free_at)
        return granted

    def take(self, account: HeldAccount, rows: list[AnyRow]) -> tuple[set[int], dict[int, float], datetime]:
        """Which of the rows may start, how far into the slice each, and when the rest may be looked at again."""
        rate = self._rate(account)
        granted: set[int] = set()
        offsets: dict[int, float] = {}
        later = self._now
        by_sender: dict[str, list[int]] = {}
        for place, row in enumerate(rows):
            by_sender.setdefault(row.sender_id or "", []).append(place)
        for sender_id, places in by_sender.items():
            stored = self._bucket(account, sender_id, rate)
            if stored is None:
                if rate is None:
                    granted.update(places)
                    offsets.update(dict.fromkeys(places, 0.0))
                else:  # another process holds the bucket: it is claiming for this sender now
                    later = self._now + BUSY
                continue
            grant = limits.take(stored, self._now, len(places))
            granted.update(places[: grant.granted])
            offsets.update(zip(places, grant.offsets_s, strict=False))
            self._save(account.value.id, sender_id, grant.bucket)
            if grant.granted < len(places):
                later = max(later, limits.free_at(grant.bucket, self._now))
                if len(by_sender) == 1:
                    self._accounts.wait_until(account.value.id, later)
        return granted, offsets, later

    def most(self, account: HeldAccount) -> int | None:
        """How many starts of one sender any second may hold; None: not limited."""
        rate = self._rate(account)
        return None if rate is None else max(1, math.floor(rate[0] + rate[1]))

    def throttle(self, account_id: UUID, sender_id: str, retry_after_s: float | None) -> None:
        """The carrier said "too fast": half the rate for a minute, nothing before its Retry-After."""
        account = self._accounts.get(account_id)
        if account is None:
            return
        rate = self._rate(account) or _UNLIMITED
        bucket = self._bucket(account, sender_id, rate, wait=True)
        if bucket is not None:
            slower = limits.throttled(bucket, self._now, retry_after_s)
            self._save(account_id, sender_id, slower)
            self._accounts.wait_until(account_id, limits.free_at(slower, self._now))

    def _rate(self, account: HeldAccount) -> Rate | None:
        carrier = self._engine.plugins.carriers[account.value.carrier]
        return limits.parse_rate(account.value.settings, carrier.default_rate)

    def _throttled(self, account_id: UUID) -> bool:
        """Whether an account without a rate of its own was asked for less, by whichever process it was told."""
        if self._asked_for_less is None:
            self._asked_for_less = buckets.throttled(self._connection, self._now)
        return account_id in self._asked_for_less

    def _bucket(self, account: HeldAccount, sender_id: str, rate: Rate | None, *, wait: bool = False) -> Bucket | None:
        """The sender's bucket, locked; None when there is none (not limited) or another process holds it."""
        key = account.value.id
        if (key, sender_id) in self._held:
            return self._held[key, sender_id]
        if rate is None and not self._throttled(key):
            return None
        row = buckets.take(self._connection, key, sender_id, wait=wait)
        if row is None and rate is not None:
            buckets.make(self._connection, key, sender_id, rate[1], self._now)
            row = buckets.take(self._connection, key, sender_id, wait=wait)
        if row is None:
            return None
        per_second, burst = rate or _UNLIMITED
        bucket = self._held[key, sender_id] = Bucket(
            tokens=row.tokens,
            updated_at=row.updated_at,
            rate=per_second,
            burst=burst,
            slowed_until=row.slowed_until,
            paused_until=row.paused_until,
        )
        return bucket

    def _save(self, account_id: UUID, sender_id: str, bucket: Bucket) -> None:
        self._held[account_id, sender_id] = bucket
        buckets.save(
            self._connection,
            account_id,
            sender_id,
            {
                "tokens": bucket.tokens,
                "updated_at": bucket.updated_at,
                "slowed_until": bucket.slowed_until,
                "paused_until": bucket.paused_until,
            },
        )


_UNLIMITED: Rate = (limits.MAX_RATE, 1.0)
