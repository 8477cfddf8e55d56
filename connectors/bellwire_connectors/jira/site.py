"""A Jira site's address, in one spelling."""

from __future__ import annotations

import re
from typing import Any

_SITE = re.compile(r"(?:https://)?([a-z0-9][a-z0-9.-]{1,250}[a-z0-9])(?:/.*)?", re.ASCII | re.IGNORECASE | re.DOTALL)


def clean_site(given: Any) -> str:
    """`example.atlassian.net/jira/…` → `https://example.atlassian.net`. Raises ValueError saying how it should look."""
    found = _SITE.fullmatch(given.strip()) if isinstance(given, str) else None
    if found is None or "." not in found[1]:
        raise ValueError("must be the site's address, such as https://example.atlassian.net")
    return f"https://{found[1].lower()}"
