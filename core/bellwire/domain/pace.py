"""How many jobs a platform's limit leaves room for, so that it is kept and not found out by being refused.

A limit is a bucket that fills again at a steady rate.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bellwire.model import Limit


@dataclass(frozen=True, slots=True)
class Use:
    """What calls took of a limit, in the seconds after which it has come back. `most_s`: of the whole limit; `used_s`: what is used
    now by all who call there, where the platform tells.
    """

    cost_s: float
    most_s: float
    used_s: float = 0.0

    @classmethod
    def of(cls, limit: Limit, amount: float, left: float | None) -> Use:
        """Units of a limit; `left`: what the platform says is left of it."""
        used = 0.0 if left is None else max(limit.most - left, 0.0)
        return cls(amount / limit.per_s, limit.most / limit.per_s, used / limit.per_s)

    def __add__(self, other: Use) -> Use:
        """Both, of one limit."""
        return Use(self.cost_s + other.cost_s, min(self.most_s, other.most_s), other.used_s)


def scarcest(uses: Iterable[Use]) -> Use | None:
    """Of the limits that a job's calls took from the one that it took most of; None for none."""
    return max(uses, key=lambda one: one.cost_s, default=None)


@dataclass(frozen=True, slots=True)
class Pace:
    """What is known of one system's limit. `free_at`: when all of it will have come back; `job_s`: what a job takes."""

    free_at: float
    most_s: float
    job_s: float

    def room(self, planned: int, now: float) -> int:
        """How many more jobs fit beside those that are planned."""
        used_s = max(self.free_at - now, 0.0)
        if self.job_s <= 0:
            return planned + 1_000_000
        fits = int((self.most_s - used_s) / self.job_s + 1e-9) - planned
        return 1 if fits < 1 and not used_s and not planned else max(fits, 0)  # one that takes more than the whole limit


def after(pace: Pace | None, use: Use, now: float) -> Pace:
    """The pace after a job. What one takes is taken to be what the dearest of late took."""
    free_at = max(pace.free_at if pace else now, now) + use.cost_s
    return Pace(
        free_at=max(free_at, now + use.used_s),
        most_s=use.most_s,
        job_s=max(use.cost_s, 0.9 * pace.job_s if pace else 0.0),
    )
