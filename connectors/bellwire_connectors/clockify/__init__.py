"""Clockify: approvals, published assignments and tasks in. Nothing is written back: a note there would decide the request."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from bellwire import Connector, CredentialField, Event, Link, hookimpl, loaded_on_call

from . import webhook
from .tokens import clean_tokens

EVENTS = (
    "timecard.submitted",
    "timecard.approved",
    "timecard.rejected",
    "timecard.reopened",
    "shift.published",
    "shift.changed",
    "shift.cancelled",
    "task.assigned",
    "task.status_changed",
)

FIELDS = (
    CredentialField(name="workspace_id", help="The workspace's id, from its address in Clockify", secret=False),
    CredentialField(name="api_key", help="An admin's API key; makes the webhooks and reads assignments", required=False),
    CredentialField(
        name="tokens",
        help='each webhook\'s signing token by its event: {"NEW_APPROVAL_REQUEST": "…"}; filled where api_key makes the webhooks',
        required=False,
        kind=object,
        clean=clean_tokens,
    ),
)

# -- what calls out: loaded on first use, so that reading needs no HTTP library --------------------------------------------

if TYPE_CHECKING:
    from . import client
else:
    client = loaded_on_call(f"{__name__}.client")


def _reconcile(link: Link, since: datetime) -> Sequence[Event]:  # noqa: ARG001  # nothing is polled
    client.subscribe(link)
    return []


connector = Connector(
    name="clockify",
    title="Clockify",
    events=EVENTS,
    fields=FIELDS,
    secret_field="tokens",  # noqa: S106  # the name of a field
    account_field="workspace_id",
    verify=webhook.verify,
    read=webhook.read,
    sign=webhook.sign,
    enrich=client.enrich,
    subscribe=client.subscribe,
    reconcile=_reconcile,
    check=client.check,
    samples="bellwire_connectors.clockify",
)


@hookimpl
def register_connectors() -> Sequence[Connector]:
    """Brings the connector."""
    return [connector]
