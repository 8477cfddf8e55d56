"""Values in queries and searches, quoted by Salesforce's rules."""

from __future__ import annotations

from datetime import UTC, datetime

#: developer.salesforce.com, "Quoted String Escapes"
_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"})
_LIKE = str.maketrans({"%": "\\%", "_": "\\_"})
_RESERVED = str.maketrans({one: f"\\{one}" for one in "?&|!{}[]()^~*:\\\"'+-"})


def quoted(value: str) -> str:
    """A text in a query."""
    return f"'{value.translate(_ESCAPES)}'"


def containing(value: str) -> str:
    """A text for LIKE that stands anywhere."""
    return f"'%{value.translate(_ESCAPES).translate(_LIKE)}%'"


def moment(value: datetime) -> str:
    """A time in a query; it is not quoted, and has milliseconds as the stamps have."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def searched(value: str) -> str:
    """A text in a search (SOSL), its reserved characters escaped."""
    return value.translate(_RESERVED)
