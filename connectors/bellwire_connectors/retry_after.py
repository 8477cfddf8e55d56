"""What an answer's Retry-After says (RFC 9110, 10.2.3), in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

LONGEST_S = 86_400.0  # a carrier that wants to be left alone for longer is off; the health of its account says so


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, 0 to a day; None when the header is absent or says nothing usable. Header names in lower case.

    A date is taken relative to the answer's own Date, so that no clock is read and the two machines' clocks may differ.
    """
    said = headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return min(float(said[:9]), LONGEST_S)
    then, now = _date(said), _date(headers.get("date", ""))
    if then is None or now is None:
        return None
    return min(max((then - now).total_seconds(), 0.0), LONGEST_S)


def _date(text: str) -> datetime | None:
    try:
        read = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return read if read.tzinfo is not None else None  # "-0000": no zone, not comparable
