"""Consent out: an opt-in or opt-out of our ledger, written into the field of the user who has that number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bellwire import ConsentChange, ConsentState, Link, PlatformRejected

from .account import id_of, number_in
from .client import Desk
from .consents import OPT_IN, OPT_OUT, at_key, changed_fields, said_before, since
from .finding import users_by_phone
from .people import is_shared, is_staff
from .sdk import Reader

VALUES = {ConsentState.OPTED_IN: OPT_IN, ConsentState.OPTED_OUT: OPT_OUT}


def write_consent(change: ConsentChange, link: Link) -> None:
    """Write the statement; writing it again changes nothing. Raises PlatformError.

    An opt-out goes to everybody who has the number, as it is the number that is not to be texted; an opt-in to one person only.
    Nothing is written for a purpose that has no field, nor when nobody there has the number.
    """
    field = next((one for one in changed_fields(link.installation) if one.purpose is change.purpose), None)
    value = VALUES.get(change.state)
    if field is None or value is None:
        return
    desk = Desk(link)
    holders = users_by_phone(desk, change.msisdn)
    known = number_in(change.customer_ref, "user")
    if value == OPT_IN:
        mine = [one for one in holders if id_of(one.get("id")) == known]
        single = holders if len(holders) == 1 and not is_shared(holders[0]) else []
        holders = mine or single
    elif known and known not in {id_of(one.get("id")) for one in holders}:
        holders = [*holders, *_known(desk, known)]  # the search knows a new number only some minutes later
    for user in holders:
        _write(desk, user, field.key, value, change)


def _known(desk: Desk, user_id: str) -> list[dict[str, Any]]:
    """The user, unless they are gone (deleted, merged away)."""
    try:
        return [Reader(desk).user(user_id)]
    except PlatformRejected as e:
        if e.http_status == 404:
            return []
        raise


def _write(desk: Desk, user: Mapping[str, Any], key: str, value: str, change: ConsentChange) -> None:
    """The state and its time, unless something newer stands there: jobs may come late and out of order."""
    if is_staff(user):
        return  # an agent's number is not a customer's
    fields = user.get("user_fields")
    known = fields if isinstance(fields, Mapping) else {}
    before = said_before(known.get(at_key(key)))
    if before is not None and before[1] > change.at.replace(microsecond=0):
        return
    wanted = {key: value}
    if at_key(key) in known or not known:
        wanted[at_key(key)] = since(value, change.at)
    if any(known.get(name) != one for name, one in wanted.items()):
        desk.put(f"users/{id_of(user.get('id'))}.json", {"user": {"user_fields": wanted}})
