"""One call to a platform's JSON API, and what each answer means. Imported by clients only: it needs `requests`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests
from bellwire import (
    Installation,
    Link,
    PlatformError,
    PlatformRejected,
    PlatformThrottled,
    PlatformUnauthorized,
    PlatformUnavailable,
    PlatformUnreachable,
)

from bellwire_connectors.retry_after import retry_after_s


def base_url(installation: Installation, default: str) -> str:
    """Where the platform's API is called, without a trailing slash: `settings.base_url` or the vendor's."""
    return str(installation.settings.get("base_url") or default).rstrip("/")


def credential(installation: Installation, name: str) -> str:
    """A credential. Raises PlatformRejected naming the one that is missing: without it nothing can be written, now or later."""
    value = str(installation.credentials.get(name) or "")
    if not value:
        raise PlatformRejected(f"{installation.connector}: credentials.{name} is missing", code="no_credentials")
    return value


def call(
    link: Link,
    what: str,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    params: Mapping[str, str] | None = None,
    body: object = None,
) -> Any:
    """The JSON that a call brought, None for none. `what` names it in errors: `jira comment`.

    Raises PlatformError. Every call of the translators may come twice without harm, so an unanswered one is tried again.
    """
    try:
        answer = link.http.request(
            method,
            url,
            params=params,
            json=body,
            headers={"Accept": "application/json", **headers},
            allow_redirects=False,
        )
    except requests.RequestException as e:
        # its text may hold the address; the class says enough
        raise PlatformUnreachable(f"{what}: no answer ({type(e).__name__})") from e
    status = answer.status_code
    if not 200 <= status < 300:
        raise _refusal(what, status, {name.lower(): value for name, value in answer.headers.items()})
    if not answer.content:
        return None
    try:
        return answer.json()
    except ValueError as e:
        raise PlatformUnavailable(f"{what}: the answer is not JSON", http_status=status) from e


def _refusal(what: str, status: int, headers: Mapping[str, str]) -> PlatformError:
    wait = retry_after_s(headers)
    if status == 429:
        return PlatformThrottled(f"{what}: too fast", http_status=status, retry_after_s=wait)
    if status in (401, 403):
        return PlatformUnauthorized(f"{what}: the credentials are refused", http_status=status)
    if status >= 500:
        return PlatformUnavailable(f"{what}: the platform is down", http_status=status, retry_after_s=wait)
    if status in (404, 410):
        return PlatformRejected(f"{what}: there is no such object", http_status=status, code="not_found")
    if 300 <= status < 400:
        return PlatformRejected(f"{what}: the address leads elsewhere; check settings.base_url", http_status=status)
    return PlatformRejected(f"{what}: refused", http_status=status)
