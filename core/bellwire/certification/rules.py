"""What a rule, its level and its answer are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from bellwire.masking import mask, where
from bellwire.testing.standins import NotSupplied

if TYPE_CHECKING:
    from bellwire.certification.kit import Kit


class Level(StrEnum):
    """How much a connector promises; each level includes those before it."""

    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"
    PLATINUM = "platinum"

    @property
    def rank(self) -> int:
        """0 for the lowest."""
        return list(Level).index(self)


class Outcome(StrEnum):
    """How a rule went. Not judged and exempt are never green; the detail says why."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_JUDGED = "not judged"
    EXEMPT = "exempt"


@dataclass(frozen=True, slots=True)
class Rule:
    """A stable name, a level, a sentence, and the function that raises AssertionError where it does not hold.

    `needs`: rules without which the answer would mean nothing; while one of them fails this one is not judged.
    """

    name: str
    level: Level
    means: str
    check: Callable[[Kit], None]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One line of a scorecard.

    `elsewhere`: it was not judged because the author's stand-in is not installed here. `waits`: because a rule that it needs fails.
    """

    rule: str
    level: Level
    outcome: Outcome
    means: str
    detail: str = ""
    elsewhere: bool = False
    waits: bool = False


class NotJudged(Exception):
    """The rule can't be judged, or does not apply; the message says why."""


class NotHere(NotJudged):
    """It could be judged where the author's stand-in is installed."""


def claim(holds: bool, otherwise: str) -> None:
    """Raise AssertionError unless it holds; an `assert` would vanish under `python -O`."""
    if not holds:
        raise AssertionError(otherwise)


def judged(rule: Rule, kit: Kit) -> Answer:
    """The rule's answer. Whatever the connector raises is a failure of its own, never of the asking."""
    outcome, detail, elsewhere = Outcome.PASSED, "", False
    try:
        rule.check(kit)
    except NotSupplied as e:
        outcome, elsewhere = Outcome.NOT_JUDGED, kit.is_elsewhere
        detail = kit.no_stand_in or f"the stand-in does not play `{e}`"
    except NotJudged as e:
        outcome, detail, elsewhere = Outcome.NOT_JUDGED, str(e), isinstance(e, NotHere)
    except AssertionError as e:
        outcome, detail = Outcome.FAILED, str(e)
    except Exception as e:  # a connector may raise anything
        outcome, detail = Outcome.FAILED, f"raised {type(e).__name__} at {where(e)}: {mask(str(e)[:200])}"
    return Answer(rule=rule.name, level=rule.level, outcome=outcome, means=rule.means, detail=detail, elsewhere=elsewhere)
