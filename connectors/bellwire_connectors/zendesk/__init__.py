"""Zendesk: ticket updates in; statuses as private notes, consent on the user and replies as the requester's comments back."""

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
from .account import clean_subdomain, writes_on

EVENTS = (
    "ticket.created",
    "ticket.updated",
    "ticket.commented",
    "ticket.solved",
    "customer.consent_changed",
    "person.merged",
    "person.erase_requested",
)

FIELDS = (
    CredentialField(
        name="subdomain", help="The account's name: example of example.zendesk.com", secret=False, clean=clean_subdomain
    ),
    CredentialField(
        name="email", help="With an API token: the e-mail address of a user of Bellwire's own", required=False, secret=False
    ),
    CredentialField(name="api_token", help="API token (Admin Center, Apps and integrations, Zendesk API)", required=False),
    CredentialField(name="oauth_token", help="OAuth access token; an OAuth install stores it", required=False),
    CredentialField(
        name="signing_secret", help="The webhook's signing secret; fetched by itself for webhooks that we make", required=False
    ),
    CredentialField(name="event_signing_secret", help="Of the second webhook, where triggers bring the tickets", required=False),
    CredentialField(name="client_id", help="The OAuth client's unique identifier", required=False, secret=False),
    CredentialField(name="client_secret", help="The OAuth client's secret", required=False),
    CredentialField(name="refresh_token", help="Stored by an OAuth install", required=False),
    CredentialField(name="oauth_token_expires_at", help="Stored by an OAuth install", required=False, secret=False),
)


def _setting(name: str, text: str, kind: type = str, default: object = None) -> CredentialField:
    return CredentialField(name=name, help=text, required=False, secret=False, kind=kind, default=default)


SETTINGS = (
    _setting("tickets_by", "events: subscribe to ticket events; triggers: make triggers that notify us", default="events"),
    _setting("webhook_id", "Only requests of this webhook are believed"),
    _setting("bot_user_id", "The user we act as: what it does makes no event; an OAuth install fills it"),
    _setting("status_field", "Ticket field (its title or id) that shows a text's status", default="SMS status"),
    _setting("consent_field", "User field (its key) that holds consent to texts", default="sms_consent"),
    _setting("marketing_consent_field", "User field (its key) that holds consent to marketing, where that is kept apart"),
    _setting("field_map", "Where an admin's own trigger body has ticket_id and event", kind=dict),
    _setting("reply_creates_ticket", "A reply without a ticket opens one", kind=bool, default=True),
    _setting("accept_test_secret", "Believe the published secret of the test button too", kind=bool, default=False),
    _setting("signature_tolerance_s", "How far a signed time may be off, in seconds", kind=int, default=300),
    _setting("erase_on_delete", "A user deleted there is erased here", kind=bool, default=False),
    _setting("reconcile_every_s", "How often the incremental export is read, in seconds", kind=int, default=900),
    _setting("scopes", "The scopes an OAuth install asks for, separated by spaces", default="read write"),
)

# -- what calls out: loaded on first use, so that a base installation needs neither zenpy nor an HTTP library --------------


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
    from .reply import write_reply as run

    run(note, link)


def _subscribe(link: Link) -> None:
    from .setup import subscribe as run

    run(link)


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
    name="zendesk",
    title="Zendesk",
    events=EVENTS,
    fields=FIELDS,
    settings=SETTINGS,
    secret_field="signing_secret",  # noqa: S106  # the name of a field
    account_field="subdomain",
    verify=webhook.verify,
    read=webhook.read,
    sign=webhook.sign,
    enrich=_enrich,
    write_back=_write_back,
    writes_on=writes_on,
    write_back_every_s=20.0,  # a ticket takes 30 updates of one user in ten minutes
    write_consent=_write_consent,
    write_reply=_write_reply,
    subscribe=_subscribe,
    reconcile=_reconcile,
    check=_check,
    begin_install=_begin_install,
    finish_install=_finish_install,
    samples="bellwire_connectors.zendesk",
)


@hookimpl
def register_connectors() -> Sequence[Connector]:
    """Brings the connector."""
    return [connector]
