"""D1: STOPs come in while texts to the same people are being claimed. After a STOP's commit nothing to that person is."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa
from bellwire.engine import replies
from bellwire.engine.sending import SendRequest, send
from bellwire.errors import Conflict, StoreUnavailable
from bellwire.model import ConsentState, Reply, Status
from bellwire.store import schema
from bellwire.store.idempotency import idempotency_key
from bellwire.store.schema import STATUS_CODES
from proofs.scene import Scene, database, scene
from standins.world import World, number, until

#: Trials, people in each, and workers where there may be several.
SMALL = pytest.param(1, 10, 2, id="small")
FULL = pytest.param(20, 50, 4, id="full", marks=pytest.mark.proof)
TEXTS = 20  # to each person: fewer than the guard against loops lets through in an hour
SENDERS = 4

_m, _c = schema.messages.c, schema.consents.c
_UNCLAIMED = [STATUS_CODES[one] for one in (Status.SCHEDULED, Status.QUEUED, Status.REFUSED)]


class Stops:
    """Says STOP for people, and keeps what had been claimed for each at the very moment of the commit.

    It is read inside the STOP's transaction, at its end. On PostgreSQL that has locked the person's row, and a claim shares
    it; on SQLite nobody else writes. What is claimed of that person afterwards was claimed after the commit.
    """

    def __init__(self, world: World, account: UUID) -> None:
        self.claimed: dict[UUID, set[UUID]] = {}
        self._world, self._account = world, world.carrier_account(account)
        sa.event.listen(world.engine.store.engine, "commit", self._look)

    def say(self, msisdn: str) -> None:
        """As the carrier's request does, again and again until it is acknowledged."""
        reply = Reply(id=f"mo-{msisdn}", msisdn=msisdn, to="15550100001", text="STOP")
        persistently(lambda: replies.accept(self._world.engine, self._account, [reply]))

    def _look(self, connection: sa.Connection) -> None:
        stopped = sa.select(_c.contact_id).where(_c.state == str(ConsentState.OPTED_OUT))
        for contact_id in set(connection.execute(stopped).scalars()) - self.claimed.keys():
            claimed = sa.select(_m.id).where(_m.contact_id == contact_id, _m.status.not_in(_UNCLAIMED))
            self.claimed[contact_id] = set(connection.execute(claimed).scalars())


def persistently(call: Callable[[], object]) -> None:
    """Repeat what the database has no time for, as callers do."""
    ends = time.monotonic() + 30
    while True:
        try:
            call()
        except (StoreUnavailable, Conflict):
            assert time.monotonic() < ends, "it never came back"
        else:
            return


@pytest.mark.parametrize(("trials", "people", "workers"), [SMALL, FULL])
def test_nothing_is_claimed_after_a_stop(
    database_url: str,
    tmp_path: Path,
    trials: int,
    people: int,
    workers: int,
    tell: Callable[..., None],
    counts: Callable[[str, int], int],
) -> None:
    if trials > SMALL.values[0]:
        trials = counts("trials", trials)
    with scene(database_url, tmp_path, rate=people * 12, burst=people / 5) as play:
        workers = workers if database(play.world) == "postgresql" else 1
        play.fleet.start(workers)
        stops, dice = Stops(play.world, play.account), random.Random(7)
        for trial in range(trials):
            numbers = [number(place) for place in range(trial * people, (trial + 1) * people)]
            _stop_while_they_are_texted(play, stops, numbers, dice)
        texts = {row.id: row for row in play.world.messages()}
        gone = {one for one, row in texts.items() if row.status not in _UNCLAIMED} | play.sends().keys()
        late = [one for one in gone if one not in stops.claimed[texts[one].contact_id]]
        refused = [row for row in texts.values() if row.status == STATUS_CODES[Status.REFUSED]]
        tell(
            "D1 STOP race",
            database(play.world),
            f"{trials} trials, {len(stops.claimed)} STOPs, {len(texts)} texts, {workers} worker(s)",
            claimed_after_the_commit=len(late),
            claimed_before=len(gone),
            refused=len(refused),
        )
        assert late == []
        assert len(stops.claimed) == trials * people
        assert {row.reason for row in refused} == {"opted_out"}
        assert len(gone) + len(refused) == len(texts) == trials * people * TEXTS
        assert gone, "the STOPs came while texts left"


def _stop_while_they_are_texted(play: Scene, stops: Stops, numbers: Sequence[str], dice: random.Random) -> None:
    """Texts to all of them wait and are being sent; one after the other says STOP, as receipts come in."""
    before = len(play.callbacks.requests)
    # all in one transaction: they wait together
    texts = [SendRequest(to=msisdn, body=f"Text {n}") for n in range(TEXTS) for msisdn in numbers]
    key = idempotency_key(f"texts to {numbers[0]} and on", "send", b"")
    persistently(partial(send, play.world.engine, play.world.tenant_id, texts, idempotency=key))

    def in_turn(place: int, msisdn: str) -> None:
        with suppress(AssertionError):  # those who are left may have got all of theirs
            until(lambda: len(play.callbacks.requests) > before + 2 * place, within_s=2.0)
        stops.say(msisdn)

    with ThreadPoolExecutor(SENDERS) as senders:
        list(senders.map(in_turn, range(len(numbers)), dice.sample(numbers, len(numbers))))
    until(play.is_quiet, "nothing waits and nothing is being sent", within_s=60)
