"""Carriers without a network: which of the receipts that they announce arrive."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from bellwire.errors import ErrorClass
from bellwire.model import CarrierAccount, Dlr, Outcome, Outgoing, PlannedDlr, Status, Verdict
from bellwire.store import schema
from standins.line import Line
from standins.world import ALICE, BOB, World


async def send(messages: Sequence[Outgoing], account: CarrierAccount) -> Sequence[Outcome]:
    """Takes all but what is for Bob."""
    verdicts = {ALICE: (Verdict.ACCEPTED, None), BOB: (Verdict.REJECTED, ErrorClass.INVALID_NUMBER)}
    made = [(one, *verdicts[one.msisdn]) for one in messages]
    return [
        Outcome(message_id=one.message_id, verdict=verdict, error_class=wrong, carrier_ref=one.ref) for one, verdict, wrong in made
    ]


def plan(message: Outgoing) -> Sequence[PlannedDlr]:
    """Announces a receipt for each, as if all were taken."""
    return [PlannedDlr(after_s=0.1, dlr=Dlr(carrier_ref=message.ref, status=Status.DELIVERED, raw_status="delivered"))]


def test_a_refused_text_has_no_receipt(make_world: Callable[..., World]) -> None:
    carrier: Any = replace(Line("session").carrier, build=None, interpret=None, send=send, plan=plan)
    world = make_world(SimpleNamespace(carrier=carrier))
    world.account("session")
    world.pump()
    refused = world.send(to=BOB)
    world.wait(refused, Status.FAILED)
    world.wait(world.send(to=ALICE), Status.DELIVERED)  # whose receipt is due after the other's
    assert (world.count(schema.dlrs), world.status(refused)) == (1, Status.FAILED)
