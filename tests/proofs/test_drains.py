"""B10: workers are asked to stop under load, as a deploy does. Each finishes or gives back what it holds: nothing is in doubt."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from bellwire.store import schema
from proofs.scene import PRICE_MICROS, Scene, database, scene
from standins.world import until

#: Stops, events, and workers where there may be several.
SMALL = pytest.param(1, 40, 2, id="small")
FULL = pytest.param(50, 2_000, 4, id="full", marks=pytest.mark.proof)
MOST_S = 30.0


@pytest.mark.parametrize(("stops", "events", "workers"), [SMALL, FULL])
def test_stopped_workers_leave_nothing_in_doubt(
    database_url: str,
    tmp_path: Path,
    stops: int,
    events: int,
    workers: int,
    tell: Callable[..., None],
    counts: Callable[[str, int], int],
) -> None:
    if stops > SMALL.values[0]:
        stops, events = counts("stops", stops), counts("events", events)
    with scene(database_url, tmp_path, latency_ms=100.0) as play:
        workers = workers if database(play.world) == "postgresql" else 1
        play.fleet.start(workers)
        codes, took, taken = _stop_under_load(play, stops, events, pause_s=0.5)
        until(play.is_quiet, "nothing waits and nothing is being sent", within_s=60)
        codes += [play.fleet.stop(worker) for worker in list(play.fleet.workers)]
        statuses, lost, twice, money = play.world.statuses(), play.lost(), play.twice(), play.money()
        tell(
            "B10 SIGTERM under load",
            database(play.world),
            f"{len(took)} stops, {taken} events, {workers} worker(s)",
            lost=len(lost),
            twice=len(twice),
            unknown=statuses["unknown"],
            exit_codes_other_than_0=sum(code != 0 for code in codes),
            longest_stop_s=round(max(took), 2),
            ledger_off=money[0] - money[1],
        )
        assert statuses == {"sent": taken}
        assert taken >= events
        assert (lost, twice) == (set(), set())
        assert set(codes) == {0}
        assert max(took) < MOST_S
        assert money[0] == money[1] == play.credit_micros - PRICE_MICROS * taken
        assert play.world.count(schema.workers) == 0, "nobody who is gone is still in the list"


def _stop_under_load(play: Scene, stops: int, events: int, *, pause_s: float) -> tuple[list[int], list[float], int]:
    """Stop somebody every now and then while events come; the exit codes, how long each took, how many events were taken."""
    dice = random.Random(7)
    codes, took = list[int](), list[float]()
    with play.reporting(each=20, every_s=0.1) as taken:
        while len(codes) < stops or taken[0] < events:
            play.fleet.wait_for_one()
            time.sleep(dice.uniform(0.0, 2 * pause_s))
            if len(codes) < stops:
                until(lambda: play.world.statuses()["sending"], "calls are under way", within_s=20)
                began = time.monotonic()
                codes.append(play.fleet.stop(dice.choice(play.fleet.ready())))
                took.append(time.monotonic() - began)
                # what a stop leaves behind is seen at once, before anybody could put it right
                assert play.world.statuses()["unknown"] == 0
                play.fleet.start(wait=False)
    return codes, took, taken[0]
