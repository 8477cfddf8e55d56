"""Trello: members, lists and due dates of cards in; what became of a text as a comment on the card."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bellwire import Connector, CredentialField, hookimpl, loaded_on_call

from bellwire_connectors.translating.notes import writes_on_tasks

from . import webhook

EVENTS = ("task.assigned", "task.unassigned", "task.status_changed", "task.due")

FIELDS = (
    CredentialField(name="app_secret", help="The Power-Up's secret, beside its API key; it signs every webhook"),
    CredentialField(name="api_key", help="The Power-Up's API key", required=False),
    CredentialField(name="api_token", help="The token of the member who comments", required=False),
)

SETTINGS = (
    CredentialField(
        name="callback_url",
        help="The callbackURL exactly as registered, where it is not this installation's webhook_url; it is part of what is signed",
        required=False,
        secret=False,
    ),
    CredentialField(
        name="integration_user",
        help="The member id whose changes make no event: the token's own",
        required=False,
        secret=False,
    ),
)

# -- what calls out: loaded on first use, so that reading needs no HTTP library --------------------------------------------

if TYPE_CHECKING:
    from . import client
else:
    client = loaded_on_call(f"{__name__}.client")

connector = Connector(
    name="trello",
    title="Trello",
    events=EVENTS,
    fields=FIELDS,
    settings=SETTINGS,
    secret_field="app_secret",  # noqa: S106  # the name of a field
    verify=webhook.verify,
    read=webhook.read,
    sign=webhook.sign,
    probe=webhook.probe,
    enrich=client.enrich,
    write_back=client.write_back,
    writes_on=writes_on_tasks,
    write_reply=client.write_reply,
    check=client.check,
    samples="bellwire_connectors.trello",
)


@hookimpl
def register_connectors() -> Sequence[Connector]:
    """Brings the connector."""
    return [connector]
