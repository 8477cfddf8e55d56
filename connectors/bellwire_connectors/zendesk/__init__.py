"""Zendesk: ticket updates in; statuses as private notes, consent on the user and replies as the requester's comments back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bellwire import Connector, CredentialField, hookimpl, loaded_on_call

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

if TYPE_CHECKING:
    from . import check, consent, enrich, install, reconcile, reply, setup, writeback
else:
    check = loaded_on_call(f"{__name__}.check")
    consent = loaded_on_call(f"{__name__}.consent")
    enrich = loaded_on_call(f"{__name__}.enrich")
    install = loaded_on_call(f"{__name__}.install")
    reconcile = loaded_on_call(f"{__name__}.reconcile")
    reply = loaded_on_call(f"{__name__}.reply")
    setup = loaded_on_call(f"{__name__}.setup")
    writeback = loaded_on_call(f"{__name__}.writeback")

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
    enrich=enrich.enrich,
    write_back=writeback.write_back,
    writes_on=writes_on,
    write_back_every_s=20.0,  # a ticket takes 30 updates of one user in ten minutes
    write_consent=consent.write_consent,
    write_reply=reply.write_reply,
    subscribe=setup.subscribe,
    reconcile=reconcile.reconcile,
    check=check.check,
    begin_install=install.begin_install,
    finish_install=install.finish_install,
    samples="bellwire_connectors.zendesk",
)


@hookimpl
def register_connectors() -> Sequence[Connector]:
    """Brings the connector."""
    return [connector]
