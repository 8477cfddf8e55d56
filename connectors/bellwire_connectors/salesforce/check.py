"""An installation's check: token, organization, API allowance, the fields we read and write, the object for messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bellwire import CheckResult, Installation, Link, PlatformError

from . import configured
from .client import Org
from .hosts import instance_url
from .ids import long_id
from .people import PHONES, consent_fields
from .writeback import KEY, LEAST

_FULL = 0.8  # of the daily calls; above it somebody should know


def check(link: Link) -> Sequence[CheckResult]:
    """One line each, whatever Salesforce answers. Never raises for what the platform does."""
    results = [_webhook(link.installation)]
    try:
        org = Org(link)
        rows = list(org.query("SELECT Id, Name FROM Organization LIMIT 1"))
    except PlatformError as e:
        return [CheckResult(name="token", ok=False, detail=str(e)), *results]
    results = [CheckResult(name="token", ok=True, detail="Salesforce answers"), *results]
    results.append(_organization(str(rows[0].get("Id") or "") if rows else "", link.installation))
    for name, part in _PARTS.items():
        try:
            results += part(org, link.installation)
        except PlatformError as e:
            results.append(CheckResult(name=name, ok=False, detail=str(e)))
    return results


def _webhook(installation: Installation) -> CheckResult:
    url = installation.webhook_url
    if url.startswith("https://"):
        return CheckResult(name="endpoint", ok=True, detail="give webhook_url to the outbound messages as their endpoint")
    return CheckResult(name="endpoint", ok=False, detail="Salesforce sends to https only; set PUBLIC_URL")


def _organization(found: str, installation: Installation) -> CheckResult:
    known, told = configured.organization(installation), long_id(found)
    if known and known == told:
        return CheckResult(name="organization", ok=True, detail=told)
    if not known:
        return CheckResult(name="organization", ok=False, detail=f"set settings.organization_id to {told or 'the 18-character id'}")
    detail = f"the token belongs to {told or 'no organization'}, settings.organization_id is {known}"
    return CheckResult(name="organization", ok=False, detail=detail)


def _user(org: Org, installation: Installation) -> Iterator[CheckResult]:
    del org
    own = configured.own_user(installation)
    detail = own or "unknown: set settings.integration_user, or what we write may come back as news"
    yield CheckResult(name="integration_user", ok=bool(own), detail=detail)


def _limits(org: Org, installation: Installation) -> Iterator[CheckResult]:
    daily: Any = org.limits().get("DailyApiRequests")
    try:
        most, left = int(daily["Max"]), int(daily["Remaining"])
    except (TypeError, KeyError, ValueError):
        yield CheckResult(name="api_limit", ok=True, detail=org.usage or "not told")
        return
    detail = f"{most - left} of {most} calls used in 24 hours at {instance_url(installation)}"
    yield CheckResult(name="api_limit", ok=most - left <= _FULL * most, detail=detail)


def _people(org: Org, installation: Installation) -> Iterator[CheckResult]:
    for kind in ("Contact", "Lead"):
        fields = _fields(org.describe(kind))
        phones = [name for name in (*configured.field_names(installation, "phone_fields"), *PHONES[kind]) if name in fields]
        yield CheckResult(
            name=f"{kind}.phones",
            ok=bool(phones),
            detail=", ".join(phones) or "the user may see no phone field: look at its field-level security",
        )
        for name in filter(None, consent_fields(installation)):
            found = fields.get(name)
            ok = found is not None and found.get("updateable") is True
            why = "is not there, or hidden" if found is None else "may not be written by this user"
            yield CheckResult(name=f"{kind}.{name}", ok=ok, detail="readable and writable" if ok else f"{name} {why}")


def _message_object(org: Org, installation: Installation) -> Iterator[CheckResult]:
    kind = configured.field_name(installation, "message_object", configured.MESSAGE_OBJECT)
    if not kind or kind == "Task":
        yield CheckResult(name="message_object", ok=True, detail="statuses are written as Tasks")
        return
    try:
        fields = _fields(org.describe(kind))
    except PlatformError as e:
        if e.http_status != 404:
            raise
        yield CheckResult(name="message_object", ok=False, detail=f"{kind} is not deployed: statuses are written as Tasks")
        return
    lacking = [name for name in LEAST if name not in fields]
    key = fields.get(KEY, {})
    if lacking:
        yield CheckResult(name="message_object", ok=False, detail=f"{kind} lacks {', '.join(lacking)}")
    elif not (key.get("externalId") and key.get("unique")):
        yield CheckResult(name="message_object", ok=False, detail=f"{kind}.{KEY} must be an external id and unique")
    else:
        yield CheckResult(name="message_object", ok=True, detail=kind)


def _fields(described: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    listed = described.get("fields")
    return {str(one.get("name")): one for one in listed if isinstance(one, Mapping)} if isinstance(listed, list) else {}


_PARTS = {"integration_user": _user, "api_limit": _limits, "people": _people, "message_object": _message_object}
