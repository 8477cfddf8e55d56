"""Calls to the till: what became of a text is noted on its receipt."""

from collections.abc import Sequence

import requests
from bellwire import (
    Link,
    PlatformRejected,
    PlatformThrottled,
    PlatformUnauthorized,
    PlatformUnavailable,
    PlatformUnreachable,
    StatusChange,
)

URL = "https://till.example.com"


def write_back(changes: Sequence[StatusChange], link: Link) -> None:
    """Note each status on its receipt; noting the same again changes nothing there. Raises PlatformError."""
    base = link.installation.settings.get("base_url") or URL
    token = link.installation.credentials["signing_secret"]
    for change in changes:
        try:
            # the session brings time-outs, the check of addresses and redaction
            answer = link.http.put(
                f"{base}/{change.subject}/notes/sms",
                json={"text": f"{change.status} {change.at:%H:%M}", "message": change.message_id},
                headers={"authorization": f"Bearer {token}"},
            )
        except requests.RequestException as error:
            raise PlatformUnreachable(f"example_till: no answer ({type(error).__name__})") from error
        _check(answer)


def _check(answer: requests.Response) -> None:
    """What a status means for the job: done, again later, or never."""
    if answer.ok:
        return
    if answer.status_code == 429:
        wait = answer.headers.get("retry-after", "")
        raise PlatformThrottled("example_till: too fast", http_status=429, retry_after_s=float(wait) if wait.isdigit() else None)
    if answer.status_code in (401, 403):
        raise PlatformUnauthorized("example_till: the secret is refused", http_status=answer.status_code)
    kind = PlatformUnavailable if answer.status_code >= 500 else PlatformRejected
    raise kind("example_till: the note was not taken", http_status=answer.status_code)
