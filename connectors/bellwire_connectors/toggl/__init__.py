"""Toggl Track: time entries that ran too long come in. Toggl has no approvals and no comments: nothing is written back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from bellwire import Connector, CredentialField, Event, Link, hookimpl, loaded_on_call

from . import webhook

EVENTS = ("timecard.entry_flagged",)

FIELDS = (
    CredentialField(name="secret", help="The subscription's secret, of your own choice; it signs every webhook"),
    CredentialField(name="workspace_id", help="The workspace's number", required=False, secret=False, number=True),
    CredentialField(name="api_token", help="An admin's API token; makes the subscription", required=False),
)

SETTINGS = (
    CredentialField(
        name="flag_after_hours",
        help="A time entry longer than this many hours is told as timecard.entry_flagged",
        required=False,
        secret=False,
        kind=float,
        default=webhook.FLAG_AFTER_HOURS,
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
    name="toggl",
    title="Toggl Track",
    events=EVENTS,
    fields=FIELDS,
    settings=SETTINGS,
    secret_field="secret",  # noqa: S106  # the name of a field
    account_field="workspace_id",
    verify=webhook.verify,
    read=webhook.read,
    sign=webhook.sign,
    answer=webhook.answer,
    subscribe=client.subscribe,
    reconcile=_reconcile,
    check=client.check,
    samples="bellwire_connectors.toggl",
)


@hookimpl
def register_connectors() -> Sequence[Connector]:
    """Brings the connector."""
    return [connector]
