"""What a question and its answer are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from bellwire.masking import mask, where


class Outcome(StrEnum):
    """How a question went. Not asked: it does not apply, the detail says why."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_ASKED = "not asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One line of a certificate."""

    question: str
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """A claim as a sentence, and the function that raises AssertionError where it does not hold."""

    label: str
    check: Callable[[], None]


class NotAsked(Exception):
    """The question does not apply; the message says why."""


def ask(question: Question) -> Answer:
    """The question's answer. Whatever the connector raises is a failure of its own, never of the asking."""
    try:
        question.check()
    except NotAsked as e:
        return Answer(question=question.label, outcome=Outcome.NOT_ASKED, detail=str(e))
    except AssertionError as e:
        return Answer(question=question.label, outcome=Outcome.FAILED, detail=str(e))
    except Exception as e:  # a connector may raise anything
        detail = f"raised {type(e).__name__} at {where(e)}: {mask(str(e)[:200])}"
        return Answer(question=question.label, outcome=Outcome.FAILED, detail=detail)
    return Answer(question=question.label, outcome=Outcome.PASSED)


def claim(holds: bool, otherwise: str) -> None:
    """Raise AssertionError unless it holds; an `assert` would vanish under `python -O`."""
    if not holds:
        raise AssertionError(otherwise)
