"""Calls to Toggl's Webhooks API: the subscription. engineering.toggl.com, "Webhooks", "Request examples"."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from bellwire import CheckResult, Link, PlatformError

from bellwire_connectors.translating.calls import base_url, call, credential

API = "https://api.track.toggl.com/webhooks/api/v1"


def subscribe(link: Link) -> None:
    """Make the subscription, switch it on again where Toggl switched it off. Nothing without an API token. Raises PlatformError."""
    installation = link.installation
    if not installation.credentials.get("api_token") or not installation.webhook_url:
        return
    ours = _ours(link)
    if ours is None:
        _ask(
            link,
            "POST",
            "",
            {
                "url_callback": installation.webhook_url,
                "event_filters": [
                    {"entity": "time_entry", "action": "created"},
                    {"entity": "time_entry", "action": "updated"},
                ],
                "enabled": True,
                "description": "Bellwire",
                "secret": credential(installation, "secret"),
            },
        )
    elif ours.get("enabled") is False:
        _ask(link, "PATCH", f"/{quote(str(ours.get('subscription_id')), safe='')}", {"enabled": True})


def check(link: Link) -> Sequence[CheckResult]:
    """Whether the subscription is there, enabled and validated. Raises nothing for what Toggl does."""
    if not link.installation.credentials.get("api_token"):
        return [CheckResult(name="subscription", ok=True, detail="no api_token: it is made by hand and can't be looked at")]
    try:
        ours = _ours(link)
    except PlatformError as e:
        return [CheckResult(name="subscription", ok=False, detail=str(e))]
    if ours is None:
        return [CheckResult(name="subscription", ok=False, detail="there is none; run …/reconcile to make it")]
    wrong = [word for word, well in (("disabled", ours.get("enabled")), ("not validated", ours.get("validated_at"))) if not well]
    return [CheckResult(name="subscription", ok=not wrong, detail=" and ".join(wrong) or "enabled and validated")]


def _ours(link: Link) -> Mapping[str, Any] | None:
    listed = _ask(link, "GET", "")
    rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
    return next((row for row in rows if row.get("url_callback") == link.installation.webhook_url), None)


def _ask(link: Link, method: str, path: str, body: object = None) -> Any:
    installation = link.installation
    workspace = quote(credential(installation, "workspace_id"), safe="")
    token = credential(installation, "api_token")
    return call(
        link,
        "toggl subscription",
        method,
        f"{base_url(installation, API)}/subscriptions/{workspace}{path}",
        headers={"Authorization": "Basic " + base64.b64encode(f"{token}:api_token".encode()).decode()},
        body=body,
    )
