"""All rules, by level: what is asked of a connector, and what of a carrier."""

from __future__ import annotations

from collections.abc import Sequence

from bellwire.certification import (
    answering,
    calling,
    comparison,
    facts,
    failing,
    loading,
    looking_back,
    quick,
    quiet,
    reading,
    receiving,
    sending,
    signatures,
)
from bellwire.certification.kit import Kit
from bellwire.certification.rules import Level, Rule, claim
from bellwire.model import Carrier, Connector
from bellwire.plugins.contract import carrier_faults, connector_faults


def _contract(kit: Kit) -> None:
    faults = connector_faults(kit.subject) if isinstance(kit.subject, Connector) else carrier_faults(kit.subject)
    claim(not faults, "; ".join(faults))


CONTRACT = Rule("contract", Level.BRONZE, "It brings what a plugin must bring, under good names.", _contract)

_BOTH = (CONTRACT, *signatures.RULES, comparison.CONSTANT_TIME)

CONNECTOR_RULES: Sequence[Rule] = tuple(
    sorted(
        (
            *_BOTH,
            signatures.OTHER_ACCOUNT,
            *reading.RULES,
            loading.LIGHT,
            *quiet.RULES,
            *facts.RULES,
            *looking_back.RULES,
            *calling.RULES,
            *failing.RULES,
            quick.QUICK,
        ),
        key=lambda rule: rule.level.rank,
    )
)
CARRIER_RULES: Sequence[Rule] = (*_BOTH, loading.LIGHT, *quiet.RULES, *receiving.RULES, *sending.RULES, *answering.RULES)


def rules_for(subject: Connector | Carrier) -> Sequence[Rule]:
    """What it is asked, bronze first."""
    return CONNECTOR_RULES if isinstance(subject, Connector) else CARRIER_RULES
