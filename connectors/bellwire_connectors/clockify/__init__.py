"""Clockify: approvals, published assignments and tasks in. Nothing is written back: a note there would decide the request."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bellwire import CheckResult, Connector, CredentialField, Event, Link, hookimpl

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


def _enrich(event: Event, link: Link) -> Event:
    from .client import enrich as run

    return run(event, link)


def _subscribe(link: Link) -> None:
    from .client import subscribe as run

    run(link)


def _reconcile(link: Link, since: datetime) -> Sequence[Event]:  # noqa: ARG001  # nothing is polled
    from .client import subscribe as run

    run(link)
    return []


def _check(link: Link) -> Sequence[CheckResult]:
    from .client import check as run

    return run(link)


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
    enrich=_enrich,
    subscribe=_subscribe,
    reconcile=_reconcile,
    check=_check,
    samples="bellwire_connectors.clockify",
)


@hookimpl
def register_connectors() -> Sequence[Connector]:
    """Brings the connector."""
    return [connector]
