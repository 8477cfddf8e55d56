"""Consent out: an opt-in or opt-out of our ledger, written on the consent property of the contacts that have the number.

HubSpot's own subscription types know e-mail only (communication-preferences), so that the property is where it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bellwire import ConsentChange, ConsentState, Link, PlatformRejected

from .answers import stamp, time_of
from .changes import is_own
from .client import Hub, results

#: An implied consent is no statement that a CRM must hold.
STATES = {ConsentState.OPTED_IN: "opted_in", ConsentState.OPTED_OUT: "opted_out"}
_MOST = 50


def write_consent(change: ConsentChange, link: Link) -> None:
    """Set the property on the contact we know, and on others with this number: an opt-out holds for all of them.

    Another purpose than the installation's is not written. Raises PlatformError.
    """
    settings = link.installation.settings
    name, value = str(settings.get("consent_field") or ""), STATES.get(change.state)
    if not name or value is None or str(change.purpose) != str(settings.get("consent_purpose") or "marketing"):
        return
    hub = Hub(link)
    contacts = holders(hub, change.msisdn, change.customer_ref)
    said = _said_at(hub, contacts, name)
    wanted = [number for number in contacts if said.get(number, change.at) <= change.at]
    try:
        hub.change("contact", {number: {name: value, f"{name}_at": stamp(change.at)} for number in wanted})
    except PlatformRejected as e:
        if e.http_status != 400:
            raise
        hub.change("contact", {number: {name: value} for number in wanted})  # a portal without the property for the time


def _said_at(hub: Hub, contacts: Sequence[str], name: str) -> dict[str, datetime]:
    """When each contact's consent was stated that stands there: by our own property beside it, else by when others wrote it.

    What we wrote without that property has no time that counts: the ledger sends statements in their order.
    """
    if not contacts:
        return {}
    said: dict[str, datetime] = {}
    for number, values in hub.read("contact", contacts, [name, f"{name}_at"]).items():
        at = time_of(values.get(f"{name}_at"))
        if at:
            said[number] = at
    for number, history in hub.histories("contact", contacts, name).items():
        newest = history[0] if history else {}
        at = time_of(newest.get("timestamp"))
        if at and not is_own(newest.get("sourceType"), newest.get("sourceId"), None, hub.installation):
            said[number] = max(at, said.get(number, at))
    return said


def holders(hub: Hub, msisdn: str, customer_ref: str) -> list[str]:
    """The contacts with this number: the one we know, then those that HubSpot finds by it.

    Its searchable numbers are digits without the country's code, so what is found is compared with the number itself.
    """
    known = [customer_ref.removeprefix("contact/")] if customer_ref.startswith("contact/") else []
    digits = msisdn.removeprefix("+")
    fields = ("hs_searchable_calculated_mobile_number", "hs_searchable_calculated_phone_number")
    filters = [[{"property_name": name, "operator": "CONTAINS_TOKEN", "value": f"*{digits[-7:]}"}] for name in fields]
    wanted = ["mobilephone", "phone", "hs_calculated_mobile_number", "hs_calculated_phone_number"]
    found = results(hub.search("contact", filters, wanted, limit=_MOST))
    same = [str(one.get("id")) for one in found if any(_is_same(value, digits) for value in (one.get("properties") or {}).values())]
    return list(dict.fromkeys([*known, *same]))


def _is_same(value: object, digits: str) -> bool:
    """Whether a typed number is this one: all its digits, or its national part without the leading zero."""
    written = "".join(char for char in str(value or "") if char.isdecimal() and char.isascii()).lstrip("0")
    return len(written) >= 8 and digits.endswith(written)
