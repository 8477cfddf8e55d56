"""Where we may call: the rule for addresses and for the URLs that tenants give us. Pure: names are resolved elsewhere.

A URL that passes here still has its name checked by whoever connects: `is_private` on the address really connected to.
"""

from __future__ import annotations

import ipaddress
import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import SplitResult, urlsplit

from bellwire.errors import FieldInvalid

MAX_URL = 2_000
_FIRST_FREE_PORT = 1024  # below it, https only on 443: mail, databases and the like are not for us to poke

_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052
_NAT64_LOCAL = IPv6Network("64:ff9b:1::/48")  # RFC 8215
_COMPATIBLE = IPv6Network("::/96")  # RFC 4291 2.5.5.1, deprecated
_SITE_LOCAL = IPv6Network("fec0::/10")  # RFC 3879, deprecated, still routed inside old networks
_INNER_V6 = (_NAT64_LOCAL, _COMPATIBLE, _SITE_LOCAL)
_SHARED = IPv4Network("100.64.0.0/10")  # RFC 6598
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII)
_NUMERIC = re.compile(r"\d+|0x[0-9a-f]*", re.ASCII)  # what resolvers may read as (a part of) an IPv4 address
_INSIDE = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "arpa", "onion")


def is_private(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is not on the public internet: loopback, private, link-local, shared, reserved, multicast, or a
    form of IPv6 that carries such an IPv4 address.
    """
    if isinstance(address, IPv6Address):
        inner = _inner(address)
        if inner is not None:
            return is_private(inner)
        return not address.is_global or address.is_multicast or any(address in network for network in _INNER_V6)
    return not address.is_global or address.is_multicast or address in _SHARED


def _inner(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address inside a mapped, NAT64, 6to4 or Teredo one."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    if address.sixtofour is not None:
        return address.sixtofour
    return address.teredo[1] if address.teredo is not None else None


def check_url(url: str, field: str, *, allow_private: bool) -> str:
    """A URL of a tenant's that we may call, without a trailing slash. Raises FieldInvalid naming `field` and the cure.

    https to a public name or address; with `allow_private` also http, and names and addresses of the own network.
    """
    parts = _split(url, field)
    if parts.scheme != "https" and not (parts.scheme == "http" and allow_private):
        raise FieldInvalid(field, "must begin with https://", "url_not_https")
    if "@" in parts.netloc:
        raise FieldInvalid(field, "must not hold a user name or password", "url_credentials")
    if parts.fragment:
        raise FieldInvalid(field, "must not have a fragment (#…)", "url_invalid")
    _check_host(parts.hostname or "", field, allow_private)
    _check_port(parts, field, allow_private)
    return url.rstrip("/")


def _split(url: str, field: str) -> SplitResult:
    if len(url) > MAX_URL:
        raise FieldInvalid(field, f"must have at most {MAX_URL} characters", "too_long")
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        # parsers disagree on these, and digits in other scripts turn into addresses; a name outside ASCII has an xn-- form
        raise FieldInvalid(field, "must be written in ASCII without spaces and backslashes", "url_invalid")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as e:
        raise FieldInvalid(field, "is not a URL", "url_invalid") from e
    return parts


def _check_host(host: str, field: str, allow_private: bool) -> None:
    private = FieldInvalid(field, "must not lead to a private or loopback address", "url_private")
    if ":" in host:
        try:
            address = IPv6Address(host)
        except ValueError as e:
            raise FieldInvalid(field, "has an address that can't be read", "url_invalid") from e
        if is_private(address) and not allow_private:
            raise private
        return
    labels = host.lower().rstrip(".").split(".")
    if _NUMERIC.fullmatch(labels[-1]):
        try:
            number: IPv4Address = ipaddress.IPv4Address(host)
        except ValueError as e:
            raise FieldInvalid(field, "an address must be written as four decimal numbers", "url_invalid") from e
        if is_private(number) and not allow_private:
            raise private
        return
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise FieldInvalid(field, "has no valid host name", "url_invalid")
    if (len(labels) == 1 or labels[-1] in _INSIDE) and not allow_private:
        raise private


def _check_port(parts: SplitResult, field: str, allow_private: bool) -> None:
    port = parts.port
    if port is not None and not allow_private and port != 443 and port < _FIRST_FREE_PORT:
        raise FieldInvalid(field, f"port {port} is not allowed; use 443 or one from {_FIRST_FREE_PORT} on", "url_port")
