"""Calls to Zendesk's API: one transport for everything that goes out, its errors in our classes. Nothing is sent twice here.

developer.zendesk.com: "Rate limits", "Tickets", "Users", "Webhooks". Errors are told by status and Zendesk's own code, never by
what was sent: a message of theirs may quote it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

import requests
from bellwire import (
    Installation,
    Limit,
    Link,
    PlatformError,
    PlatformRejected,
    PlatformThrottled,
    PlatformUnauthorized,
    PlatformUnavailable,
    PlatformUnreachable,
)

from bellwire_connectors.retry_after import retry_after_s

from . import tokens
from .account import base_url

#: Calls a minute on the smallest plan whose API is not for trials only, and updates of tickets on all but High Volume.
ACCOUNT, UPDATES = Limit.window(400, 60), Limit.window(100, 60)

_CODE = re.compile(r"[A-Za-z][A-Za-z_ ]{0,60}", re.ASCII)

#: HTTP status → what it means; others of 4xx are PlatformRejected, of 5xx PlatformUnavailable.
_STATUSES: Mapping[int, tuple[type[PlatformError], str]] = {
    401: (PlatformUnauthorized, "the token is refused"),
    403: (PlatformUnauthorized, "the user we act as may not do this"),
    404: (PlatformRejected, "there is no such thing (any more)"),
    409: (PlatformUnavailable, "somebody else changed it at the same moment"),
    422: (PlatformRejected, "Zendesk refuses it"),
    429: (PlatformThrottled, "the account's or the ticket's limit is used up"),
}


class Desk:
    """One job's conversation with one account. Made for a job, never kept."""

    def __init__(self, link: Link, installation: Installation | None = None) -> None:
        self.link = link
        self.installation = installation or tokens.usable(link)
        self._renewable = installation is None

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        """The JSON object at `/api/v2/…`. Raises PlatformError."""
        return json_of(self.call("GET", path, params=params))

    def put(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Change something. Not repeated here: what went unanswered may have been done."""
        return json_of(self.call("PUT", path, json=body))

    def post(self, path: str, body: Mapping[str, Any], *, key: str = "") -> dict[str, Any]:
        """Make something. `key`: Zendesk does it once for two hours, however often it is sent ("Idempotency")."""
        return json_of(self.call("POST", path, json=body, headers={"Idempotency-Key": key} if key else {}))

    def delete(self, path: str, body: Mapping[str, Any] | None = None) -> None:
        """Take something away."""
        self.call("DELETE", path, json=body)

    def call(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> Any:
        """The response of a call that went well; a refused token is renewed once. Raises PlatformError."""
        url = f"{base_url(self.installation)}/api/v2/{path}"
        answer = self._send(method, url, headers or {}, more)
        if answer.status_code == 401 and self._renewable and tokens.can_renew(self.installation):
            self.installation = tokens.renewed(self.link, str(self.installation.credentials.get("oauth_token") or ""))
            answer = self._send(method, url, headers or {}, more)
        if not 200 <= answer.status_code < 300:
            raise error_of(answer, f"{method} {_resource(path)}")
        return answer

    def _send(self, method: str, url: str, headers: Mapping[str, str], more: Mapping[str, Any]) -> Any:
        sent = {"Authorization": authorization(self.installation), "Accept": "application/json", **headers}
        self.link.spent("account", ACCOUNT)
        if method in ("PUT", "DELETE") and "/tickets/" in url:
            self.link.spent("updates", UPDATES)
        try:
            return self.link.http.request(method, url, headers=sent, allow_redirects=False, **more)
        except requests.RequestException as e:
            # its text may hold the address and what was sent; the class says enough
            raise PlatformUnreachable(f"zendesk: no answer ({type(e).__name__})") from e


def authorization(installation: Installation) -> str:
    """The header that lets us in. Raises PlatformUnauthorized where nothing does."""
    credentials = installation.credentials
    if credentials.get("oauth_token"):
        return f"Bearer {credentials['oauth_token']}"
    if credentials.get("api_token") and credentials.get("email"):
        pair = f"{credentials['email']}/token:{credentials['api_token']}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"
    raise PlatformUnauthorized("zendesk: credentials need oauth_token, or email and api_token", code="no_token")


def json_of(answer: Any) -> dict[str, Any]:
    """The body as a JSON object; {} for anything else (204, a login page)."""
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def error_of(answer: Any, what: str) -> PlatformError:
    """What an answer that is no success means."""
    status = answer.status_code
    down = (PlatformUnavailable, "Zendesk is down")
    kind, why = _STATUSES.get(status, down if status >= 500 else (PlatformRejected, "Zendesk refuses it"))
    if 300 <= status < 400:
        why = "the account's address leads elsewhere; is credentials.subdomain right?"
    body = json_of(answer)
    code = "closed" if status == 422 and _is_closed(body) else _code(body)
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return kind(
        f"zendesk {what}: {why}{f' ({code})' if code else ''}", http_status=status, code=code, retry_after_s=retry_after_s(headers)
    )


def _is_closed(body: Mapping[str, Any]) -> bool:
    """422 with `details.status: [{"description": "Status: closed prevents ticket update"}]`."""
    details = body.get("details")
    listed = details.get("status") if isinstance(details, Mapping) else None
    return any("closed" in str(one) for one in listed) if isinstance(listed, list) else False


def _code(body: Mapping[str, Any]) -> str:
    """`{"error": "RecordInvalid"}`, `{"error": {"title": "Forbidden"}}`, `{"errors": [{"code": "…"}]}`."""
    said = body.get("error")
    if isinstance(said, Mapping):
        said = said.get("title")
    errors = body.get("errors")
    if said is None and isinstance(errors, list) and errors and isinstance(errors[0], Mapping):
        said = errors[0].get("code")
    return said if isinstance(said, str) and _CODE.fullmatch(said) else ""


def _resource(path: str) -> str:
    """`tickets/35436/tags.json` → `tickets/…/tags`: the ids of people are not for logs."""
    return re.sub(r"\d+", "…", path.partition("?")[0].removesuffix(".json"))
