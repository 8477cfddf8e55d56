"""Salesforce: outbound messages, the flow action and polling in; statuses, consent and replies back to the records."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bellwire import (
    CheckResult,
    Connector,
    ConsentChange,
    CredentialField,
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

from . import webhook
from .configured import CONSENT_FIELD, DEFAULT_VERSION, MESSAGE_OBJECT
from .fields import clean_actions, clean_id, clean_name, clean_names, clean_version
from .hosts import clean_domain, clean_instance

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


def _credential(name: str, help_: str, *, secret: bool = False) -> CredentialField:
    clean = clean_domain if name == "domain" else None
    return CredentialField(name=name, help=help_, required=False, secret=secret, clean=clean)


FIELDS = (
    _credential("domain", "The organization's My Domain: acme.my.salesforce.com"),
    _credential("consumer_key", "The external client app's consumer key"),
    _credential("consumer_secret", "Its consumer secret; for the client credentials and web server flows", secret=True),
    _credential("username", "The user to call as; for the JWT bearer flow"),
    _credential("private_key", "The RSA key in PEM whose certificate the app has; for the JWT bearer flow", secret=True),
    _credential("refresh_token", "Stored by an OAuth install", secret=True),
    _credential("access_token", "Had and renewed by itself", secret=True),
    _credential("instance_url", "Where the token is good; told with it"),
    _credential("user_id", "Whose the token is; told with it"),
    _credential("scope", "What the token may do; told with it"),
)

SETTINGS = (
    CredentialField(
        name="organization_id",
        help="The organization's id, 00D…; other organizations' messages are refused",
        required=False,
        secret=False,
        clean=clean_id,
    ),
    CredentialField(
        name="instance_url",
        help="Where the API is called: https://acme.my.salesforce.com",
        required=False,
        secret=False,
        clean=clean_instance,
    ),
    CredentialField(
        name="actions",
        help="Outbound message id (04k…) → event type",
        required=False,
        secret=False,
        kind=dict,
        clean=clean_actions,
    ),
    CredentialField(
        name="mapped_actions_only",
        help="Ignore messages that are not in actions",
        required=False,
        secret=False,
        kind=bool,
        default=False,
    ),
    CredentialField(
        name="api_version", help="REST API version", required=False, secret=False, default=DEFAULT_VERSION, clean=clean_version
    ),
    CredentialField(
        name="message_object",
        help="The object statuses are upserted on; Task for Tasks",
        required=False,
        secret=False,
        default=MESSAGE_OBJECT,
        clean=clean_name,
    ),
    CredentialField(
        name="consent_field",
        help="The checkbox that says opted out of texts",
        required=False,
        secret=False,
        default=CONSENT_FIELD,
        clean=clean_name,
    ),
    CredentialField(
        name="opt_in_field",
        help="A checkbox that says opted in, where there is one",
        required=False,
        secret=False,
        clean=clean_name,
    ),
    CredentialField(
        name="consent_purposes",
        help="What these speak of: marketing, transactional, or both",
        required=False,
        secret=False,
        kind=list,
        clean=clean_names({"marketing", "transactional"}),
    ),
    CredentialField(
        name="phone_fields", help="Fields with phones, in order", required=False, secret=False, kind=list, clean=clean_names(None)
    ),
    CredentialField(
        name="contact_lookups",
        help="Look-up fields of own objects that lead to a person",
        required=False,
        secret=False,
        kind=list,
        clean=clean_names(None),
    ),
    CredentialField(name="locale_field", help="The field with a person's language", required=False, secret=False, clean=clean_name),
    CredentialField(
        name="timezone_field", help="The field with a person's time zone", required=False, secret=False, clean=clean_name
    ),
    CredentialField(
        name="integration_user",
        help="Our user's id, 005…: what it changes is no news. The token tells it otherwise",
        required=False,
        secret=False,
        clean=clean_id,
    ),
    CredentialField(
        name="fetch_owner", help="Ask who owns a record, to text owners", required=False, secret=False, kind=bool, default=False
    ),
    CredentialField(
        name="reply_creates_case",
        help="A reply without an open case opens one",
        required=False,
        secret=False,
        kind=bool,
        default=False,
    ),
    CredentialField(
        name="reply_is_public", help="Show replies on a case to its contact", required=False, secret=False, kind=bool, default=False
    ),
    CredentialField(
        name="poll",
        help="Objects that are polled: Lead, Contact, Case, Opportunity, Order",
        required=False,
        secret=False,
        kind=list,
        clean=clean_names({"Lead", "Contact", "Case", "Opportunity", "Order"}),
    ),
    CredentialField(name="shop_name", help="`shop.name` in templates", required=False, secret=False),
    CredentialField(
        name="reconcile_every_s", help="Seconds between two looks", required=False, secret=False, kind=int, default=900
    ),
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
