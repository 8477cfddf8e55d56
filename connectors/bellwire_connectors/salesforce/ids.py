"""Salesforce's record ids: 15 characters that are case-sensitive, or 18 that are not. Kept as 18."""

from __future__ import annotations

import re
from collections.abc import Mapping

_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?", re.ASCII)
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"

#: The first three characters name the object.
PREFIXES: Mapping[str, str] = {
    "001": "Account",
    "003": "Contact",
    "005": "User",
    "006": "Opportunity",
    "00Q": "Lead",
    "500": "Case",
    "801": "Order",
}


def long_id(given: object) -> str:
    """The id with its 18 characters, "" for what is none.

    The last three say which of the first fifteen are capitals: five bits for each five characters.
    """
    text = given.strip() if isinstance(given, str) else ""
    if not _ID.fullmatch(text):
        return ""
    if len(text) == 18:
        return text
    bits = (sum(1 << place for place, letter in enumerate(text[at : at + 5]) if "A" <= letter <= "Z") for at in (0, 5, 10))
    return text + "".join(_SUFFIX[five] for five in bits)


def object_of(record_id: str) -> str:
    """The standard object an id belongs to, "" when its prefix is none of those we know."""
    return PREFIXES.get(record_id[:3], "")
