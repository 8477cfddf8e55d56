"""Which event fields tell something of a person, and which values may stand in a decision's line.

Decisions and the audit trail are plain rows that outlive an erased person: they hold ids and field names, no personal values.
"""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Roles of people: whatever stands under them is personal.
_PEOPLE = _words("""
    agent assignee author billing buyer customer guest manager member owner people person recipient requester shipping
    subscriber user worker
""")
#: Records about a person: personal except their place in a process.
_RECORDS = _words("contact lead")
_PROCESS = _words("stage state status type")
#: Words in the last part of a field's name that mark a personal value or a secret, whoever it stands under.
_MARKS = _words("""
    address birth birthday body card city code comment comments description dob email first iban ip last latitude longitude
    message mobile msisdn name note notes otp passport password phone pin postcode postal secret ssn street subject tel telephone
    text title token url username zip
""")
#: Fields whose last part is one of these hold a word of the platform's own list, never what a person wrote.
_VOCABULARY = _words("action carrier channel category currency kind locale platform priority stage state status system type")
_WORDS = re.compile(r"[_\-\s]+|(?<=[a-z])(?=[A-Z])")


def is_personal(field: str) -> bool:
    """True when the field's value may identify a person or hold what somebody wrote: `customer.*`, `*.email`, `ticket.subject`.

    `field` as in event data, with or without `previous.` before it. Names only; nothing is known of the value.
    """
    parts = field.removeprefix("previous.").split(".")
    last = parts[-1]
    if not _PEOPLE.isdisjoint(part.lower() for part in parts):
        return True
    if not _RECORDS.isdisjoint(part.lower() for part in parts[:-1]):
        return last not in _PROCESS
    return not _MARKS.isdisjoint(word.lower() for word in _WORDS.split(last))


def is_vocabulary(field: str) -> bool:
    """True when the field holds one of a closed list of words (`order.currency`, `deal.stage`) and is not personal."""
    return field.rpartition(".")[2].lower() in _VOCABULARY and not is_personal(field)
