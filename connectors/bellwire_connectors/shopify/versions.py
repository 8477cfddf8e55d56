"""Which versions of the Admin API an installation may be pinned to: four a year, each supported for a year.

Not asked of a clock: what is set today must be what it was when it was set. https://shopify.dev/docs/api/usage/versioning
"""

from __future__ import annotations

import re

DEFAULT_VERSION = "2026-10"
#: Older ones lack fields that are asked for.
OLDEST_VERSION = "2026-01"
#: Two years on from what this release was tried with.
NEWEST_VERSION = "2028-10"

_VERSION = re.compile(r"20\d\d-(01|04|07|10)", re.ASCII)


def clean_version(typed: str) -> str:
    """The version as it is stored. Raises ValueError for what can't be one."""
    version = typed.strip()
    if not _VERSION.fullmatch(version) or not OLDEST_VERSION <= version <= NEWEST_VERSION:
        raise ValueError(
            f"must look like {DEFAULT_VERSION}: YYYY-MM with month 01, 04, 07 or 10, from {OLDEST_VERSION} to {NEWEST_VERSION}"
        )
    return version
