"""What an error of Salesforce's means for the job: again later, a throttle, a person must act, or never.

Codes: developer.salesforce.com, "Status Codes and Error Responses". Messages hold codes and field names, never Salesforce's text:
that quotes values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bellwire import (
    PlatformError,
    PlatformRejected,
    PlatformThrottled,
    PlatformUnauthorized,
    PlatformUnavailable,
)

#: The daily allowance is a window of 24 hours that moves: room comes back bit by bit.
LIMIT_WAIT_S = 900.0
#: Too many calls at this moment.
BUSY_WAIT_S = 30.0

_CODE = re.compile(r"[A-Z][A-Z0-9_]{2,79}", re.ASCII)
_FIELD = re.compile(r"[A-Za-z][\w.]{0,79}", re.ASCII)
#: `No such column 'X' on entity 'Y'`; the message is read, never told.
_COLUMN = re.compile(r"column '([A-Za-z]\w{0,79})'", re.ASCII)

#: May work the next time.
AGAIN = frozenset({"UNABLE_TO_LOCK_ROW", "SERVER_UNAVAILABLE", "REQUEST_RUNNING_TOO_LONG", "QUERY_TIMEOUT", "UNKNOWN_EXCEPTION"})
#: Somebody has to change something in the organization before anything works.
_PERSON = frozenset({"API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED", "INACTIVE_OWNER_OR_USER", "INVALID_SESSION_ID"})


def errors_in(content: object) -> list[tuple[str, str, list[str]]]:
    """(code, message, fields) of an answer: a list of `{errorCode|statusCode, message, fields}`."""
    listed = content if isinstance(content, list) else [content]
    return [(code_of(one), str(one.get("message") or ""), fields_of(one)) for one in listed if isinstance(one, Mapping)]


def code_of(error: Mapping[str, Any]) -> str:
    """The code of one error; "" when it has none."""
    given = str(error.get("errorCode") or error.get("statusCode") or "")
    return given if _CODE.fullmatch(given) else ""


def fields_of(error: Mapping[str, Any]) -> list[str]:
    """The fields that one error names."""
    given = error.get("fields")
    return [name for name in given if isinstance(name, str) and _FIELD.fullmatch(name)] if isinstance(given, list) else []


def missing_columns(content: object) -> list[str]:
    """The fields that an INVALID_FIELD says do not exist (for us): a missing right hides a field like a missing field."""
    found: list[str] = []
    for code, message, fields in errors_in(content):
        if code == "INVALID_FIELD":
            found += [*_COLUMN.findall(message), *fields]
    return found


def failure(what: str, status: int, content: object, retry_after_s: float | None = None) -> PlatformError:
    """The error to raise for an answer that is none of the good ones."""
    errors = errors_in(content)
    code = errors[0][0] if errors else ""
    fields = f" ({', '.join(errors[0][2][:5])})" if errors and errors[0][2] else ""
    told = f"salesforce {what}: {code or f'HTTP {status}'}{fields}"
    if code == "REQUEST_LIMIT_EXCEEDED" or status == 429:  # 403, not 429
        is_busy = bool(errors) and "concurrent" in errors[0][1].lower()
        wait_s = retry_after_s or (BUSY_WAIT_S if is_busy else LIMIT_WAIT_S)
        return PlatformThrottled(f"{told}: the API limit is used up", http_status=status, code=code, retry_after_s=wait_s)
    if code in _PERSON or status == 401:
        return PlatformUnauthorized(f"{told}: the user or app may not call", http_status=status, code=code)
    if code in AGAIN or status >= 500:
        return PlatformUnavailable(told, http_status=status, code=code, retry_after_s=retry_after_s)
    if 300 < status < 400:
        told += ": the address leads elsewhere; is settings.instance_url the organization's own?"
    return PlatformRejected(told, http_status=status, code=code)


def row_failure(what: str, errors: object) -> PlatformError:
    """The error of one row of a composite call, whose answer as a whole is a 200."""
    return failure(what, 400, errors)
