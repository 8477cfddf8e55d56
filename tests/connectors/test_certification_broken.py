"""The certification kit finds what it is made to find: each broken corner shop fails by exactly the rule that is meant for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from bellwire import Connector
from bellwire.certification import CONNECTOR_RULES, Answer, Kit, Level, Outcome, Rule, Scale, facts, looking_back

HERE = Path(__file__).parent / "broken"
sys.path.append(str(HERE))
corner_shop, VARIANTS = import_module("corner_shop"), import_module("variants").VARIANTS
other_ways = import_module("other_ways")
SPANS = (timedelta(), timedelta(minutes=1), timedelta(hours=2), timedelta(days=40))
OF_EVENTS = {facts.__name__, looking_back.__name__}
LITTLE = Scale(bent=120, kinds=1, large=1, old=10)


class Noting(Connector):
    """The corner shop, telling which of its fields were looked at: what a variant does not touch need not be asked again."""

    __slots__ = ()
    looked: set[str] = set()  # noqa: RUF012  # of the class: the value is frozen

    def __getattribute__(self, name: str) -> Any:
        Noting.looked.add(name)
        return super().__getattribute__(name)


GOOD = Noting(**{one.name: getattr(corner_shop.connector, one.name) for one in fields(corner_shop.connector)})


@pytest.fixture(scope="module")
def unbroken() -> Iterator[dict[str, tuple[Answer, set[str]]]]:
    """Each rule's answer on the good one, and the fields that it looked at."""
    found = {}
    kit = Kit(GOOD, scale=LITTLE)
    for rule in kit.rules:
        alone = Kit(GOOD, scale=LITTLE)  # nothing remembered: all that the rule looks at shows
        alone.roots  # noqa: B018  # whose code is watched is no behaviour
        Noting.looked.clear()
        found[rule.name] = (alone.ask(rule), set(Noting.looked))
    return found


def test_the_unbroken_one_passes_every_rule_of_every_level() -> None:
    card = Kit(corner_shop.connector, scale=LITTLE).card()
    assert [(one.rule, one.detail) for one in card.answers if one.outcome is not Outcome.PASSED] == []
    assert (card.claimed, card.reached, card.passed) == (Level.PLATINUM, Level.PLATINUM, True)


def reads_alike(changes: dict[str, Any]) -> bool:
    """Whether a variant reads of every sample, now and later, what the good one reads: what becomes of that is the same then."""
    good, other = Kit(corner_shop.connector), Kit(replace(corner_shop.connector, **changes))
    if "read" not in changes or set(changes) != {"read"}:
        return False
    later = [replace(one, received_at=one.received_at + span) for _, one in good.requests for span in SPANS]
    try:
        return [good.read(one) for one in later] == [other.read(one) for one in later]
    except Exception:  # a variant that crashes is no other than what it is
        return False


def not_passed(changes: dict[str, Any], unbroken: dict[str, tuple[Answer, set[str]]]) -> dict[str, Answer]:
    """What a variant does not pass, by the rule. What it can't have touched is not asked again."""
    kit, alike = Kit(replace(corner_shop.connector, **changes), scale=LITTLE), reads_alike(changes)

    def answer(one: Rule) -> Answer:
        before, looked = unbroken[one.name]
        untouched = not looked & set(changes) or (alike and one.check.__module__ in OF_EVENTS)
        return before if untouched else kit.ask(one)

    return {one.name: found for one in kit.rules if (found := answer(one)).outcome is not Outcome.PASSED}


@pytest.mark.parametrize(("rule", "changes"), [(rule, changes) for rule, _, changes in VARIANTS], ids=[row[1] for row in VARIANTS])
def test_a_connector_that(rule: str, changes: dict[str, Any], unbroken: dict[str, tuple[Answer, set[str]]]) -> None:
    failed = {name: one.detail for name, one in not_passed(changes, unbroken).items() if one.outcome is Outcome.FAILED}
    assert set(failed) == {rule}, failed


@pytest.mark.parametrize("changes", [row[1] for row in other_ways.OTHER_WAYS], ids=[row[0] for row in other_ways.OTHER_WAYS])
def test_as_good_is_one_that(changes: dict[str, Any], unbroken: dict[str, tuple[Answer, set[str]]]) -> None:
    assert not_passed(changes, unbroken) == {}


def test_every_rule_has_somebody_who_breaks_it() -> None:
    assert {rule for rule, *_ in VARIANTS} == {rule.name for rule in CONNECTOR_RULES}


ENRICHED = [
    ("what has ids only is completed at the stand-in", {"enrich": other_ways.completes}, Outcome.PASSED),
    ("what is completed and has no fact of its own loops", {"enrich": other_ways.completes, "forget": True}, Outcome.FAILED),
    ("what can't be completed is not judged", {"enrich": other_ways.asks_in_vain}, Outcome.NOT_JUDGED),
]


@pytest.mark.parametrize(("changes", "outcome"), [row[1:] for row in ENRICHED], ids=[row[0] for row in ENRICHED])
def test_ids_only(changes: dict[str, Any], outcome: Outcome) -> None:
    def read(request: Any, at: Any) -> Any:
        events = other_ways.tells_ids_only(request, at)
        return [replace(event, fact="") for event in events] if "forget" in changes else events

    kit = Kit(replace(corner_shop.connector, read=read, enrich=changes["enrich"]), scale=LITTLE)
    assert kit.ask(next(rule for rule in kit.rules if rule.name == "loop-guard")).outcome is outcome
