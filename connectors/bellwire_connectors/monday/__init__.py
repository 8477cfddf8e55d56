"""monday: people, status and date columns of items in; what became of a text as an update on the item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bellwire import Connector, CredentialField, hookimpl, loaded_on_call

from bellwire_connectors.translating.notes import writes_on_tasks

from . import webhook

EVENTS = ("task.assigned", "task.unassigned", "task.status_changed", "task.due")

FIELDS = (
    CredentialField(name="signing_secret", help="The app's signing secret; it signs each webhook's token", required=False),
    CredentialField(name="api_token", help="The token that reads items and people and writes updates", required=False),
)

SETTINGS = (
    CredentialField(
        name="callback_url",
        help="The URL exactly as given to monday, where it is not this installation's webhook_url; it is the token's audience",
        required=False,
        secret=False,
    ),
    CredentialField(
        name="accept_unsigned",
        help="Take webhooks made on a board or with a personal token: these are not signed, the key in the URL is all there is",
        required=False,
        secret=False,
        kind=bool,
        default=False,
    ),
    CredentialField(
        name="integration_user",
        help="The user id whose changes make no event: the token's own",
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
    name="monday",
    title="monday",
    events=EVENTS,
    fields=FIELDS,
    settings=SETTINGS,
    secret_field="signing_secret",  # noqa: S106  # the name of a field
    verify=webhook.verify,
    read=webhook.read,
    sign=webhook.sign,
    probe=webhook.probe,
    enrich=client.enrich,
    write_back=client.write_back,
    writes_on=writes_on_tasks,
    write_reply=client.write_reply,
    check=client.check,
    samples="bellwire_connectors.monday",
)


@hookimpl
def register_connectors() -> Sequence[Connector]:
    """Brings the connector."""
    return [connector]
