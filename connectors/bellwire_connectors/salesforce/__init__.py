"""Salesforce: outbound messages, the flow action and polling in; statuses, consent and replies back to the records."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bellwire import (
    CheckResult,
    Connector,
    ConsentChange,
    Event,
    Installation,
    Installed,
    InstallStart,
    Link,
    ReplyNote,
    StatusChange,
    WebhookRequest,
    hookimpl,
)

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


# -- what calls out: loaded on first use, so that a base installation needs neither simple-salesforce nor an HTTP library -----


def _enrich(event: Event, link: Link) -> Event:
    from .enrich import enrich as run

    return run(event, link)


def _write_back(changes: Sequence[StatusChange], link: Link) -> None:
    from .writeback import write_back as run

    run(changes, link)


def _write_consent(change: ConsentChange, link: Link) -> None:
    from .consent import write_consent as run

    run(change, link)


def _write_reply(note: ReplyNote, link: Link) -> None:
    from .replies import write_reply as run

    run(note, link)


def _reconcile(link: Link, since: datetime) -> Sequence[Event]:
    from .reconcile import reconcile as run

    return run(link, since)


def _check(link: Link) -> Sequence[CheckResult]:
    from .check import check as run

    return run(link)


def _begin_install(request: WebhookRequest, installation: Installation, redirect_uri: str, state: str) -> InstallStart:
    from .install import begin_install as run

    return run(request, installation, redirect_uri, state)


def _finish_install(request: WebhookRequest, installation: Installation, state: str, link: Link) -> Installed:
    from .install import finish_install as run

    return run(request, installation, state, link)


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
    enrich=_enrich,
    write_back=_write_back,
    writes_on=configured.writes_on,
    write_consent=_write_consent,
    write_reply=_write_reply,
    reconcile=_reconcile,
    check=_check,
    begin_install=_begin_install,
    finish_install=_finish_install,
    samples="bellwire_connectors.salesforce",
)


@hookimpl
def register_connectors() -> Sequence[Connector]:
    """Brings the connector."""
    return [connector]
