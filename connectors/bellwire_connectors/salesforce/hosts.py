"""Where an organization is called: its My Domain host, checked, so that no token goes anywhere else."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from bellwire import Installation, PlatformRejected

_LABELS = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62})(?:\.[a-z0-9](?:[a-z0-9-]{0,62})){0,4}", re.ASCII)
_HOME = ".salesforce.com"
#: Where Salesforce runs organizations; government and China have their own.
_HOMES = (_HOME, ".salesforce.mil", ".sfcrmproducts.cn")


def clean_domain(given: str) -> str:
    """`acme.my`, `https://acme.my.salesforce.com/` and the like as `acme.my.salesforce.com`. Raises ValueError."""
    text = given.strip().lower()
    text = urlsplit(text if "//" in text else f"//{text}").hostname or ""
    text = text.replace(".lightning.force.com", ".my.salesforce.com")
    host = text if text.endswith(_HOMES) else text + _HOME
    if not _LABELS.fullmatch(host):
        raise ValueError("looks like acme.my.salesforce.com, or acme.my")
    return host


def clean_instance(given: str) -> str:
    """`https://acme.my.salesforce.com`, also from a host alone. Raises ValueError."""
    text = given.strip().lower()
    parts = urlsplit(text if "//" in text else f"https://{text}")
    host = parts.hostname or ""
    if parts.scheme not in ("https", "http") or not host or parts.username is not None:
        raise ValueError("looks like https://acme.my.salesforce.com")
    return f"{parts.scheme}://{parts.netloc}"


def login_url(installation: Installation) -> str:
    """Where tokens are had: `settings.base_url`, else the domain's host."""
    base = str(installation.settings.get("base_url") or "").rstrip("/")
    return base or f"https://{domain_of(installation)}"


def domain_of(installation: Installation) -> str:
    """The host of `credentials.domain`. Raises PlatformRejected for what can't be Salesforce's."""
    try:
        return clean_domain(str(installation.credentials.get("domain") or "login"))
    except ValueError as e:
        raise PlatformRejected(f"salesforce: credentials.domain {e}", code="domain") from e


def instance_url(installation: Installation) -> str:
    """Where the API is: `settings.base_url`, `settings.instance_url`, what the token said, the domain; in that order.

    What a token said counts only when it is one of Salesforce's own hosts. Raises PlatformRejected when nothing names one.
    """
    settings = installation.settings
    base = str(settings.get("base_url") or settings.get("instance_url") or "").rstrip("/")
    if base:
        return base if "//" in base else f"https://{base}"
    told = urlsplit(str(installation.credentials.get("instance_url") or ""))
    if told.scheme == "https" and (told.hostname or "").endswith(_HOMES) and told.port in (None, 443):
        return f"https://{told.hostname}"
    host = domain_of(installation)
    if host in ("login.salesforce.com", "test.salesforce.com"):
        raise PlatformRejected(
            "salesforce: which organization? set settings.instance_url or credentials.domain", code="instance_url"
        )
    return f"https://{host}"


def audience(installation: Installation) -> str:
    """Whom a JWT is for: production or sandboxes, never a My Domain (help.salesforce.com, "OAuth 2.0 JWT Bearer Flow")."""
    host = domain_of(installation)
    is_sandbox = host == "test.salesforce.com" or ".sandbox." in host or "--" in host.partition(".")[0]
    return "https://test.salesforce.com" if is_sandbox else "https://login.salesforce.com"
