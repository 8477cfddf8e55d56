"""The account at Zendesk: its name, where its API is, and which user of it is ours."""

from __future__ import annotations

import re

from bellwire import Installation

_SUBDOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_ID = re.compile(r"\d{1,20}", re.ASCII)


def clean_subdomain(typed: str) -> str:
    """`Example`, `https://example.zendesk.com/agent` → `example`. Raises ValueError for what can't be one."""
    host = typed.strip().lower().removeprefix("https://").partition("/")[0].removesuffix(".zendesk.com")
    if not _SUBDOMAIN.fullmatch(host):
        raise ValueError("must be the account's name, such as example of example.zendesk.com")
    return host


def subdomain_of(installation: Installation) -> str:
    """The account's name, "" when none is set."""
    return installation.account_ref or str(installation.credentials.get("subdomain") or "")


def base_url(installation: Installation) -> str:
    """Where its API is called, without a trailing slash: `settings.base_url` or the account's own host."""
    own = f"https://{subdomain_of(installation)}.zendesk.com"
    return str(installation.settings.get("base_url") or own).rstrip("/")


def ticket_url(installation: Installation, ticket_id: str) -> str:
    """Where agents open a ticket; the requester's own link leads to the help center, which not every account has."""
    return f"https://{subdomain_of(installation)}.zendesk.com/agent/tickets/{ticket_id}"


def bot_user_id(installation: Installation) -> str:
    """The user we act as, "" while nobody has said: set by hand or by the install, else found by `subscribe`."""
    return id_of(installation.settings.get("bot_user_id")) or id_of(installation.cursor.get("bot_user_id"))


def id_of(value: object) -> str:
    """An id as text: Zendesk writes them as numbers in its API and as texts in its events, `0` and `""` for none."""
    text = str(value).strip() if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return text if _ID.fullmatch(text) and text.strip("0") else ""


def writes_on(subject: str, _customer_ref: str, _installation: Installation) -> bool:
    """Whether a status can be written on what an event is about: tickets hold one, users and the rest do not."""
    return bool(number_in(subject, "ticket"))


def number_in(subject: str, kind: str) -> str:
    """`ticket/35436` → `35436`, "" when it is of another kind."""
    found, _, number = subject.partition("/")
    return id_of(number) if found == kind else ""
