"""Where the producer is told: its callback address. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from bellwire import Installation


def address(installation: Installation) -> str:
    """Where callbacks go: `callback_url`, at the host of `base_url` where one is set (a proxy, a stand-in); "" for nowhere."""
    url, base = str(installation.settings.get("callback_url") or ""), str(installation.settings.get("base_url") or "")
    if not url or not base:
        return url or base
    there, own = urlsplit(base), urlsplit(url)
    return urlunsplit((there.scheme, there.netloc, there.path.rstrip("/") + own.path, own.query, ""))


def takes_replies(installation: Installation) -> bool:
    """Whether there is somebody to hand replies to."""
    return bool(address(installation))


def writes_on(_subject: str, _customer_ref: str, installation: Installation) -> bool:
    """Whether the producer is told what became of a text: of any, once it has said where."""
    return bool(address(installation))
