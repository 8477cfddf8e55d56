"""An installation's check: token, user, webhooks, triggers, fields, signing secret."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from bellwire import CheckResult, Link, PlatformError

from .account import bot_user_id, id_of, subdomain_of
from .client import Desk
from .consents import changed_fields
from .sdk import Reader
from .setup import CONDITIONS, NAME, by_triggers, id_of_webhook, ours, triggers_of, user_field_keys
from .shapes import word
from .writeback import find_status_field


def check(link: Link) -> Sequence[CheckResult]:
    """One line each, whatever Zendesk answers. Never raises for what the platform does."""
    try:
        desk = Desk(link)
        me = Reader(desk).me()
    except PlatformError as e:
        return [CheckResult(name="token", ok=False, detail=str(e))]
    if not id_of(me.get("id")):  # Zendesk answers this call to strangers, too: as "Anonymous user"
        return [
            CheckResult(name="token", ok=False, detail="the token is nobody's; is it switched on, and the e-mail address right?")
        ]
    results = [CheckResult(name="token", ok=True, detail=f"{subdomain_of(link.installation)} answers")]
    parts: Sequence[tuple[str, Callable[[Desk], Iterator[CheckResult]]]] = (
        ("user", lambda one: _user(one, me)),
        ("webhooks", _webhooks),
        ("fields", _fields),
    )
    for name, part in parts:
        try:
            results += part(desk)
        except PlatformError as e:
            results.append(CheckResult(name=name, ok=False, detail=str(e)))
    return results


def _user(desk: Desk, me: dict[str, object]) -> Iterator[CheckResult]:
    bot, role = bot_user_id(desk.installation), word(me.get("role"))
    if role not in ("agent", "admin"):
        yield CheckResult(name="user", ok=False, detail="the user we act as is no agent: notes and comments would be refused")
    elif bot and bot != id_of(me.get("id")):
        yield CheckResult(name="user", ok=False, detail="settings.bot_user_id is another user than the token's: loops are not cut")
    else:
        yield CheckResult(name="user", ok=True, detail=f"{role}; what this user does makes no event, so let it be Bellwire's own")


def _webhooks(desk: Desk) -> Iterator[CheckResult]:
    url = desk.installation.webhook_url
    if not url:
        yield CheckResult(name="webhooks", ok=False, detail="no webhook URL; set PUBLIC_URL")
        return
    found = ours(desk, url)
    wanted = [found.events, found.conditional] if by_triggers(desk.installation) else [found.events]
    if not all(wanted) and not found.conditional:
        yield CheckResult(name="webhooks", ok=False, detail="missing; reconcile makes them")
        return
    idle = [one for one in (found.events, found.conditional) if one is not None and one.get("status") != "active"]
    lacks = f"; not subscribed: {', '.join(found.missing)}" if found.missing else ""
    detail = "switched off at Zendesk" if idle else f"{sum(one is not None for one in (found.events, found.conditional))}{lacks}"
    yield CheckResult(name="webhooks", ok=not idle and not found.outdated, detail=detail)
    if not desk.installation.secrets:
        yield CheckResult(
            name="signing_secret", ok=False, detail="not known yet: nothing that comes is believed; reconcile fetches it"
        )
    if by_triggers(desk.installation) and found.conditional is not None:
        have = triggers_of(desk, id_of_webhook(found.conditional))
        gone = [event for event in CONDITIONS if f"{NAME}: {event}" not in have]
        off = [title for title, one in have.items() if one.get("active") is False]
        detail = f"missing: {', '.join(gone)}" if gone else f"switched off: {', '.join(off)}" if off else f"{len(have)}"
        yield CheckResult(name="triggers", ok=not gone and not off, detail=detail)


def _fields(desk: Desk) -> Iterator[CheckResult]:
    title = str(desk.installation.settings.get("status_field") or "")
    if title and not id_of(title):
        there = bool(find_status_field(desk, title))
        detail = title if there else f"no ticket field is called {title}: statuses are shown by a tag and a note only"
        yield CheckResult(name="status_field", ok=there, detail=detail)
    have = user_field_keys(desk)
    for field in changed_fields(desk.installation):
        there = field.key in have
        detail = field.key if there else f"no user field has the key {field.key}: a STOP can't be shown in Zendesk"
        yield CheckResult(name="consent_field", ok=there, detail=detail)
