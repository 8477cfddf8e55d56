"""What zenpy is used for: reading tickets, users and their identities. The only file that imports it (GPLv3, an extra).

It runs over our transport: what Zendesk refuses is raised there, before zenpy sees it, so that its endless wait for a 429, its
repeated PUTs and its budget that is never refilled can't happen. Its cache is off (a ticket would be 30 s old, and shared), no
object of its is ever changed or sent, and of what it returns only the fields are taken: an attribute may be a call.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from bellwire import PlatformRejected

from .account import subdomain_of
from .client import Desk


class Reader:
    """Zendesk's objects as plain dicts, for one job and thread."""

    def __init__(self, desk: Desk) -> None:
        made: Callable[..., Any] = _zenpy()
        self._zenpy = made(subdomain=subdomain_of(desk.installation), session=_Session(desk), disable_cache=True)

    def ticket(self, ticket_id: str) -> dict[str, Any]:
        """A ticket. Raises PlatformError."""
        return _plain(self._zenpy.tickets(id=int(ticket_id)))

    def user(self, user_id: str) -> dict[str, Any]:
        """A user."""
        return _plain(self._zenpy.users(id=int(user_id)))

    def me(self) -> dict[str, Any]:
        """The user we act as."""
        return _plain(self._zenpy.users.me())

    def identities(self, user_id: str) -> list[dict[str, Any]]:
        """A user's e-mail addresses and direct lines."""
        return [_plain(one) for one in self._zenpy.users.identities(id=int(user_id))]


class _Session:
    """What zenpy takes for a `requests.Session`: each call goes through the job's transport, to the account's own address."""

    authorized = True  # our transport signs; zenpy is given no credentials

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.headers: dict[str, str] = {}

    def get(self, url: str, *, params: Mapping[str, Any] | None = None, **_: Any) -> Any:
        """zenpy builds `https://SUBDOMAIN.zendesk.com/api/v2/…`; the part after that is asked for."""
        parts = urlsplit(url)
        path = parts.path.partition("/api/v2/")[2]
        answer = self._desk.call("GET", f"{path}?{parts.query}" if parts.query else path, params=params)
        return _Answer(answer.status_code, answer.headers, answer.json, SimpleNamespace(url=url))


class _Answer(NamedTuple):
    """A response as zenpy looks at it: one whose URL is not on the host it knows, behind a proxy, it would not read."""

    status_code: int
    headers: Mapping[str, str]
    json: Callable[[], Any]
    request: SimpleNamespace


def _plain(found: Any) -> dict[str, Any]:
    return {name: value for name, value in found.to_dict().items() if value is not None}


def _zenpy() -> Any:
    try:
        import zenpy
    except ImportError as e:
        raise PlatformRejected(
            "zendesk: reading tickets needs the extra `zendesk`: pip install 'bellwire[zendesk]'", code="extra_missing"
        ) from e
    logging.getLogger("zenpy").setLevel(logging.WARNING)  # below it, it logs whole bodies
    return zenpy.Zenpy
