"""Are a carrier's receipts and replies read, and is anything else refused quickly?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from bellwire.certification.kit import Kit
from bellwire.certification.reading import EMPTY, HOSTILE, kinds, only_refuses
from bellwire.certification.rules import Level, NotJudged, Rule, claim
from bellwire.model import Carrier, WebhookRequest
from bellwire.testing import account, sample, samples


def _carrier_samples(kit: Kit, kind: str, name: str) -> None:
    carrier, function = _of(kit, name)
    names = [one for one in samples(carrier.samples) if one.startswith(kind)]
    claim(bool(names), f"there is no {kind}_… sample")
    for one in names:
        claim(bool(function(sample(carrier.samples, one), account(carrier))), f"{one}: nothing was read")


def _carrier_hostile(kit: Kit, name: str) -> None:
    carrier, function = _of(kit, name)
    at = account(carrier)
    for request in kinds(kit, kit.scale.kinds, skip="answer"):
        for label, body in {**EMPTY, **HOSTILE}.items():
            only_refuses(lambda one: function(one, at), replace(request, body=body), label)


def _of(kit: Kit, name: str) -> tuple[Carrier, Callable[[WebhookRequest, Any], Sequence[object]]]:
    function = getattr(kit.subject, name)
    if function is None or not isinstance(kit.subject, Carrier):
        raise NotJudged(f"{kit.subject.name} has no {name}")
    return kit.subject, function


RULES = (
    Rule("dlr-samples", Level.BRONZE, "Every receipt sample is read.", lambda kit: _carrier_samples(kit, "dlr", "read_dlrs")),
    Rule("reply-samples", Level.BRONZE, "Every reply sample is read.", lambda kit: _carrier_samples(kit, "reply", "read_replies")),
    Rule(
        "dlr-format",
        Level.BRONZE,
        "A receipt in another format, hostile ones among them, is refused or ignored within a second.",
        lambda kit: _carrier_hostile(kit, "read_dlrs"),
    ),
    Rule(
        "reply-format",
        Level.BRONZE,
        "A reply in another format, hostile ones among them, is refused or ignored within a second.",
        lambda kit: _carrier_hostile(kit, "read_replies"),
    ),
)
