"""Whose word counts for where a request comes from: the proxies that the operator named, none by default.

Only the sender's address is taken from X-Forwarded-For. Scheme and host never are: URLs are built on PUBLIC_URL.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

from flask import Flask

Networks = tuple[IPv4Network | IPv6Network, ...]
_CHAIN_MAX = 32  # hops that are looked at


def trust(app: Flask, proxies: int | Networks) -> None:
    """Put the caller's own address into REMOTE_ADDR for requests that came through trusted proxies."""
    if proxies == 0 or proxies == ():
        return
    inner = app.wsgi_app

    def outer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ["REMOTE_ADDR"] = caller(environ.get("REMOTE_ADDR", ""), environ.get("HTTP_X_FORWARDED_FOR", ""), proxies)
        return inner(environ, start_response)

    app.wsgi_app = outer  # type: ignore[method-assign]  # Flask's documented place for middleware


def caller(peer: str, forwarded: str, proxies: int | Networks) -> str:
    """The caller's address: the last hop that is not a trusted proxy.

    `peer`: who opened the connection. `forwarded`: X-Forwarded-For, each proxy appending whom it was called by. An entry that
    can't be read ends the walk: what stands before it was written by somebody we don't trust.
    """
    chain = [part.strip() for part in forwarded.split(",")][-_CHAIN_MAX:] if forwarded else []
    if isinstance(proxies, int):
        return _counted(peer, chain, proxies)
    here = peer
    for hop in reversed(chain):
        if not _is_among(here, proxies):
            return here
        address = parse_hop(hop)
        if address is None:
            return here
        here = str(address)
    return here


def _counted(peer: str, chain: Sequence[str], count: int) -> str:
    """With `count` proxies in front, the caller is the count-th entry from the right, if all entries so far can be read."""
    here = peer
    for hop in list(reversed(chain))[:count]:
        address = parse_hop(hop)
        if address is None:
            return here
        here = str(address)
    return here


def parse_hop(hop: str) -> IPv4Address | IPv6Address | None:
    """An address as proxies write it: plain, with a port, in brackets, mapped. None when it is none."""
    text = hop.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _is_among(address: str, networks: Networks) -> bool:
    parsed = parse_hop(address)
    return parsed is not None and any(parsed in network for network in networks)
