"""Asana's webhooks: made where they are missing, their secrets kept. developers.asana.com, "Establish a webhook".

The handshake comes while the call that makes the webhook is still open, answered by another thread; the secret itself is taken from
the answer to this call, which only Asana can give.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from bellwire import CheckResult, Link, PlatformError, PlatformUnavailable

from bellwire_connectors.translating.calls import credential

from .client import ask
from .webhook import FIELDS, HANDSHAKE

_KEPT = 50  # secrets: webhooks that are watched, and those of some that were made again
_FILTERS = [
    {"resource_type": "task", "action": "changed", "fields": list(FIELDS)},
    {"resource_type": "task", "action": "added"},
]


def subscribe(link: Link) -> None:
    """Make the webhook of each resource that has none whose secret is ours. Raises PlatformError.

    Nothing without an access token and resources. One whose secret is not known here is made again: it could not be believed.
    """
    installation = link.installation
    wanted = [str(one) for one in installation.settings.get("resources") or []]
    if not installation.credentials.get("access_token") or not wanted or not installation.webhook_url:
        return
    there, known = _ours(link), _known(link)
    for resource in wanted:
        found = there.get(resource)
        if found is not None and str(found.get("gid")) == known.get(resource):
            continue
        if found is not None:
            ask(link, "webhook", "DELETE", f"/webhooks/{quote(str(found.get('gid')), safe='')}")
        known[resource] = _made(link, resource)
        link.remember(hooks={**known})


def check(link: Link) -> Sequence[CheckResult]:
    """Whether the token is good and each resource is watched. Raises nothing for what Asana does."""
    installation = link.installation
    if not installation.credentials.get("access_token"):
        return [CheckResult(name="access_token", ok=False, detail="none: tasks come without title and person, nothing is written")]
    try:
        there = _ours(link)
    except PlatformError as e:
        return [CheckResult(name="access_token", ok=False, detail=str(e))]
    wanted = [str(one) for one in installation.settings.get("resources") or []]
    missing = [one for one in wanted if not there.get(one, {}).get("active")]
    results = [CheckResult(name="access_token", ok=True, detail="Asana answers")]
    if not wanted:
        return [*results, CheckResult(name="webhooks", ok=False, detail="settings.resources names no project")]
    detail = f"not watched: {', '.join(missing)}; run …/reconcile" if missing else f"{len(wanted)} watched"
    return [*results, CheckResult(name="webhooks", ok=not missing, detail=detail)]


def _made(link: Link, resource: str) -> str:
    """A new webhook's gid; its secret is stored before anything else is done."""
    target = link.installation.webhook_url
    found = ask(link, "webhook", "POST", "/webhooks", body={"resource": resource, "target": target, "filters": _FILTERS})
    secret, data = found.get(HANDSHAKE), found.get("data")
    if not isinstance(secret, str) or not secret or not isinstance(data, dict):
        raise PlatformUnavailable("asana webhook: the answer brings no secret")
    kept = [str(one) for one in link.installation.credentials.get("hook_secrets") or []]
    link.renew(credential(link.installation, "access_token"), lambda _: {"hook_secrets": [secret, *kept][:_KEPT]})
    return str(data.get("gid"))


def _ours(link: Link) -> dict[str, Mapping[str, Any]]:
    """The webhooks that lead here, by resource."""
    params = {
        "workspace": credential(link.installation, "workspace_id"),
        "opt_fields": "target,active,resource.gid",
        "limit": "100",
    }
    found: dict[str, Mapping[str, Any]] = {}
    for _ in range(20):
        listed = ask(link, "webhooks", "GET", "/webhooks", params=params)
        rows = listed.get("data")
        for row in rows if isinstance(rows, list) else []:
            resource = row.get("resource") if isinstance(row, dict) else None
            if isinstance(resource, dict) and row.get("target") == link.installation.webhook_url:
                found[str(resource.get("gid"))] = row
        after = listed.get("next_page")
        if not isinstance(after, dict) or not after.get("offset"):
            break
        params = {**params, "offset": str(after["offset"])}
    return found


def _known(link: Link) -> dict[str, str]:
    """The webhooks whose secrets we hold, by resource."""
    hooks = link.installation.cursor.get("hooks")
    held = link.installation.credentials.get("hook_secrets")
    return {str(name): str(gid) for name, gid in hooks.items()} if isinstance(hooks, Mapping) and held else {}
