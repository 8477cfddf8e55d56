"""What becomes of a text in the sandbox: decided by its number alone, so that every way of trying it agrees. Pure.

A number whose last six digits are 9000NN is a test number: NN picks the row of `SCENARIOS`. Every other number is delivered
after a short moment. The rule is the same in every country: +998 90 090 00 03, +1 202 590 0003, +34 612 900 003.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from bellwire import ErrorClass, Outgoing, PlannedDlr

from .codes import receipt

SOON_S = 0.2  # an ordinary receipt
LATE_S = 10.0  # a late one
THROTTLE_S = 1.0  # what a throttled send is told to wait

_TEST_NUMBER = re.compile(r"9000([0-9]{2})\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One receipt: how long after the send, and the sandbox's raw words."""

    after_s: float
    status: str
    code: str = ""


_DELIVERED = (Step(after_s=SOON_S, status="delivered"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What a number does. `says`: for people.

    `refusal`: the send is refused with this class; `once`: only the first time. `silent`: the message is taken, and no answer
    ever comes. `answer_after_s`: the answer's delay.
    """

    says: str
    refusal: ErrorClass | None = None
    once: bool = False
    silent: bool = False
    answer_after_s: float = 0.0
    steps: tuple[Step, ...] = _DELIVERED


def _refused(says: str, error: ErrorClass) -> Scenario:
    return Scenario(says=says, refusal=error, steps=())


def _ends(says: str, *steps: Step) -> Scenario:
    return Scenario(says=says, steps=steps)


ORDINARY = Scenario(says="delivered after a short moment")

SCENARIOS: Mapping[str, Scenario] = {
    "01": _ends("delivered at once", Step(after_s=0.0, status="delivered")),
    "02": _ends("delivered late", Step(after_s=LATE_S, status="delivered")),
    "03": _ends("undelivered: the handset can't be reached", Step(after_s=SOON_S, status="undelivered", code="unreachable")),
    "04": _refused("refused: not a number", ErrorClass.INVALID_NUMBER),
    "05": _refused("refused: the person opted out at the carrier", ErrorClass.OPTED_OUT),
    "06": Scenario(
        says="throttled once, then delivered",
        refusal=ErrorClass.THROTTLED,
        once=True,
        steps=(Step(after_s=3 * THROTTLE_S, status="delivered"),),
    ),
    "07": _refused("the carrier is down for this number: a backup may take it", ErrorClass.CARRIER_DOWN),
    "08": Scenario(says="taken, but no answer and no receipt ever comes", silent=True, steps=()),
    "09": _ends("the receipt never comes"),
    "10": _ends("the receipt comes twice", Step(after_s=SOON_S, status="delivered"), Step(after_s=2 * SOON_S, status="delivered")),
    "11": Scenario(says="the receipt comes before the answer", answer_after_s=0.3, steps=(Step(after_s=0.0, status="delivered"),)),
    "12": _ends("expired", Step(after_s=SOON_S, status="expired")),
    "13": Scenario(says="taken, no answer, but the receipt comes", silent=True, steps=(Step(after_s=1.0, status="delivered"),)),
    "14": _ends("accepted, then failed: blocked content", Step(after_s=SOON_S, status="failed", code="blocked_content")),
    "15": _refused("refused: the sender is not registered", ErrorClass.SENDER_REJECTED),
    "16": _refused("refused: no credit at the carrier", ErrorClass.INSUFFICIENT_FUNDS),
    "17": _refused("refused: the country is switched off", ErrorClass.NOT_ALLOWED_REGION),
    "18": _ends(
        "two receipts that contradict each other: undelivered, then delivered",
        Step(after_s=SOON_S, status="undelivered", code="unreachable"),
        Step(after_s=2 * SOON_S, status="delivered"),
    ),
    "19": _ends("a receipt with a status nobody knows", Step(after_s=SOON_S, status="teleported")),
    "20": _ends("handed over, delivered later", Step(after_s=SOON_S, status="handed_over"), Step(after_s=0.5, status="delivered")),
}


def scenario(msisdn: str) -> Scenario:
    """What this number does."""
    found = _TEST_NUMBER.search(msisdn)
    return SCENARIOS.get(found[1], ORDINARY) if found else ORDINARY


def carrier_ref(message_ref: str) -> str:
    """The sandbox's id of a message, the same for the same reference: a repeated send is answered with the first one's."""
    return "sbx_" + hashlib.sha256(message_ref.encode()).hexdigest()[:32]


def outcomes(msisdn: str, message_ref: str) -> tuple[PlannedDlr, ...]:
    """The receipts that follow a send that was not refused."""
    ref = carrier_ref(message_ref)
    return tuple(
        PlannedDlr(after_s=step.after_s, dlr=receipt(ref, step.status, step.code, message_ref=message_ref))
        for step in scenario(msisdn).steps
    )


def plan(message: Outgoing) -> tuple[PlannedDlr, ...]:
    """`outcomes` of one message."""
    return outcomes(message.msisdn, message.ref)
