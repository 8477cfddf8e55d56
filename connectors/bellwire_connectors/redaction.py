"""A carrier's own words, fit to be stored in the clear: without phone numbers, of bounded length."""

from __future__ import annotations

import re

_LONGEST = 200
_NUMBER = re.compile(r"\+?\d(?:[ ().-]{0,2}\d){6,}")


def without_numbers(text: str) -> str:
    """The text with all but the last two digits of what may be a phone number left out, cut at 200 characters."""
    return _NUMBER.sub(lambda match: f"…{match[0][-2:]}", text[: 4 * _LONGEST])[:_LONGEST]
