"""An installation's check: token, portal, scopes, our properties, the address that HubSpot calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bellwire import CheckResult, Link, PlatformError, PlatformRejected

from .client import Hub
from .communications import OWN_PROPERTY
from .install import WANTED_SCOPES, details


def check(link: Link) -> Sequence[CheckResult]:
    """One line each, whatever HubSpot answers. Never raises for what the platform does."""
    try:
        hub = Hub(link)
        found = details(hub)
    except PlatformError as e:
        return [CheckResult(name="token", ok=False, detail=str(e))]
    return [
        CheckResult(name="token", ok=True, detail="HubSpot answers"),
        _portal(str(found.get("portalId") or ""), link),
        *_scopes(link),
        *_properties(hub),
        _address(link),
        _signatures(link),
        *_app(link),
    ]


def _portal(told: str, link: Link) -> CheckResult:
    ours = link.installation.account_ref
    if told and told == ours:
        return CheckResult(name="portal", ok=True, detail=told)
    detail = f"the token belongs to portal {told or 'nobody knows'}, credentials.portal_id is {ours or 'not set'}"
    return CheckResult(name="portal", ok=False, detail=detail)


def _scopes(link: Link) -> Iterator[CheckResult]:
    granted = str(link.installation.credentials.get("scope") or "").split()
    if not granted:
        return  # a private app's token does not say
    missing = [scope for scope in WANTED_SCOPES if scope not in granted]
    detail = (
        f"not granted: {', '.join(missing)}; add them to the app and install it again" if missing else ", ".join(sorted(granted))
    )
    yield CheckResult(name="scopes", ok=not missing, detail=detail)


def _properties(hub: Hub) -> Iterator[CheckResult]:
    settings = hub.installation.settings
    wanted = [("contacts", str(settings.get(name) or "")) for name in ("status_field", "consent_field")]
    for kind, name in [*wanted, ("communications", OWN_PROPERTY)]:
        if not name:
            continue
        try:
            hub.do("crm.properties.core_api.get_by_name", kind, name)
        except PlatformRejected:
            yield CheckResult(
                name="properties", ok=False, detail=f"{kind} have no property {name}; reconcile makes it, or make it there"
            )
        except PlatformError as e:
            yield CheckResult(name="properties", ok=False, detail=f"{kind}.{name}: {e}")
        else:
            yield CheckResult(name="properties", ok=True, detail=f"{kind}.{name}")


def _address(link: Link) -> CheckResult:
    url = link.installation.webhook_url
    if not url:
        return CheckResult(name="webhooks", ok=False, detail="no webhook URL; set PUBLIC_URL: HubSpot signs the URL it calls")
    return CheckResult(
        name="webhooks", ok=True, detail="set it as the app's target URL and the action's URL; HubSpot does not tell which it has"
    )


def _signatures(link: Link) -> CheckResult:
    accepted = [str(one) for one in link.installation.settings.get("accept_signature_versions") or ("v3",)]
    hint = "" if "v2" in accepted else "; add v2 where the workflow action's runs are refused as signed with v2 only"
    return CheckResult(name="signatures", ok=True, detail=f"{', '.join(accepted)}{hint}")


def _app(link: Link) -> Iterator[CheckResult]:
    if not link.installation.settings.get("app_id"):
        yield CheckResult(
            name="app_id",
            ok=False,
            detail="settings.app_id is not set: another app's changes can't be told from ours by a look back",
        )
