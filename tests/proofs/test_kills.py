"""B1: workers are killed at random moments under load. Nothing is lost, nothing is sent twice, what is in doubt is called so."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from bellwire.model import Status
from proofs.scene import PRICE_MICROS, Scene, database, scene
from standins.world import until

#: Kills, events, workers where there may be several, and the seconds from a request's first byte to the carrier's log, or from the
#: log to the worker that reads the answer, on a machine that starts processes all the time; the small one runs beside other tests.
SMALL = pytest.param(2, 40, 2, 1.0, id="small")
FULL = pytest.param(50, 2_000, 4, 0.1, id="full", marks=pytest.mark.proof)


@pytest.mark.parametrize(("kills", "events", "workers", "slack_s"), [SMALL, FULL])
def test_killed_workers_lose_and_double_nothing(
    database_url: str,
    tmp_path: Path,
    kills: int,
    events: int,
    workers: int,
    slack_s: float,
    tell: Callable[..., None],
    counts: Callable[[str, int], int],
) -> None:
    if kills > SMALL.values[0]:
        kills, events = counts("kills", kills), counts("events", events)
    began = time.monotonic()
    with scene(database_url, tmp_path) as play:
        workers = workers if database(play.world) == "postgresql" else 1
        play.fleet.start(workers)
        killed, taken = _kill_under_load(play, kills, events, pause_s=0.5 if workers > 1 else 1.0)
        until(play.is_quiet, "nothing waits and nothing is being sent", within_s=60)
        sends, statuses = play.sends(), play.world.statuses()
        made, unknown = {row.id for row in play.world.messages()}, play.by_status(Status.UNKNOWN)
        lost, twice = play.lost(), play.twice()
        never = {one for one in unknown if not sends[one]}
        money = play.money()
        codes = [play.fleet.stop(worker) for worker in list(play.fleet.workers)]
        until(lambda: play.carrier.stats["callbacks"]["waiting"] == 0, within_s=30)
        play.deliver_receipts()
        settled = unknown - play.by_status(Status.UNKNOWN)
        tell(
            "B1 kill -9",
            database(play.world),
            f"{len(killed)} kills, {taken} events, {workers} worker(s), {round(time.monotonic() - began)} s",
            lost=len(lost),
            twice=len(twice),
            stuck_in_sending=statuses["sending"],
            unknown=len(unknown),
            of_these_settled_by_receipts=len(settled),
            never_at_the_carrier=len(never),
            calls_in_flight_at_the_kills=len(play.in_flight_at(killed)),
            unknown_and_not_in_flight_within_10_ms=len(unknown - play.in_flight_at(killed, 0.01)),
            ledger_off=money[0] - money[1],
        )
        assert len(made) == taken >= events
        assert (lost, twice, statuses["sending"]) == (set(), set(), 0)
        assert set(codes) == {0}
        assert money[0] == money[1] == play.credit_micros - PRICE_MICROS * (statuses["sent"] + len(unknown))
        assert unknown - never <= play.in_flight_at(killed, slack_s), "what was not begun waits again; what was answered is sent"
        assert len(never) <= len(killed), "a request that was about to leave"
        assert settled == unknown - never, "a receipt settles every one that the carrier has"


def _kill_under_load(play: Scene, kills: int, events: int, *, pause_s: float) -> tuple[list[float], int]:
    """Kill somebody every now and then while events come; when that was, and how many events were taken."""
    dice = random.Random(7)
    killed: list[float] = []
    with play.reporting() as taken:
        while len(killed) < kills or taken[0] < events:
            play.fleet.wait_for_one()
            time.sleep(dice.uniform(0.0, 2 * pause_s))
            if len(killed) < kills:
                killed.append(play.fleet.kill(dice.choice(play.fleet.ready())))
                play.fleet.start(wait=False)
            balance, ledger = play.money()
            assert balance == ledger
        count = taken[0]
    return killed, max(count, taken[0])
