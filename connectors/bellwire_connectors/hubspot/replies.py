"""A person's reply: on the contact's timeline, and on the ticket it answers; a new ticket only where the setting says so."""

from __future__ import annotations

from bellwire import Link, PlatformRejected, ReplyNote

from . import communications, sdk
from .client import AT_ONCE, Hub, mapping
from .communications import Entry
from .consent import holders


def write_reply(note: ReplyNote, link: Link) -> None:
    """Log the reply; logging it again changes nothing. Raises PlatformError, PlatformRejected when nobody has the number."""
    hub = Hub(link)
    steps = note.subject.removeprefix("action/").split("/")
    kind, number = steps[-2:] if len(steps) >= 2 else ("", "")
    contact = note.customer_ref.removeprefix("contact/") if note.customer_ref.startswith("contact/") else ""
    if not contact:
        contact = number if kind == "contact" else next(iter(holders(hub, note.msisdn, "")), "")
    records = [("contact", contact)] if contact else []
    if kind in ("deal", "ticket") and number:
        records.append((kind, number))
    if not records:
        raise PlatformRejected("hubspot: no contact has the number of the reply", code="no_target")
    body = communications.html(f"SMS reply from …{note.msisdn[-2:]}", note.text, f"Reply {note.reply_id}")
    if kind != "ticket" and contact and hub.installation.settings.get("reply_creates_ticket"):
        records.append(("ticket", _ticket(hub, contact, note)))
    communications.write(hub, {note.reply_id: Entry(key=note.reply_id, body=body, at=note.at, records=records)})


def _ticket(hub: Hub, contact: str, note: ReplyNote) -> str:
    """The reply's ticket: the one that an earlier try made, found among the contact's own by its subject, or a new one."""
    subject = f"SMS reply ({note.reply_id})"
    theirs = hub.associated("contact", "ticket", [contact]).get(contact, [])
    latest = sorted(theirs, key=lambda one: (len(one), one))[-AT_ONCE:]
    for number, values in (hub.read("ticket", latest, ["subject"]) if latest else {}).items():
        if values.get("subject") == subject:
            return number
    settings = hub.installation.settings
    values = {
        "subject": subject,
        "content": note.text,
        "hs_pipeline": str(settings.get("ticket_pipeline") or "0"),
        "hs_pipeline_stage": str(settings.get("ticket_stage") or "1"),
    }
    to_contact = {"to": {"id": contact}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 16}]}
    made = sdk.model("crm.tickets", "SimplePublicObjectInputForCreate", properties=values, associations=[to_contact])
    return str(mapping(hub.do("crm.tickets.basic_api.create", made)).get("id") or "")
