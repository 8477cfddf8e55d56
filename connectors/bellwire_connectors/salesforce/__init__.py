"""Salesforce: outbound messages, the flow action and polling in; statuses, consent and replies back to the records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bellwire import Connector, hookimpl, loaded_on_call

from . import configured, webhook
from .fields import FIELDS, SETTINGS

EVENTS = (
    "lead.created",
    "lead.updated",
    "contact.created",
    "contact.updated",
    "case.created",
    "case.updated",
    "deal.created",
    "deal.updated",
    "deal.stage_changed",
    "order.created",
    "order.updated",
    "order.paid",
    "order.cancelled",
    "fulfillment.shipped",
    "payment.received",
    "payment.failed",
    "booking.created",
    "task.assigned",
    "task.status_changed",
    "task.due",
    "record.updated",
    "customer.consent_changed",
    "person.merged",
    "message.requested",
)


# -- what calls out: loaded on first use, so that a base installation needs neither simple-salesforce nor an HTTP library ---

if TYPE_CHECKING:
    from . import check, consent, enrich, install, reconcile, replies, writeback
else:
    check = loaded_on_call(f"{__name__}.check")
    consent = loaded_on_call(f"{__name__}.consent")
    enrich = loaded_on_call(f"{__name__}.enrich")
    install = loaded_on_call(f"{__name__}.install")
    reconcile = loaded_on_call(f"{__name__}.reconcile")
    replies = loaded_on_call(f"{__name__}.replies")
    writeback = loaded_on_call(f"{__name__}.writeback")

connector = Connector(
    name="salesforce",
    title="Salesforce",
    events=EVENTS,
    fields=FIELDS,
    settings=SETTINGS,
    account_field="domain",
    verify=webhook.verify,
    read=webhook.read,
    sign=webhook.sign,
    answer=webhook.answer,
    enrich=enrich.enrich,
    write_back=writeback.write_back,
    write_back_objects=200,  # an upsert takes so many
    writes_on=configured.writes_on,
    write_consent=consent.write_consent,
    write_reply=replies.write_reply,
    reconcile=reconcile.reconcile,
    check=check.check,
    begin_install=install.begin_install,
    finish_install=install.finish_install,
    samples="bellwire_connectors.salesforce",
)


@hookimpl
def register_connectors() -> Sequence[Connector]:
    """Brings the connector."""
    return [connector]
