"""The certification kit: rules with levels, asked of a connector's own samples and of a stand-in of its platform.

`bellwire certify NAME` asks them of whatever is installed, `bellwire.testing.certified` makes a test of them. Nothing of it needs
an account at a platform.
"""

from __future__ import annotations

from bellwire.certification.catalogue import CARRIER_RULES, CONNECTOR_RULES, rules_for
from bellwire.certification.kit import FULL, QUICK, Kit, Scale, Scorecard
from bellwire.certification.quality import Quality, quality_of
from bellwire.certification.rules import Answer, Level, Outcome, Rule

__all__ = [
    "CARRIER_RULES",
    "CONNECTOR_RULES",
    "FULL",
    "QUICK",
    "Answer",
    "Kit",
    "Level",
    "Outcome",
    "Quality",
    "Rule",
    "Scale",
    "Scorecard",
    "quality_of",
    "rules_for",
]
