"""The questions that every connector and carrier must pass, asked of its own samples. Needs no network and no database.

`bellwire certify NAME` asks them of whatever is installed, `tests/test_conformance.py` of everything we ship.
"""

from __future__ import annotations

from collections.abc import Sequence

from bellwire.certification.questions import Answer, Outcome, Question, ask
from bellwire.certification.reading import carrier_reading, connector_reading
from bellwire.certification.sending import sending
from bellwire.certification.signatures import carrier_scheme, connector_scheme, signatures
from bellwire.model import Carrier, Connector

__all__ = ["Answer", "Outcome", "Question", "ask", "questions"]


def questions(subject: Connector | Carrier) -> Sequence[Question]:
    """All that it is asked, in order."""
    if isinstance(subject, Connector):
        return [*signatures(connector_scheme(subject)), *connector_reading(subject)]
    return [*signatures(carrier_scheme(subject)), *carrier_reading(subject), *sending(subject)]
