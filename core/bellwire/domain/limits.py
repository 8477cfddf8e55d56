"""How fast an account may send (token bucket with starts spread out), and how often a person may be texted (caps)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import floor, isfinite

from bellwire.errors import FieldInvalid

SLICE_S = 0.1  # one claim takes the tokens of this much time ahead
SLOW_S = 60.0  # a throttled account runs at half its rate for so long
MAX_RATE = 10_000.0
#: We pace a little under the rate: starts that the network bunches must not exceed it at the carrier.
_HEADROOM = 0.96
#: Clocks of our machines may differ by this; a longer way back is a clock that was set.
_SKEW_S = 2.0
_EPSILON = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """One limited (account, sender): a row shared by all processes, changed only under its lock.

    `tokens`: messages that may start at `updated_at`; below 0 when starts ahead of it are claimed already. `rate`: messages a
    second. `burst`: how many may start at once after a pause. Until `slowed_until` the rate is halved, until `paused_until` 0.
    """

    tokens: float
    updated_at: datetime
    rate: float
    burst: float = 1.0
    slowed_until: datetime | None = None
    paused_until: datetime | None = None

    @classmethod
    def full(cls, now: datetime, rate: float, burst: float = 1.0) -> Bucket:
        """A bucket nobody has used."""
        return cls(tokens=burst, updated_at=now, rate=rate, burst=burst)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a claim got. `offsets_s`: when each may start, in seconds from now, in order; `bucket`: to be stored."""

    granted: int
    offsets_s: tuple[float, ...]
    bucket: Bucket


def take(bucket: Bucket, now: datetime, want: int, slice_s: float = SLICE_S) -> Grant:
    """Claim up to `want` starts within the next `slice_s` seconds.

    However often and by whomever it is asked, no window of w seconds holds more than rate × w + burst starts.
    """
    current = _refilled(bucket, now)
    if current.paused_until is not None and now < current.paused_until:
        return Grant(0, (), current)
    pace = _pace(current, now)
    granted = max(0, min(want, floor(current.tokens + pace * slice_s + _EPSILON)))
    offsets = tuple(max(0.0, (number - current.tokens) / pace) for number in range(1, granted + 1))
    return Grant(granted, offsets, replace(current, tokens=current.tokens - granted))


def free_at(bucket: Bucket, now: datetime, slice_s: float = SLICE_S) -> datetime:
    """When `take` grants something again, the earliest time unless a slow minute ends before it. Until then nobody need ask."""
    current = _refilled(bucket, now)
    start = max(now, current.paused_until) if current.paused_until is not None else now
    missing = max(0.0, 1.0 - _refilled(current, start).tokens - _pace(current, start) * slice_s)
    return start + timedelta(seconds=missing / _pace(current, start))


def give_back(bucket: Bucket, count: int) -> Bucket:
    """The bucket after `count` claimed starts that never happened."""
    return replace(bucket, tokens=min(bucket.burst, bucket.tokens + count))


def throttled(bucket: Bucket, now: datetime, retry_after_s: float | None = None) -> Bucket:
    """The bucket after the carrier said "too fast": half the rate for 60 s, nothing before Retry-After, no burst.

    Being throttled again while slowed lengthens the time and halves no further: the calls in flight all say the same.
    """
    current = _refilled(bucket, now)
    slowed = now + timedelta(seconds=SLOW_S)
    paused = now + timedelta(seconds=max(0.0, retry_after_s or 0.0))
    return replace(
        current,
        tokens=min(current.tokens, 0.0),
        slowed_until=max(slowed + (paused - now), current.slowed_until or slowed),
        paused_until=max(paused, current.paused_until or paused),
    )


def _pace(bucket: Bucket, now: datetime) -> float:
    """Tokens a second at `now`."""
    return bucket.rate * _HEADROOM / (2 if bucket.slowed_until is not None and now < bucket.slowed_until else 1)


def _refilled(bucket: Bucket, now: datetime) -> Bucket:
    """The bucket with the tokens of the time since `updated_at`; a clock that was set back moves its times along."""
    elapsed_s = (now - bucket.updated_at).total_seconds()
    if elapsed_s < -_SKEW_S:
        step = now - bucket.updated_at
        return replace(
            bucket,
            updated_at=now,
            slowed_until=bucket.slowed_until and bucket.slowed_until + step,
            paused_until=bucket.paused_until and bucket.paused_until + step,
        )
    if elapsed_s <= 0:
        return bucket  # a machine slightly behind: time that was counted once is not counted again
    if bucket.paused_until is not None:  # a pause earns nothing, or it would end in a burst
        elapsed_s = min(elapsed_s, max(0.0, (now - bucket.paused_until).total_seconds()))
    slow_s = 0.0
    if bucket.slowed_until is not None:
        slow_s = min(elapsed_s, max(0.0, (bucket.slowed_until - now).total_seconds() + elapsed_s))
    gained = bucket.rate * _HEADROOM * (slow_s / 2 + elapsed_s - slow_s)
    return replace(bucket, tokens=min(bucket.burst, bucket.tokens + gained), updated_at=now)


def parse_rate(settings: Mapping[str, object], default: float | None, field: str = "settings") -> tuple[float, float] | None:
    """An account's rate (messages a second) and burst; None: not limited. Raises FieldInvalid naming `settings.rate`."""
    rate = settings.get("rate", default)
    if rate is None:
        return None
    burst = settings.get("burst", 1)
    for name, value, least in (("rate", rate, 0.001), ("burst", burst, 1)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or not least <= value <= MAX_RATE:
            raise FieldInvalid(f"{field}.{name}", f"must be a number from {least} to {MAX_RATE:.0f}")
    return float(str(rate)), float(str(burst))


# -- caps ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """At most `count` messages in any `window_s` seconds. `name` says of what, and finds the count: `msisdn_day`."""

    name: str
    count: int
    window_s: int


#: Codes to one number, unless the tenant says otherwise.
OTP_CAPS = (Cap(name="msisdn_10_min", count=3, window_s=600), Cap(name="msisdn_day", count=10, window_s=86_400))
#: More than this to one number is a loop, whoever asks: hold and alert.
RUNAWAY = Cap(name="msisdn_hour", count=30, window_s=3_600)


def exceeded(caps: Sequence[Cap], counts: Mapping[str, int]) -> Cap | None:
    """The first cap that one more message would break, None when it may go.

    `counts`: by the cap's name, messages of the window that ends now. Raises KeyError for a cap without its count: not
    counting must not open it.
    """
    return next((cap for cap in caps if counts[cap.name] >= cap.count), None)


def parse_cap(raw: object, name: str, field: str = "cap") -> Cap | None:
    """A cap as it came in, `{"count": 1, "window_s": 86400}`; None stays None. Raises FieldInvalid."""
    if raw is None:
        return None
    if not isinstance(raw, Mapping) or set(raw) != {"count", "window_s"}:
        raise FieldInvalid(field, 'must be {"count": messages, "window_s": seconds}')
    for key, most in (("count", 1_000_000), ("window_s", 366 * 86_400)):
        value = raw[key]
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise FieldInvalid(f"{field}.{key}", f"must be a whole number from 1 to {most}")
    return Cap(name=name, count=raw["count"], window_s=raw["window_s"])
