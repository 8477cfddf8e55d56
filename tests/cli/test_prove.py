"""`bellwire prove`: what it counts, and that it counts a real run."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from bellwire.errors import ConfigInvalid
from bellwire.ids import show
from bellwire.model import Status
from bellwire.proving.killing import PRICE, SLACK_S, Counted, count, run
from standins.shell import Shell

A, B, C = (UUID(int=place) for place in (1, 2, 3))
KILL = 1_000.0
LEFT = 4_000_000  # what four units of credit come to, for three texts
COST = int(PRICE * 1_000_000)


def call(*ids: UUID, at: float = KILL - 5, took: float = 0.02) -> dict[str, Any]:
    return {"refs": [show("msg", one) for one in ids], "started": at, "ended": at + took}


ALL_SENT = {A: Status.SENT, B: Status.SENT, C: Status.SENT}
UNDER_WAY = call(C, at=KILL - 0.01)
RIGHT: dict[str, Any] = {"status": ALL_SENT, "calls": [call(A), call(B), UNDER_WAY], "micros": LEFT - 3 * COST}


def counted(**different: Any) -> Counted:
    return count(killed=[KILL], made=[A, B, C], database="sqlite", workers=1, took_s=1.0, **{**RIGHT, **different})


def test_a_run_in_which_nothing_went_wrong() -> None:
    found = counted()
    assert found.kept
    assert (found.texts, found.at_the_carrier, found.under_way, found.unknown) == (3, 3, 1, 0)
    doubted = counted(status={**ALL_SENT, C: Status.UNKNOWN})
    assert doubted.kept, "it was under way at the kill: nobody can know"
    assert doubted.unknown == 1


BROKEN: list[tuple[str, dict[str, Any], str]] = [
    ("one never came to the carrier", {"calls": [call(A), call(B)]}, "lost"),
    ("one came twice", {"calls": [call(A), call(B), UNDER_WAY, call(B, at=KILL + 6)]}, "twice"),
    ("one is being sent for ever", {"status": {**ALL_SENT, A: Status.SENDING}, "micros": LEFT - 2 * COST}, "stuck"),
    ("one is in doubt though its call had ended long before", {"status": {**ALL_SENT, A: Status.UNKNOWN}}, "unknown_not_under_way"),
    ("one was paid twice", {"micros": LEFT - 4 * COST}, "balance_off"),
]


@pytest.mark.parametrize(("label", "different", "field"), BROKEN, ids=[row[0] for row in BROKEN])
def test_what_went_wrong_is_seen(label: str, different: dict[str, Any], field: str) -> None:
    found = counted(**different)
    assert not found.kept
    wrong = [name for name in ("lost", "twice", "stuck", "unknown_not_under_way", "balance_off") if getattr(found, name)]
    assert wrong == [field]


def test_a_call_that_ended_just_before_the_kill_counts_as_under_way() -> None:
    ended = call(C, at=KILL - SLACK_S / 2)
    assert counted(status={**ALL_SENT, C: Status.UNKNOWN}, calls=[call(A), call(B), ended]).kept


def test_it_is_run_and_says_what_it_counted(bare: Shell) -> None:
    """One worker, killed once while forty texts go out: nobody who installs this has more to do than to call it."""
    done = bare("prove", "--kills", "1", "--texts", "40", "--json")
    told = json.loads(done.stdout)
    assert told["kept"] is True
    assert {name: told[name] for name in ("database", "workers", "kills", "texts", "lost", "twice", "stuck")} == {
        "database": "sqlite",
        "workers": 1,
        "kills": 1,
        "texts": 40,
        "lost": 0,
        "twice": 0,
        "stuck": 0,
    }
    assert told["at_the_carrier"] >= 40 - told["unknown"]
    assert list(bare.folder.iterdir()) == [], "it leaves nothing where it was called"


@pytest.mark.postgres
@pytest.mark.proof
def test_it_is_run_on_postgresql(bare: Shell, empty_postgres_url: str) -> None:
    done = bare("prove", "--kills", "3", "--texts", "300", "--database-url", empty_postgres_url)
    assert "Kept." in done.stdout
    assert "drop it" in done.stderr


@pytest.mark.postgres
def test_a_database_with_something_in_it_is_left_alone(postgres_url: str, tmp_path: Any) -> None:
    with pytest.raises(ConfigInvalid, match="give an empty one"):
        run(postgres_url, tmp_path, kills=1, texts=1, workers=1, done=lambda _: None)


@pytest.mark.parametrize("options", [["--kills", "0"], ["--texts", "many"], ["--workers", "17"], ["--nonsense"]])
def test_bad_options_are_usage_errors(bare: Shell, options: list[str]) -> None:
    bare("prove", *options, code=2)
