"""HubSpot: CRM changes and a workflow action in; statuses, consent and replies back onto contacts, deals and tickets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bellwire import Connector, CredentialField, hookimpl, loaded_on_call

from . import targets, webhook

EVENTS = (
    "contact.created",
    "contact.updated",
    "customer.consent_changed",
    "lead.created",
    "deal.created",
    "deal.stage_changed",
    "deal.updated",
    "ticket.created",
    "ticket.updated",
    "ticket.solved",
    "ticket.commented",
    "person.merged",
    "person.erase_requested",
    "message.requested",
)


def _portal(typed: str) -> str:
    """The portal's number as it is stored. Raises ValueError."""
    number = typed.strip()
    if not (number.isascii() and number.isdigit() and len(number) <= 19):
        raise ValueError("must be the account's Hub ID, a number")
    return number.lstrip("0") or "0"


FIELDS = (
    CredentialField(
        name="portal_id",
        help="The account's Hub ID; an OAuth install stores it",
        required=False,
        secret=False,
        clean=_portal,
        number=True,
    ),
    CredentialField(name="client_secret", help="The app's client secret; it signs every request"),
    CredentialField(name="client_id", help="The app's client id; needed for OAuth", required=False, secret=False),
    CredentialField(name="access_token", help="A private app's token (pat-…); an OAuth install stores it", required=False),
    CredentialField(name="refresh_token", help="Stored by an OAuth install", required=False),
    CredentialField(name="access_token_expires_at", help="Stored by an OAuth install", required=False, secret=False),
    CredentialField(name="scope", help="The scopes that were granted; stored by an OAuth install", required=False, secret=False),
)

SETTINGS = (
    CredentialField(
        name="app_id",
        help="The app's number: its own changes are no news, another app's are not taken",
        required=False,
        secret=False,
        number=True,
    ),
    CredentialField(
        name="api_path", help="v3, or a dated version such as 2026-03, for CRM objects", required=False, secret=False, default="v3"
    ),
    CredentialField(
        name="accept_signature_versions",
        help="v3; with v2 the workflow action may be signed so, with v1 webhooks",
        required=False,
        secret=False,
        kind=list,
        default=["v3"],
    ),
    CredentialField(
        name="consent_purpose",
        help="The purpose that the consent property is about: marketing or transactional",
        required=False,
        secret=False,
        default="marketing",
    ),
    CredentialField(
        name="closed_stages", help="Ticket stages that mean solved", required=False, secret=False, kind=list, default=["4"]
    ),
    CredentialField(
        name="properties", help="More properties for conditions and templates", required=False, secret=False, kind=list
    ),
    CredentialField(
        name="reply_creates_ticket",
        help="Open a ticket for a reply that answers none",
        required=False,
        secret=False,
        kind=bool,
        default=False,
    ),
    CredentialField(name="ticket_pipeline", help="Where such a ticket goes", required=False, secret=False, default="0"),
    CredentialField(name="ticket_stage", help="Its first stage", required=False, secret=False, default="1"),
    CredentialField(name="scopes", help="The scopes an install asks for", required=False, secret=False),
    CredentialField(
        name="consent_field",
        help="The contact property that holds the consent",
        required=False,
        secret=False,
        default="sms_consent_status",
    ),
    CredentialField(
        name="status_field",
        help="The contact property that tells the last status",
        required=False,
        secret=False,
        default="sms_last_status",
    ),
    CredentialField(
        name="phone_fields",
        help="The contact properties that hold numbers, in order of preference",
        required=False,
        secret=False,
        kind=list,
        default=["mobilephone", "phone"],
    ),
)

# -- what calls out: loaded on first use, so that a base installation needs neither the SDK nor an HTTP library ------------

if TYPE_CHECKING:
    from . import check, consent, enrich, install, reconcile, replies, subscribing, writeback
else:
    check = loaded_on_call(f"{__name__}.check")
    consent = loaded_on_call(f"{__name__}.consent")
    enrich = loaded_on_call(f"{__name__}.enrich")
    install = loaded_on_call(f"{__name__}.install")
    reconcile = loaded_on_call(f"{__name__}.reconcile")
    replies = loaded_on_call(f"{__name__}.replies")
    subscribing = loaded_on_call(f"{__name__}.subscribing")
    writeback = loaded_on_call(f"{__name__}.writeback")

connector = Connector(
    name="hubspot",
    title="HubSpot",
    events=EVENTS,
    fields=FIELDS,
    settings=SETTINGS,
    secret_field="client_secret",  # noqa: S106  # the name of a field
    account_field="portal_id",
    verify=webhook.verify,
    read=webhook.read,
    sign=webhook.sign,
    parts=webhook.parts,
    consult=webhook.consult,
    respond=webhook.respond,
    enrich=enrich.enrich,
    enrich_many=enrich.enrich_many,
    write_back=writeback.write_back,
    writes_on=targets.writes_on,
    write_back_objects=100,
    write_consent=consent.write_consent,
    write_reply=replies.write_reply,
    subscribe=subscribing.subscribe,
    reconcile=reconcile.reconcile,
    check=check.check,
    begin_install=install.begin_install,
    finish_install=install.finish_install,
    samples="bellwire_connectors.hubspot",
)


@hookimpl
def register_connectors() -> Sequence[Connector]:
    """Brings the connector."""
    return [connector]
