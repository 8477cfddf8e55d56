"""Who calls: API keys from the Authorization header, looked up at most once a second, and how often a key may call."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa
from bellwire.errors import StoreUnavailable
from bellwire.store import keys
from bellwire.store.database import reading
from bellwire.store.keys import ApiKey
from bellwire.store.vault import key_hash
from bellwire.store.writer import Work

from bellwire_web.problems import Refused
from bellwire_web.runtime import Runtime

KEEP_S = 0.8  # a revoked key is refused within a second, everywhere
TOUCH_EVERY = timedelta(minutes=1)
_HELD_MAX = 10_000


@dataclass(slots=True)
class _Held:
    key: ApiKey
    loaded: float
    tokens: float
    counted: float
    touched: bool = False


class Authenticator:
    """Finds the key behind a request. Safe for threads. `clock`: monotonic seconds."""

    def __init__(self, runtime: Runtime, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._runtime, self._clock = runtime, clock
        self._held: dict[bytes, _Held] = {}
        self._lock = threading.Lock()
        self._quota = float(runtime.config.api_quota_per_minute)

    def authenticate(self, header: str) -> ApiKey:
        """The key of `Authorization: Bearer bw_…`. Raises Refused: 401, 429."""
        scheme, _, given = header.partition(" ")
        if not header:
            raise _unauthorized("key_missing", "send an API key: Authorization: Bearer bw_…", "")
        given = given.strip()
        if scheme.lower() != "bearer" or not keys.is_well_formed(given):
            raise _unauthorized("key_invalid", "this is not an API key, or part of it is missing", "invalid_token")
        held = self._find(key_hash(given))
        if held is None:
            raise _unauthorized("key_invalid", "this key is not known here", "invalid_token")
        key, now = held.key, self._runtime.now()
        if key.revoked_at is not None:
            raise _unauthorized("key_revoked", "this key was revoked", "invalid_token")
        if key.expires_at is not None and key.expires_at <= now:
            raise _unauthorized("key_expired", "this key has expired", "invalid_token")
        self._count(held)
        if not held.touched and (key.last_used_at is None or now - key.last_used_at >= TOUCH_EVERY):
            held.touched = True
            self._touch(key.id)
        return key

    def _find(self, digest: bytes) -> _Held | None:
        """The key with this hash (256 random bits: a look-up by it tells nobody anything), read again when it is too old."""
        tick = self._clock()
        held = self._held.get(digest)
        if held is not None and tick - held.loaded < KEEP_S:
            return held
        with reading(self._runtime.store.engine) as connection:
            key = keys.find(connection, digest)
        with self._lock:
            if key is None:
                self._held.pop(digest, None)
                return None
            before = self._held.get(digest)
            if before is not None:
                before.touched = before.touched and before.key.last_used_at == key.last_used_at
                before.key, before.loaded = key, tick
                return before
            if len(self._held) >= _HELD_MAX:
                self._held.clear()
            held = self._held[digest] = _Held(key, tick, self._quota, tick)
            return held

    def forget(self, key_id: UUID) -> None:
        """Read this key again before it is believed: it was revoked here. Other processes do so within the second."""
        with self._lock:
            for held in self._held.values():
                if held.key.id == key_id:
                    held.loaded = -KEEP_S

    def _count(self, held: _Held) -> None:
        """Take one from the key's bucket. Raises Refused (429)."""
        if not self._quota:
            return
        with self._lock:
            tick = self._clock()
            held.tokens = min(self._quota, held.tokens + (tick - held.counted) * self._quota / 60)
            held.counted = tick
            if held.tokens >= 1:
                held.tokens -= 1
                return
            wait_s = (1 - held.tokens) * 60 / self._quota
        raise Refused(429, "rate_limited", "this key calls too often", headers={"Retry-After": str(max(1, round(wait_s + 0.5)))})

    def _touch(self, key_id: UUID) -> None:
        """Note the use, some time later, on the writer's thread."""
        now = self._runtime.now()

        def note(connection: sa.Connection) -> None:
            keys.touch(connection, key_id, now)

        with contextlib.suppress(StoreUnavailable):  # the next use will be noted
            self._runtime.store.writer.submit(Work(note))


def _unauthorized(code: str, detail: str, error: str) -> Refused:
    challenge = 'Bearer realm="bellwire"' + (f', error="{error}"' if error else "")  # RFC 6750 3
    return Refused(401, code, detail, headers={"WWW-Authenticate": challenge})
