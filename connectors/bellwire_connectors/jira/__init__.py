"""Jira Cloud: assignments, status and due-date changes of issues in; what became of a text as an internal comment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bellwire import Connector, CredentialField, hookimpl, loaded_on_call

from bellwire_connectors.translating.notes import writes_on_tasks

from . import webhook
from .site import clean_site

EVENTS = ("task.assigned", "task.unassigned", "task.status_changed", "task.due")

FIELDS = (
    CredentialField(name="site_url", help="The site's address: https://example.atlassian.net", secret=False, clean=clean_site),
    CredentialField(name="webhook_secret", help="The secret of the webhook made in Jira's administration", required=False),
    CredentialField(
        name="client_secret", help="The OAuth app's client secret; it signs the tokens of dynamic webhooks", required=False
    ),
    CredentialField(name="email", help="The account that comments", required=False, secret=False),
    CredentialField(name="api_token", help="That account's API token", required=False),
)

SETTINGS = (
    CredentialField(
        name="integration_user",
        help="The account id whose changes make no event: the integration's own",
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
    name="jira",
    title="Jira",
    events=EVENTS,
    fields=FIELDS,
    settings=SETTINGS,
    secret_field="webhook_secret",  # noqa: S106  # the name of a field
    account_field="site_url",
    verify=webhook.verify,
    read=webhook.read,
    sign=webhook.sign,
    write_back=client.write_back,
    writes_on=writes_on_tasks,
    write_reply=client.write_reply,
    check=client.check,
    samples="bellwire_connectors.jira",
)


@hookimpl
def register_connectors() -> Sequence[Connector]:
    """Brings the connector."""
    return [connector]
